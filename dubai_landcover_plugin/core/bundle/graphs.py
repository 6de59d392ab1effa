"""Graphs of the network in a model file: an XML text with the layers, and a block of constants.

Almost all constants are weights of the file: as they are, dequantized, or with a batch norm folded into them. A stored
graph is therefore the XML with a list of parts; each part states how a section of the block is computed from the
weights, and only sections that equal none of them are stored. Files of earlier versions contain the whole block.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.protocol.json_values import DAMAGED
from dubai_landcover_plugin.protocol.model_file import SCALE_PREFIX

FLOAT, AUGMENTED, FEATURES, INT8 = "float32", "float32_tta", "features", "int8"
"""Names of graphs: the network, the same with test-time augmentation, its features for teaching, the quantized one."""

MAGIC = b"topology"  # as the length of an XML, with which other stored graphs begin, it would be 8 EB
_MAX_TEXT = 64 << 20  # bytes; the XML of the known networks has less than 2 MB
_MAX_EXPANSION = 8  # of the block of constants and of the compressed parts, relative to the model file

Array = npt.NDArray[Any]
ReadWeight = Callable[[str], Array]


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the block of constants.

    Args:
        size: Its length, bytes.
        kind: ``literal``: stored bytes; ``weight`` or ``transposed``: a weight; ``folded`` or ``folded_bias``: weight
            or bias of a convolution with its batch norm folded into it; ``quantized``: 8-bit integers of another part.
        names: The weight; of ``folded`` weight and norm; of ``folded_bias`` the norm and, if there is one, the bias.
        eps: Added to the variance of the norm.
        source: The part that was quantized.
        scale: First byte in the block of the float32 scales of its output channels.
        exact: Whether the integers are those of rounding; otherwise the differences are stored, modulo 256.
    """

    size: int
    kind: str
    names: tuple[str, ...] = ()
    eps: float = 0.0
    source: Part | None = None
    scale: int = 0
    exact: bool = True

    @property
    def stored(self) -> int:
        """Number of stored bytes."""
        return self.size if self.kind == "literal" or not self.exact else 0

    def to_json(self) -> list[Any]:
        """Return a JSON-ready description."""
        source = None if self.source is None else self.source.to_json()
        return [self.size, self.kind, list(self.names), self.eps, source, self.scale, self.exact]

    @classmethod
    def from_json(cls, value: Any) -> Part:
        """Return the described part.

        Raises:
            ValueError: if it is damaged.
        """
        size, kind, names, eps, source, scale, exact = value
        if min(size, scale) < 0:
            raise ValueError(f"a part of {size} bytes at {scale}")
        return cls(size, kind, tuple(names), eps, None if source is None else cls.from_json(source), scale, exact)


@contextmanager
def open_weights(path: Path) -> Iterator[ReadWeight]:
    """Open a model file; yield a function that reads a weight by name as the network has it, float32 or integer.

    The values are those of :func:`.load_network`, bit for bit, without PyTorch.

    Raises:
        BundleError: if the file is damaged.
    """
    with reading_weights(path), safe_open(path, framework="numpy") as stored:
        names = frozenset(stored.keys())

        def read(name: str) -> Array:
            if name not in names:
                raise ValueError(f"the weight {name} is missing")
            value: Array = stored.get_tensor(name)
            if SCALE_PREFIX + name in names:
                scale: Array = stored.get_tensor(SCALE_PREFIX + name)
                value = value.astype(np.float32) * scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
            return value.astype(np.float32) if value.dtype.kind == "f" else value

        yield read


