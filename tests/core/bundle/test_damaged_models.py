"""Damaged model files of every kind end in an error of the project, at once and without running code.

Each seed damages its own set of files: mutated values in the JSON of a header, tensors that do not fit, flipped,
inserted and missing bytes. What is opened is what a run opens: metadata, weights, and the stored OpenVINO graph.
"""

from __future__ import annotations

import copy
import json
import random
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_file import HEADER_KEY
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from tests.factories import METADATA, write_onnx

SPECS = {
    "unet": ModelSpec("unet", arguments={"width": 4, "depth": 2}),
    "unet_vit": ModelSpec("unet_vit", arguments={"width": 4, "depth": 2, "dim": 8, "blocks": 1, "heads": 2, "grid": 4}),
    "vit": ModelSpec("vit", arguments={"patch": 8, "dim": 8, "depth": 1, "heads": 2, "grid": 4}),
}
ODD = [
    None, True, False, -1, 0, 1, 2**31, 2**63, 10**30, 10**400, 1e308, float("inf"), float("nan"), 0.5, -0.0, "", "x",
    "A" * 100_000, "../../../etc/passwd", "\u0000", "\ud800", "<b>", "=1+1", [], {}, [1, 2], {"a": 1}, [[[[]]]],
]  # fmt: skip
ARGUMENTS = [
    {"width": 10**6}, {"width": 16_384, "depth": 1}, {"depth": 10**9}, {"depth": 99_999}, {"depth": -3},
    {"blocks": 10**7}, {"dim": 10**9}, {"dim": 8191}, {"grid": 10**6}, {"heads": 10**9}, {"heads": 0},
    {"patch": 10**9}, {"patch": 2**40}, {"width": True}, {"width": 1.5}, {"width": "4"}, {"__class__": 1}, {"self": 1},
    {"in_channels": 4}, {"classes": 10**9}, {"bilinear": "x"}, {"pool": "__import__('os')"}, {"pool": []},
    {"width": None}, {"depth": [4]}, {"width": {"a": 1}}, {"": 1}, {"depth": 10**400},
]  # fmt: skip
PER_SEED = 60


@pytest.fixture(scope="module", params=list(SPECS))
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A valid model file with a stored graph."""
    torch.manual_seed(0)
    model = build_model(SPECS[request.param])
    metadata = replace(METADATA, spec=SPECS[request.param], window=64, stride=model.stride)
    path = tmp_path_factory.mktemp("seed") / "seed.safetensors"
    save_bundle(path, metadata, model, graphs={"int8": b"graph"})
    assert outcome(path) == "accepted"
    return path.read_bytes()


def outcome(path: Path) -> str:
    """Open a model as a run does; return "accepted" or the message of the error."""
    started = time.perf_counter()
    try:
        opened = open_bundle(path)
        if not opened.is_onnx:
            _ = opened.model
            opened.graph("int8")
        return "accepted"
    except LandCoverError as error:
        message = str(error)
    assert len(message) < 3000
    message.encode()
    assert time.perf_counter() - started < 10
    return message


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def joined(header: dict[str, Any] | bytes, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in nested lists and objects."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any, remove: bool = False) -> Any:
    """Return a copy in which the value at ``path`` is replaced or removed."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return whole


def with_item(content: bytes, item: Any) -> bytes:
    header, data = split(content)
    text = item if isinstance(item, str) else json.dumps(item)
    return joined({**header, "__metadata__": {HEADER_KEY: text}}, data)


def flipped(content: bytes, end: int, random_: random.Random) -> bytes:
    """Return the content with bytes changed, inserted, removed or cut off before ``end``."""
    damaged, kind, place = bytearray(content), random_.random(), random_.randrange(end)
    if kind < 0.5:
        for _ in range(random_.choice((1, 1, 2, 6))):
            damaged[random_.randrange(end)] ^= 1 << random_.randrange(8)
    elif kind < 0.7:
        damaged[place:place] = random_.randbytes(random_.choice((1, 3, 100)))
    elif kind < 0.85:
        del damaged[place : place + random_.choice((1, 4, 50))]
    else:
        del damaged[random_.randrange(len(damaged)) :]
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(3))
def test_any_value_of_the_metadata(bundle: bytes, tmp_path: Path, seed: int) -> None:
    header, _ = split(bundle)
    item = json.loads(header["__metadata__"][HEADER_KEY])
    random_ = random.Random(seed)
    found = [path for path in places(item) if path]
    for _ in range(PER_SEED):
        path, new = random_.choice(found), random_.choice(ODD)
        (tmp_path / "m.safetensors").write_bytes(with_item(bundle, changed(item, path, new, random_.random() < 0.2)))
        outcome(tmp_path / "m.safetensors")


