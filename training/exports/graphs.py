"""Adds the graphs that OpenVINO reads to model files, so that runs need no PyTorch; see core.bundle.graphs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree  # of graphs that OpenVINO has written  # nosec B405

import numpy as np
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, load_bundle
from dubai_landcover_plugin.core.bundle.graphs import (
    AUGMENTED,
    FEATURES,
    FLOAT,
    INT8,
    Array,
    Part,
    ReadWeight,
    compute_part,
    open_weights,
    pack_parts,
    unpack,
)
from dubai_landcover_plugin.core.bundle.save import add_graphs
from dubai_landcover_plugin.core.bundle.weights import is_weight
from dubai_landcover_plugin.core.runtimes.network import norms_to_fold
from dubai_landcover_plugin.core.runtimes.openvino_runtime import convert_network, serialize_graph
from dubai_landcover_plugin.protocol.model_metadata import TEACHABLE
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError

_LEAST = 256  # bytes; smaller constants are stored as they are
_MOST_DIFFERENT = 0.5  # of the integers of a part


def add_float_graphs(path: str | Path) -> str:
    """Add the float32 graphs to a model file, store an int8 graph without its weights; return a description.

    Raises:
        BundleError: if the file cannot be read or written.
        TrainingError: if its int8 graph is damaged.
    """
    path = Path(path)
    bundle = load_bundle(path)
    graphs = float_graphs(path, bundle)
    quantized = read_int8(bundle)
    if quantized is not None:
        graphs[INT8] = pack_for(path, bundle, *quantized)
    add_graphs(path, bundle.metadata, graphs)
    return tr(
        "{path}: graphs {graphs}, {size:.1f} MB",
        path=path,
        graphs=describe_graphs(graphs),
        size=path.stat().st_size / 1000000.0,
    )


def read_int8(bundle: ModelBundle) -> tuple[bytes, Array] | None:
    """Return XML and constants of the int8 graph of a model file, None if it has none.

    Raises:
        TrainingError: if it is damaged.
    """
    stored = bundle.graph(INT8)
    try:
        return None if stored is None else unpack(stored, bundle.path)
    except ValueError as error:
        raise TrainingError(
            tr("The int8 graph in {path} cannot be read: {error}", path=bundle.path, error=error),
            tr("Make it anew with python -m training quantize."),
        ) from error


def describe_graphs(graphs: dict[str, bytes]) -> str:
    """Return names and sizes of graphs."""
    return ", ".join(f"{name} ({len(content) / 1000:.0f} kB)" for name, content in graphs.items())


def float_graphs(path: Path, bundle: ModelBundle) -> dict[str, bytes]:
    """Return the float32 graphs of a network, whose weights a model file holds.

    Args:
        path: The model file.
        bundle: Its network and metadata.
    """
    names = [FLOAT, AUGMENTED]
    if bundle.metadata.spec.architecture in TEACHABLE:
        names.append(FEATURES)
    return {
        name: pack_for(
            path, bundle, *serialize_graph(convert_network(bundle, tta=name == AUGMENTED, features=name == FEATURES))
        )
        for name in names
    }


def pack_for(path: Path, bundle: ModelBundle, text: bytes, block: bytes | Array) -> bytes:
    """Return a graph for a model file, without the constants that the weights of the file give.

    Args:
        path: The model file.
        bundle: Its network.
        text: The XML of the graph.
        block: Its constants.
    """
    constants = np.frombuffer(block, np.uint8)
    with open_weights(path) as weight:
        parts = _find_parts(text, constants, weight, _candidates(path, bundle))
        literals = []
        start = 0
        for part in parts:
            given = constants[start : start + part.size]
            start += part.size
            if part.kind == "literal":
                literals.append(given.tobytes())
            elif not part.exact:
                values = np.ascontiguousarray(compute_part(part, weight, constants)).reshape(-1).view(np.uint8)
                literals.append((given - values).tobytes())
    packed = pack_parts(text, constants, parts, b"".join(literals))
    unpack(packed, path)  # checks that it gives the same constants
    return packed


@dataclass(frozen=True, slots=True)
class _Constant:
    """A constant of a graph: its section of the block and, of 8-bit integers, the first byte of their scales."""

    start: int
    size: int
    scale: int | None


def _candidates(path: Path, bundle: ModelBundle) -> list[Part]:
    """Return the parts that the weights of a model file can give, with a size of 0."""
    with safe_open(path, framework="numpy") as stored:
        names = [name for name in stored.keys() if is_weight(name)]  # noqa: SIM118
    found = [Part(0, kind, (name,)) for name in names for kind in ("weight", "transposed")]
    for layer, norm, eps in norms_to_fold(bundle.model):
        found.append(Part(0, "folded", (f"{layer}.weight", norm), eps))
        bias = (f"{layer}.bias",) if f"{layer}.bias" in names else ()
        found.append(Part(0, "folded_bias", (norm, *bias), eps))
    return found


def _find_parts(text: bytes, block: Array, weight: ReadWeight, candidates: list[Part]) -> list[Part]:
    """Return the parts of a block of constants, in their order, without gaps."""
    by_bytes: dict[bytes, Part] = {}
    by_count: dict[int, list[tuple[Part, Array]]] = {}
    for part in candidates:
        values = np.ascontiguousarray(compute_part(part, weight, block))
        by_bytes.setdefault(values.tobytes(), replace(part, size=values.nbytes))
        if values.ndim > 1 and part.kind != "transposed":
            by_count.setdefault(values.size, []).append((replace(part, size=values.nbytes), values))
    parts, end = [], 0
    for constant in sorted(_constants(text), key=lambda constant: constant.start):
        if constant.start < end:  # several layers share it
            continue
        if constant.start > end:
            parts.append(Part(constant.start - end, "literal"))
        content = block[constant.start : constant.start + constant.size]
        same = by_bytes.get(content.tobytes()) if constant.size >= _LEAST else None
        if same is None and constant.scale is not None:
            same = _quantized(constant, content.view(np.int8), by_count.get(constant.size, []), weight, block)
        parts.append(same or Part(constant.size, "literal"))
        end = constant.start + constant.size
    if end < len(block):
        parts.append(Part(len(block) - end, "literal"))
    return parts


def _quantized(
    constant: _Constant, content: Array, sources: list[tuple[Part, Array]], weight: ReadWeight, block: Array
) -> Part | None:
    """Return the part whose rounded values are nearest to these integers; None if most differ from all."""
    best, different = None, _MOST_DIFFERENT
    for source, _ in sources:
        part = Part(constant.size, "quantized", source=source, scale=constant.scale or 0)
        share = float((compute_part(part, weight, block).reshape(-1) != content).mean())
        if share < different:
            best, different = replace(part, exact=share == 0), share
    return best


def _constants(text: bytes) -> Iterator[_Constant]:
    """Yield the constants of a graph.

    NNCF writes a quantized weight as constant → Convert → Multiply with the constant scales.

    Raises:
        TrainingError: if the XML declares entities.
    """
    if b"<!" in text:  # entities
        raise TrainingError(
            "The int8 graph declares a document type.", "Make it anew with python -m training quantize."
        )
    root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    layers = {layer.get("id"): layer for layer in root.iterfind("layers/layer")}
    after: dict[str | None, list[str | None]] = {}
    before: dict[str | None, list[str | None]] = {}
    for edge in root.iterfind("edges/edge"):
        source, target = edge.get("from-layer"), edge.get("to-layer")
        after.setdefault(source, []).append(target)
        before.setdefault(target, []).append(source)

    def is_kind(identity: str | None, kind: str) -> bool:
        return layers[identity].get("type") == kind

    def section(identity: str | None) -> tuple[int, int, str]:
        data = layers[identity].find("data")
        values = {} if data is None else data.attrib
        return int(values["offset"]), int(values["size"]), values["element_type"]

    for identity in layers:
        if not is_kind(identity, "Const"):
            continue
        start, size, kind = section(identity)
        scale = None
        if kind == "i8":
            multiplies = [end for middle in after.get(identity, []) for end in after.get(middle, [])]
            scales = [
                section(source)
                for end in multiplies
                if is_kind(end, "Multiply")
                for source in before[end]
                if is_kind(source, "Const")
            ]
            scale = next((first for first, _, element in scales if element == "f32"), None)
        yield _Constant(start, size, scale)