def compute_part(part: Part, weight: ReadWeight, block: Array) -> Array:
    """Return the values of a part, without stored bytes.

    Source of folding: Jacob et al. 2018, https://doi.org/10.1109/CVPR.2018.00286, section 3.2. The order of operations
    is that of ``torch.nn.utils.fusion``, so that the float32 values are the same, bit for bit.

    Args:
        part: The part; not a literal one.
        weight: Reads a weight by name.
        block: (N,) uint8, the block with the scales.

    Raises:
        ValueError: if the part does not fit these weights.
    """
    if part.kind in ("weight", "transposed"):
        values = weight(*part.names)
        return values if part.kind == "weight" else values.T
    if part.kind == "quantized" and part.source is not None:
        values = compute_part(part.source, weight, block)  # (K, ...)
        scale = block[part.scale :][: 4 * len(values)].view(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        with np.errstate(all="ignore"):  # scales of zero; the result is compared with a checksum
            return np.clip(np.rint(values / scale), -128, 127).astype(np.int8)
    if part.kind not in ("folded", "folded_bias"):
        raise ValueError(f"parts of kind {part.kind} are unknown")
    first, *others = part.names
    norm = others[0] if part.kind == "folded" else first
    gain, variance = weight(f"{norm}.weight"), weight(f"{norm}.running_var")
    with np.errstate(all="ignore"):
        factor = np.float32(1) / np.sqrt(variance + np.float32(part.eps))
        if part.kind == "folded":
            return weight(first) * (gain * factor).reshape(-1, 1, 1, 1)  # (K, C, H, W)
        bias = weight(others[0]) if others else np.float32(0)
        return (bias - weight(f"{norm}.running_mean")) * factor * gain + weight(f"{norm}.bias")


def pack_whole(text: bytes, block: bytes) -> bytes:
    """Return a graph as bytes: length of the compressed XML (8 bytes, little-endian), compressed XML, constants."""
    packed = zlib.compress(text)
    return len(packed).to_bytes(8, "little") + packed + block


def pack_parts(text: bytes, block: Array, parts: Sequence[Part], literals: bytes) -> bytes:
    """Return a graph as bytes: :data:`MAGIC`, then compressed: header with the parts, XML, stored bytes of the parts.

    Args:
        text: The XML.
        block: (N,) uint8, its constants.
        parts: How they are computed, in their order.
        literals: The stored bytes of all parts, one after the other.
    """
    header = {"text": len(text), "crc32": zlib.crc32(block.data), "parts": [part.to_json() for part in parts]}
    packed = json.dumps(header, separators=(",", ":")).encode()
    return MAGIC + zlib.compress(len(packed).to_bytes(8, "little") + packed + text + literals, 9)


def unpack(stored: bytes, path: Path | None = None) -> tuple[bytes, Array]:
    """Return the XML and the block of constants, (N,) uint8, of a stored graph.

    Args:
        stored: Of :func:`pack_whole` or :func:`pack_parts`.
        path: The model file with the weights; a graph of :func:`pack_whole` does not need it.

    Raises:
        ValueError: if it is damaged, or its constants are not those of these weights.
    """
    if stored[: len(MAGIC)] != MAGIC:
        start = 8 + int.from_bytes(stored[:8], "little")
        return _decompress(stored[8:start], _MAX_TEXT), np.frombuffer(stored, np.uint8)[start:]
    if path is None:
        raise ValueError("The graph needs the weights of its model file.")
    limit = _MAX_TEXT + _MAX_EXPANSION * path.stat().st_size
    content = _decompress(stored[len(MAGIC) :], limit)
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8:start])
        end = start + header["text"]
        parts = [Part.from_json(value) for value in header["parts"]]
        with open_weights(path) as weight:
            block = _assemble(parts, content[end:], weight, limit)
        if zlib.crc32(block.data) != header["crc32"]:
            raise ValueError("its constants are not those of the weights")
    except DAMAGED as error:
        raise ValueError(f"The graph is damaged: {error}.") from error
    return content[start:end], block


def _assemble(parts: Sequence[Part], literals: bytes, weight: ReadWeight, limit: int) -> Array:
    """Return the block of constants.

    Raises:
        ValueError: if a part does not fit.
    """
    ends = np.cumsum([part.size for part in parts]).tolist()
    stored_ends = np.cumsum([part.stored for part in parts]).tolist()
    if not parts or ends[-1] > limit or stored_ends[-1] != len(literals):
        raise ValueError("its parts do not fit")
    block, stored = np.empty(ends[-1], np.uint8), np.frombuffer(literals, np.uint8)
    # Integers come last: their scales are parts of other kinds.
    for index in sorted(range(len(parts)), key=lambda index: parts[index].kind == "quantized"):
        part = parts[index]
        section = block[ends[index] - part.size : ends[index]]
        given = stored[stored_ends[index] - part.stored : stored_ends[index]]
        if part.kind == "literal":
            section[:] = given
            continue
        values = np.ascontiguousarray(compute_part(part, weight, block)).reshape(-1).view(np.uint8)
        if len(values) != part.size:
            raise ValueError(f"{part.kind} {part.names} has {len(values)} instead of {part.size} bytes")
        section[:] = values if part.exact else values + given
    return block


def _decompress(stored: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(stored, limit)
    except zlib.error as error:
        raise ValueError(f"The graph is damaged: {error}.") from error
    if not unpacker.eof:
        raise ValueError(f"The graph is cut short or larger than {limit >> 20} MB.")
    return content