@pytest.mark.parametrize("key", ["gsd", "mlm:name", "mlm:total_parameters", "landcover:window", "landcover:stride",
                                 "landcover:receptive_radius", "landcover:temperature", "landcover:scheme",
                                 "landcover:spec", "landcover:metrics", "mlm:input"])  # fmt: skip
def test_values_of_another_type_are_refused(bundle: bytes, tmp_path: Path, key: str) -> None:
    """True is not 1, and a text is not a number."""
    header, _ = split(bundle)
    item = json.loads(header["__metadata__"][HEADER_KEY])
    for new in (True, [], "\ud800", 10**400, float("nan"), float("inf"), {"a": [1]}):
        if key == "landcover:metrics" and isinstance(new, dict):
            continue
        (tmp_path / "m.safetensors").write_bytes(with_item(bundle, changed(item, ("properties", key), new)))
        assert "damaged" in outcome(tmp_path / "m.safetensors")


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda arguments: str(arguments)[:40])
def test_arguments_of_a_network(bundle: bytes, tmp_path: Path, arguments: dict[str, Any]) -> None:
    header, _ = split(bundle)
    item = json.loads(header["__metadata__"][HEADER_KEY])
    path = ("properties", "landcover:spec", "arguments")
    given = {**item["properties"]["landcover:spec"]["arguments"], **arguments}
    (tmp_path / "m.safetensors").write_bytes(with_item(bundle, changed(item, path, given)))
    assert outcome(tmp_path / "m.safetensors") != "accepted"


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("dtype", ["F64", "I8", "BF16", "F8_E4M3", "U64", "BOOL", "XX", None, 3]),
        ("shape", [[10**9, 10**9], [-1], [], [2**63], "x", None, [1.5]]),
        ("data_offsets", [[0, 10**12], [-5, 10], [10, 5], [0], "x", [0, 2**64], [0, 4]]),
    ],
)
def test_tensors_that_do_not_fit(bundle: bytes, tmp_path: Path, key: str, values: list[Any]) -> None:
    header, data = split(bundle)
    tensors = [name for name in header if name != "__metadata__"]
    for name in (tensors[0], tensors[-1], "graph.int8"):
        for value in values:
            (tmp_path / "m.safetensors").write_bytes(joined({**header, name: {**header[name], key: value}}, data))
            outcome(tmp_path / "m.safetensors")


