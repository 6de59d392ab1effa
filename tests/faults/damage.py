"""Damaged files: seeded truncations, flipped bits, lost and added bytes, and headers with absurd values."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Iterator
from typing import Any

ABSURD = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 99_999, 10**7, 1e308, float("inf"), float("nan"), "", "x", "NaN", [],
    {}, [1, 2], {"a": 1}, "\0", "<script>", 0.5, "../../etc/passwd", "A" * 100_000, [[[[]]]], "9" * 5000,
)  # fmt: skip
"""Values that a header must not hold at most places."""
NESTED = ("[" * 100_000, '{"a":' * 50_000, "9" * 10_000, "1e999", "null", "", "{}", "[]", "\\")
"""Texts in place of JSON."""


def damaged_bytes(raw: bytes, chosen: random.Random, head: int) -> bytes:
    """Return the bytes of a file with one accident; half of them are in the first ``head`` bytes."""
    size = min(head, len(raw)) if chosen.random() < 0.5 else len(raw)
    at, kind = chosen.randrange(size), chosen.choice(("cut", "bit", "bytes", "lost", "added"))
    content = bytearray(raw)
    if kind == "cut":
        del content[at:]
    elif kind == "bit":
        content[at] ^= 1 << chosen.randrange(8)
    elif kind == "bytes":
        for _ in range(chosen.choice((1, 2, 6))):
            content[chosen.randrange(size)] = chosen.randrange(256)
    elif kind == "lost":
        del content[at : at + chosen.choice((1, 4, 50))]
    else:
        content[at:at] = chosen.randbytes(chosen.choice((1, 3, 60)))
    return bytes(content)


def damaged_safetensors(raw: bytes, chosen: random.Random) -> bytes:
    """Return a model file of the project with an accident, or with another header."""
    (length,) = struct.unpack("<Q", raw[:8])
    if chosen.random() < 0.4:
        return damaged_bytes(raw, chosen, 8 + length)
    header = json.loads(raw[8 : 8 + length])
    if chosen.random() < 0.7:
        item = json.loads(header["__metadata__"]["stac_item"])
        text = json.dumps(_with_absurd_value(item, chosen)) if chosen.random() < 0.9 else chosen.choice(NESTED)
        header["__metadata__"] = {"stac_item": text}
    else:
        header = _with_absurd_value(header, chosen)
    text = json.dumps(header).encode() if chosen.random() < 0.97 else chosen.choice(NESTED).encode()
    return struct.pack("<Q", len(text)) + text + raw[8 + length :]


def damaged_onnx(raw: bytes, chosen: random.Random) -> bytes:
    """Return an ONNX file with an accident, or with other metadata, shapes, operators or external weights."""
    import onnx

    if chosen.random() < 0.5:
        return damaged_bytes(raw, chosen, len(raw))
    model = onnx.load_from_string(raw)
    kind = chosen.choice(("property", "property", "shape", "operator", "external", "weights", "nested"))
    if kind == "property":
        entry = chosen.choice(model.metadata_props)
        entry.value = json.dumps(chosen.choice(ABSURD)) if chosen.random() < 0.7 else chosen.choice(NESTED)
    elif kind == "shape":
        tensor = chosen.choice((model.graph.input[0], model.graph.output[0])).type.tensor_type
        chosen.choice(tensor.shape.dim).dim_value = chosen.choice((0, -1, 1, 65, 10**6, 2**31, 2**62))
    elif kind == "operator":
        chosen.choice(model.graph.node).op_type = chosen.choice(("Loop", "PyOp", "NoSuchOperator", "If", "Tile"))
    elif kind == "weights":
        chosen.choice(model.graph.initializer).dims[0] = chosen.choice((0, -1, 10**9, 2**62))
    elif kind == "external":
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = chosen.choice(("../secret.bin", "/etc/passwd", "/dev/zero", "missing.bin", "", ".", "town.onnx"))
        for key, value in (("location", place), ("offset", chosen.choice(("0", "-1", str(2**63))))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    else:
        graph = model.graph
        for _ in range(chosen.choice((5, 90))):
            node = graph.node.add(op_type="If")
            attribute = node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
            graph = attribute.g
    content: bytes = model.SerializeToString()
    return content


def damaged_json(raw: bytes, chosen: random.Random) -> bytes:
    """Return a JSON file with an accident, or with an absurd value."""
    if chosen.random() < 0.4:
        return damaged_bytes(raw, chosen, len(raw))
    if chosen.random() < 0.2:
        return chosen.choice(NESTED).encode()
    return json.dumps(_with_absurd_value(json.loads(raw), chosen)).encode()


def _with_absurd_value(value: Any, chosen: random.Random) -> Any:
    """Return JSON with one value replaced or removed."""
    value = copy.deepcopy(value)
    path = chosen.choice(list(_paths(value)))
    place = value
    for key in path[:-1]:
        place = place[key]
    if chosen.random() < 0.2:
        del place[path[-1]]
    else:
        place[path[-1]] = chosen.choice(ABSURD)
    return value


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside a JSON value."""
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from _paths(inner, (*path, key))
