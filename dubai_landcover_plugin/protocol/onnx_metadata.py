"""Metadata of third-party ONNX files: input, classes and resolution.

The keys are those of the QGIS plugin Deepness, so that its public models work unchanged:
https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html. Files exported by
this project also have the complete STAC item.

ONNX files are protocol buffers (https://protobuf.dev/programming-guides/encoding/); the field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Weights are skipped.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.json_values import DAMAGED, array, mapping, number, parse_json, text
from dubai_landcover_plugin.protocol.translation import joined, tr

ONNX_SUFFIX = ".onnx"
_GRAPH, _PROPERTIES = 7, 14  # of a model
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12  # of a graph
_NAME_OF_TENSOR = 8
_PARSED = (_INPUT, _OUTPUT, _PROPERTIES)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_FLOAT = 1  # element type
_SMALL = 1 << 20  # bytes; longer fields are weights and are skipped
MAX_WINDOW = 8192
"""Largest side of a model's windows, px, as of the option window."""
MAX_BANDS = 1024
"""Largest number of input bands of a model."""
_MAX_FIELDS = 500_000  # of a file; reading them takes a second
_BANDS = ("red", "green", "blue", "nir")
_REMEDY = "Add it with the package onnx, as the documentation of Deepness shows."


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network.

    Args:
        name: Name.
        kind: Element type, as in ``TensorProto.DataType``.
        shape: Sides; None for a dynamic side.
    """

    name: str
    kind: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class OnnxDescription:
    """Metadata of an ONNX network for segmentation.

    Args:
        input: (N, C, H, W) pixels.
        output: (N, K, H, W) scores of the classes.
        scheme: The classes.
        bands: Common names of the input bands.
        mean: Mean of each band, on the scale 0..1.
        std: Standard deviation of each band, on the same scale.
        gsd: Ground sampling distance, m/px.
        window: Preferred side of a window, px; the only one if ``is_fixed``.
        is_fixed: Whether the network supports only that window.
        item: The STAC item of this project, or None.
    """

    input: Tensor
    output: Tensor
    scheme: ClassScheme
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd: float
    window: int
    is_fixed: bool
    item: dict[str, Any] | None


def read_onnx(path: str | Path, item_key: str) -> OnnxDescription:
    """Return the metadata of an ONNX file.

    Args:
        path: The file.
        item_key: Metadata key of this project's STAC item.

    Raises:
        BundleError: if the file is not an ONNX file or not a segmentation network, or required metadata are missing.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            model = _Model()
            model.read(stream, path.stat().st_size)
    except OSError as error:
        raise BundleError(
            tr("The model {path} cannot be read: {error}.", path=path, error=error.strerror), tr("Choose another file.")
        ) from error
    except (IndexError, ValueError) as error:
        raise BundleError(
            tr("{path} is not an ONNX file ({error}).", path=path, error=error), tr("Export the model again.")
        ) from error
    try:
        return _describe(path, model, item_key)
    except DAMAGED as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            tr("The metadata of {path} are damaged: {error!s:.500}.", path=path, error=error),
            tr("Export the model again."),
        ) from error