def test_headers_that_are_not_what_they_should_be(bundle: bytes, tmp_path: Path) -> None:
    header, data = split(bundle)
    item = header["__metadata__"][HEADER_KEY]
    wrong = [None, [], HEADER_KEY, {HEADER_KEY: None}, {HEADER_KEY: 3}, {HEADER_KEY: {"a": 1}}, {HEADER_KEY: "null"},
             {HEADER_KEY: "[]"}, {HEADER_KEY: "[" * 100_000}, {HEADER_KEY: '{"a":' * 100_000},
             {HEADER_KEY: "[" * 500 + "]" * 500}, {HEADER_KEY: "9" * 10_000}, {HEADER_KEY: "1e999"},
             {HEADER_KEY: item * 2}]  # fmt: skip
    whole = [joined({**header, "__metadata__": value}, data) for value in wrong]
    texts = [b"[" * 200_000, b'{"a":' * 200_000, b'{"__metadata__":' + b"9" * 100_000 + b"}", b"{}", b"[]", b"null",
             b'{"\xff\xfe": 1}', b'{"__metadata__":{"stac_item":"\\ud800"}}']  # fmt: skip
    whole += [joined(text, data) for text in texts]
    whole += [struct.pack("<Q", length) + bundle[8:] for length in (0, 1, 2, 7, 2**63, 2**64 - 1, len(bundle))]
    for content in [*whole, b"", b"x", bundle[:100]]:
        (tmp_path / "m.safetensors").write_bytes(content)
        assert outcome(tmp_path / "m.safetensors") != "accepted"


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes(bundle: bytes, tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    end = 8 + struct.unpack("<Q", bundle[:8])[0]
    for _ in range(PER_SEED):
        (tmp_path / "m.safetensors").write_bytes(flipped(bundle, end, random_))
        outcome(tmp_path / "m.safetensors")


PROPERTIES = ["", "null", "-1", "0", "1e400", "NaN", "Infinity", "1e-320", "true", '"x"', "[]", "{}", "[" * 100_000,
              '{"a":' * 50_000, "9" * 10_000, '{"0": null}', '{"0": ["a"]}', "[1e400,0,0]", "[NaN,0,0]", "[0,0,0]",
              "[true,0,0]", '{"properties":{}}', '{"properties": []}', "[1, 2]", "10000000000000", "0.000001",
              '{"properties":{"bands":[{"name":1}],"landcover:scheme":{}}}', '{"0": "\\ud800"}',
              '{"properties":{"bands":[{"name":"red"},{"name":"g"},{"name":"b"}],"landcover:scheme":{"classes":[{"id":1,'
              '"name":3,"colour":4}],"unlabeled":{"id":2,"name":"u","colour":"#000000"}}}}']  # fmt: skip


@pytest.mark.parametrize(
    "key",
    ["model_type", "resolution", "tile_size", "class_names", "standardization_mean", "standardization_std", HEADER_KEY],
)
def test_onnx_metadata(tmp_path: Path, key: str) -> None:
    import onnx

    base = onnx.load(write_onnx(tmp_path / "m.onnx"))
    for value in PROPERTIES:
        model = onnx.ModelProto()
        model.CopyFrom(base)
        entries = [entry for entry in model.metadata_props if entry.key == key]
        entry = entries[0] if entries else model.metadata_props.add()
        entry.key, entry.value = key, value
        onnx.save(model, tmp_path / "m.onnx")
        outcome(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "dims",
    [(0, 3, 64, 64), (1, 3, 10**6, 10**6), (1, 10**5, 64, 64), (-1, -1, -1, -1), (1, 3), (1, 3, 64, 65),
     (1, 254, 64, 64), (1, 3, 2**31, 2**31), (1, 3, 8193, 8193)],
)  # fmt: skip
@pytest.mark.parametrize("which", ["input", "output"])
def test_onnx_shapes(tmp_path: Path, dims: tuple[int, ...], which: str) -> None:
    import onnx

    model = onnx.load(write_onnx(tmp_path / "m.onnx"))
    shape = getattr(model.graph, which)[0].type.tensor_type.shape
    del shape.dim[:]
    for side in dims:
        shape.dim.add().dim_value = side
    onnx.save(model, tmp_path / "m.onnx")
    found = outcome(tmp_path / "m.onnx")
    assert found != "accepted" or max(dims) < 8192 or which == "output"


def varint(value: int) -> bytes:
    parts = b""
    while True:
        value, byte = value >> 7, value & 127
        parts += bytes([byte | (128 if value else 0)])
        if not value:
            return parts


GRAPH, INITIALIZER, PROPERTY = 7 << 3, 5 << 3, 14 << 3
WIRES = {
    "graph as varint": lambda raw: varint(GRAPH) + varint(2**62) + raw,
    "graph as largest varint": lambda raw: varint(GRAPH) + varint(2**64 - 1) + raw,
    "long field after it": lambda raw: varint(GRAPH) + varint(2**64 - 1) + varint(1 << 3 | 2) + varint(2**63 + 5),
    "endless length": lambda raw: varint(GRAPH | 2) + varint(2**63),
    "endless varint": lambda raw: b"\xff" * 11,
    "unknown wire type": lambda raw: b"\x3f" + raw,
    "group": lambda raw: varint(GRAPH | 3) + raw,
    "initializer as varint": lambda raw: varint(GRAPH | 2) + varint(6) + varint(INITIALIZER) + varint(2**20),
    "property as varint": lambda raw: varint(PROPERTY) + b"\x05" + raw,
    "property of varints": lambda raw: varint(PROPERTY | 2) + b"\x04\x08\x01\x10\x02" + raw,
    "tiny fields": lambda raw: b"\x08\x01" * 600_000 + raw,
    "tiny initializers": lambda raw: (
        varint(GRAPH | 2) + varint(1_200_000) + (varint(INITIALIZER | 2) + b"\0") * 600_000
    ),
    "tiny fields in properties": lambda raw: (varint(PROPERTY | 2) + varint(1 << 20) + b"\x08\x01" * (1 << 19)) * 20,
    "cut in a number": lambda raw: varint(1 << 3 | 1),
    "nothing": lambda raw: b"",
}


@pytest.mark.parametrize("name", WIRES)
def test_onnx_protocol_buffers(tmp_path: Path, name: str) -> None:
    path = write_onnx(tmp_path / "m.onnx")
    path.write_bytes(WIRES[name](path.read_bytes()))
    found = outcome(path)
    assert (found == "accepted") == name.startswith("property"), found


@pytest.mark.parametrize("seed", range(3))
def test_onnx_flipped_bytes(tmp_path: Path, seed: int) -> None:
    content = write_onnx(tmp_path / "m.onnx").read_bytes()
    random_ = random.Random(seed)
    for _ in range(PER_SEED):
        (tmp_path / "m.onnx").write_bytes(flipped(content, len(content), random_))
        outcome(tmp_path / "m.onnx")