@dataclass
class _Model:
    """The parts of an ONNX file that are read."""

    properties: dict[str, str] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    fields: int = 0

    def read(self, stream: IO[bytes], size: int) -> None:
        for key, value in self._counted(stream, size, deep=(_GRAPH,)):
            if key == _PROPERTIES and isinstance(value, bytes):
                entry = dict(_of(value))
                self.properties[_text(entry.get(1))] = _text(entry.get(2))
            elif key == _GRAPH:
                self._read_graph(stream, int(value))

    def _read_graph(self, stream: IO[bytes], size: int) -> None:
        for key, value in self._counted(stream, size, deep=(_INITIALIZER,)):
            if key == _INITIALIZER:
                for inner, name in self._counted(stream, int(value)):
                    if inner == _NAME_OF_TENSOR:
                        self.weights.add(_text(name))
            elif key in (_INPUT, _OUTPUT) and isinstance(value, bytes):
                (self.inputs if key == _INPUT else self.outputs).append(_tensor(value))

    def _counted(self, stream: IO[bytes], size: int, deep: tuple[int, ...] = ()) -> Iterator[tuple[int, int | bytes]]:
        """Yield from :func:`message_fields`, up to a number of fields, also in small messages, that bounds the time.

        Raises:
            ValueError: if the file has more.
        """
        for item in message_fields(stream, size, deep):
            self.fields += 1 + (len(item[1]) // 4 if isinstance(item[1], bytes) and item[0] in _PARSED else 0)
            if self.fields > _MAX_FIELDS:
                raise ValueError(f"it has more than {_MAX_FIELDS:,} fields")
            yield item


def message_fields(stream: IO[bytes], size: int, deep: tuple[int, ...] = ()) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field in the next ``size`` bytes. Long fields are skipped.

    For fields in ``deep``, which are messages, the length is yielded instead of the value, and the caller may read that
    many bytes.

    Raises:
        ValueError: if the bytes are not a protocol buffer.
        IndexError: if they end within a number.
    """
    end = stream.tell() + size
    while stream.tell() < end:
        tag = _varint(stream)
        key, wire = tag >> 3, tag & 7
        if wire == _VARINT and key not in deep:
            yield key, _varint(stream)
        elif wire in (_FIXED64, _FIXED32):
            stream.seek(8 if wire == _FIXED64 else 4, io.SEEK_CUR)
        elif wire == _BYTES:
            length = _varint(stream)
            if stream.tell() + length > end:
                raise ValueError("a field is longer than its message")
            after = stream.tell() + length
            if key in deep:
                yield key, length
            elif length <= _SMALL:
                yield key, stream.read(length)
            stream.seek(after)
        else:
            raise ValueError(f"unknown wire type {wire}")


def _of(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    return message_fields(io.BytesIO(message), len(message))


def _varint(stream: IO[bytes]) -> int:
    value, shift = 0, 0
    while True:
        byte = stream.read(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7
        if shift > 63:
            raise ValueError("a varint is longer than 64 bits")


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _tensor(message: bytes) -> Tensor:
    """Read a ``ValueInfoProto``: name 1, type 2 → tensor type 1 → element type 1, shape 2 → dimension 1 → value 1."""
    name, kind, shape = "", 0, []
    for field_number, value in _of(message):
        if field_number == 1:
            name = _text(value)
        elif field_number == 2 and isinstance(value, bytes):
            for tensor in (inner for key, inner in _of(value) if key == 1 and isinstance(inner, bytes)):
                for key, inner in _of(tensor):
                    if key == 1 and isinstance(inner, int):
                        kind = inner
                    elif key == 2 and isinstance(inner, bytes):
                        shape = [_side(part) for one, part in _of(inner) if one == 1 and isinstance(part, bytes)]
    return Tensor(name, kind, tuple(shape))


def _side(message: bytes) -> int | None:
    values = [value for key, value in _of(message) if key == 1 and isinstance(value, int)]
    return values[0] if values and 0 < values[0] < 1 << 63 else None  # a negative number is a dynamic side


def _describe(path: Path, model: _Model, item_key: str) -> OnnxDescription:
    inputs = [tensor for tensor in model.inputs if tensor.name not in model.weights]
    name = path.name
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise BundleError(
            tr(
                "{name} has {inputs} inputs and {outputs} outputs.",
                name=name,
                inputs=len(inputs),
                outputs=len(model.outputs),
            ),
            tr("Choose a segmentation network with one input (pixels) and one output (scores of the classes)."),
        )
    (pixels,), (scores,) = inputs, model.outputs
    _check_tensors(name, pixels, scores)
    values = _Properties(name, model.properties)
    kind = values.get("model_type", "Segmentor")
    if kind != "Segmentor":
        raise BundleError(
            tr("{name} is a {kind!s:.60} model.", name=name, kind=kind), tr("Choose a segmentation model (Segmentor).")
        )
    gsd = values.number("resolution") / 100
    channels = pixels.shape[1]
    item = values.item(item_key)
    if (channels or 1) > MAX_BANDS:
        raise BundleError(
            tr(
                "{name} has {channels} input bands; the maximum is {limit}.",
                name=name,
                channels=channels,
                limit=MAX_BANDS,
            ),
            tr("Choose another model."),
        )
    bands = _bands(item, channels)
    fixed = pixels.shape[2]
    window = fixed or int(values.number("tile_size", values.number("tiles_size", 512)))
    if not gsd > 0 or not 1 <= window <= MAX_WINDOW:
        raise BundleError(
            tr(
                "{name} has a resolution of {resolution:g} cm and a tile size of {window} px; both must be "
                "positive, and the tile size at most {limit} px.",
                name=name,
                resolution=100 * gsd,
                window=window,
                limit=MAX_WINDOW,
            ),
            tr(_REMEDY),
        )
    return OnnxDescription(
        pixels,
        scores,
        _scheme(item, values.get("class_names", {}), scores.shape[1], name),
        bands,
        tuple(values.numbers("standardization_mean", len(bands), 0.0)),
        tuple(values.numbers("standardization_std", len(bands), 1.0)),
        gsd,
        window,
        fixed is not None,
        item,
    )


def _check_tensors(name: str, pixels: Tensor, scores: Tensor) -> None:
    if len(pixels.shape) != 4 or len(scores.shape) != 4 or pixels.kind != _FLOAT or pixels.shape[2] != pixels.shape[3]:
        raise BundleError(
            tr(
                "{name} has the input {pixels} and the output {scores}.",
                name=name,
                pixels=_shape_text(pixels),
                scores=_shape_text(scores),
            ),
            tr(
                "The input must be float32 of shape batch, bands, height, width (square), the output of shape "
                "batch, classes, height, width."
            ),
        )


def _shape_text(tensor: Tensor) -> str:
    shape = joined(tr("any") if side is None else side for side in tensor.shape)
    return tr("'{name}' of shape {shape}", name=tensor.name, shape=shape)


class _Properties:
    """Metadata entries of a file; values are JSON."""

    def __init__(self, name: str, properties: dict[str, str]) -> None:
        self._name, self._properties = name, properties

    def get(self, key: str, default: Any) -> Any:
        if key not in self._properties:
            return default
        try:
            return parse_json(self._properties[key])
        except ValueError:
            return self._properties[key]  # an unquoted string

    def item(self, key: str) -> dict[str, Any] | None:
        """Return the STAC item of this project, with its properties; None without one.

        Raises:
            ValueError: if it is not a STAC item.
        """
        if key not in self._properties:
            return None
        found = mapping(parse_json(self._properties[key]))
        mapping(found["properties"])
        return found

    def number(self, key: str, default: float | None = None) -> float:
        try:
            return number(self.get(key, default))
        except ValueError as error:
            raise BundleError(
                tr(
                    "{name} has no number under '{key}' in its metadata: {error}.",
                    name=self._name,
                    key=key,
                    error=error,
                ),
                tr(_REMEDY),
            ) from error

    def numbers(self, key: str, count: int, default: float) -> list[float]:
        value = self.get(key, [default] * count)
        try:
            found = [number(one) for one in array(value)]
        except ValueError:
            found = []
        if len(found) != count:
            raise BundleError(
                tr(
                    "{name} needs {count} numbers under '{key}', got {value!r:.80}.",
                    name=self._name,
                    count=count,
                    key=key,
                    value=value,
                ),
                tr(_REMEDY),
            )
        return found


def _bands(item: dict[str, Any] | None, channels: int | None) -> tuple[str, ...]:
    if item is not None:
        return tuple(text(band["name"]) for band in item["properties"]["bands"])
    count = channels or 3
    return tuple(_BANDS[:count]) if 3 <= count <= len(_BANDS) else tuple(f"band {n + 1}" for n in range(count))


def _scheme(item: dict[str, Any] | None, names: Any, channels: int | None, name: str) -> ClassScheme:
    if item is not None:
        return ClassScheme.from_json(item["properties"]["landcover:scheme"])
    if not isinstance(names, dict):
        raise BundleError(
            tr("The class names of {name} must be an object, got {names!r:.80}.", name=name, names=names), tr(_REMEDY)
        )
    if channels == 1 and len(names) == 1:  # one channel: foreground and background
        names = {"0": "Background", "1": next(iter(names.values()))}
    count = max(channels or len(names), 2)
    if count + 1 > 254:
        raise BundleError(
            tr("{name} has {count} classes; the maximum is 253.", name=name, count=count), tr("Choose another model.")
        )
    found = [str(names.get(str(number)) or f"Class {number}") for number in range(count)]
    classes = tuple(
        LandCoverClass(number + 1, text if found.count(text) == 1 else f"{text} {number}", _colour(number, count))
        for number, text in enumerate(found)
    )
    return ClassScheme(classes, LandCoverClass(count + 1, _unused("Unlabeled", found), "#9B9B9B"))


def _unused(text: str, taken: list[str]) -> str:
    return text if text not in taken else f"{text} (below the minimum confidence)"


def _colour(number: int, count: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(number / count, 0.55, 0.85)
    return f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"
