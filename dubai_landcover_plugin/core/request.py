"""Requests and results: the one value that crosses from QGIS, shell or test to the engine.

Standard library only. JSON in, JSON out; unknown keys are refused.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Callable, TypeVar

from dubai_landcover_plugin.core.errors import RequestError

DEVICES = ("auto", "cpu", "cuda", "mps", "intel-gpu", "directml")
RUNTIMES = ("auto", "openvino", "torch", "onnxruntime")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
GSD_MODES = ("auto", "never")
STRETCHES = ("auto", "none")
VECTOR_SUFFIXES = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}
LEAST_MEMORY = 256  # MB
DEFAULT_MODEL = "dubai"

_Request = TypeVar("_Request")
_Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    whole_or_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole_or_real and abs(value) <= sys.float_info.max  # no NaN passes


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(check: _Check, length: int | None = None) -> _Check:
    def is_list(value: Any) -> bool:
        return isinstance(value, (tuple, list)) and length in (None, len(value)) and all(map(check, value))

    return is_list


def _table_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(check, value.values()))


_KINDS: dict[str, tuple[_Check, str]] = {  # by annotation: how to tell, and what the user reads
    "str": (_is_text, "a text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a finite number"),
    "None": (lambda value: value is None, "null"),
    "tuple[int, ...]": (_list_of(_is_whole), "a list of whole numbers"),
    "tuple[str, ...]": (_list_of(_is_text), "a list of texts"),
    "tuple[float, float, float, float]": (_list_of(_is_number, 4), "a list of 4 finite numbers"),
    "tuple[tuple[float, float], ...]": (_list_of(_list_of(_is_number, 2)), "a list of pairs of finite numbers"),
    "dict[str, int]": (_table_of(_is_whole), "an object of whole numbers"),
    "dict[str, float]": (_table_of(_is_number), "an object of finite numbers"),
    "SegmentOptions": (lambda value: isinstance(value, SegmentOptions), "an object of options"),
}


def _check_types(value: Any) -> None:
    """Refuse a field whose value is not of its annotated type."""
    for item in fields(value):
        kinds = [_KINDS[kind] for kind in str(item.type).split(" | ")]
        given = getattr(value, item.name)
        if not any(check(given) for check, _ in kinds):
            expected = " or ".join(text for _, text in kinds)
            raise RequestError(f"{item.name} must be {expected}, got {given!r:.100}.")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RequestError(f"{name} must be one of {', '.join(allowed)}, got '{value}'.")


def _at_least(name: str, value: float | None, low: float, high: float = math.inf) -> None:
    if value is not None and not low <= value <= high:
        limit = f"at least {low:g}" if high == math.inf else f"in {low:g}..{high:g}"
        raise RequestError(f"{name} must be {limit}, got {value:g}.")


def _vector_path(name: str, path: str | None) -> None:
    if path is not None and not path.endswith(tuple(VECTOR_SUFFIXES)):
        raise RequestError(f"{name} must end in {', '.join(VECTOR_SUFFIXES)}, got '{path}'.")


@dataclass(frozen=True)
class SegmentOptions:
    """How to segment, whatever the raster.

    Args:
        model: Name of an installed bundle or path of one.
        bands: 1-based bands in the order the model wants; None finds them by colour interpretation.
        min_confidence: Pixels whose highest probability is lower become Unlabeled, 0..1.
        window: Side of a window, px; None takes one near the model's that fits the raster.
        overlap: What neighbouring windows share, px; None takes what hides seams.
        batch: Windows per forward pass; None chooses.
        memory: What the run may take, MB; None takes half of what is free. Changes no class.
        device: Where to compute.
        runtime: What computes the network; ``auto`` takes the fastest whose classes are those of PyTorch in float32.
        precision: Arithmetic of the network.
        tta: Test-time augmentation: average the answers for each window turned by 0, 90, 180 and 270 degrees.
        gsd_mode: ``auto`` reads at the model's ground sampling distance when the raster's differs by more than
            1.5 times; ``never`` reads the pixels as they are.
        gsd: Ground sampling distance of the input, m/px, where the file does not tell or tells wrong.
        crs: Coordinate reference system that overrides the file's, anything PROJ reads.
        nodata: Finite value that counts as nodata on top of what the file says; NaN always does.
        stretch: ``auto`` stretches 16-bit and float rasters to their 2nd and 98th percentile; ``none`` takes the
            full range of the type.
        limits: Explicit stretch, a low and a high value for each band.
        pixel_space: Accept a raster with ground control points but no transform, and work in pixels.
        min_area: Smallest polygon kept, m² (px without a CRS).
        simplify: Tolerance of the polygon outlines, m (px without a CRS); 0 keeps pixel edges.
        overwrite: Replace outputs that exist.
        cog: Lay the rasters out as cloud-optimised GeoTIFFs.
        keep: Keep what is finished when the run is cancelled, so that the same run can go on from there.
    """

    model: str = DEFAULT_MODEL
    bands: tuple[int, ...] | None = None
    min_confidence: float = 0.0
    window: int | None = None
    overlap: int | None = None
    batch: int | None = None
    memory: int | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    tta: bool = False
    gsd_mode: str = "auto"
    gsd: float | None = None
    crs: str | None = None
    nodata: float | None = None
    stretch: str = "auto"
    limits: tuple[tuple[float, float], ...] | None = None
    pixel_space: bool = False
    min_area: float = 20.0
    simplify: float = 2.0
    overwrite: bool = False
    cog: bool = False
    keep: bool = False

    def __post_init__(self) -> None:
        _check_types(self)
        _one_of("device", self.device, DEVICES)
        _one_of("runtime", self.runtime, RUNTIMES)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("gsd_mode", self.gsd_mode, GSD_MODES)
        _one_of("stretch", self.stretch, STRETCHES)
        _at_least("min_confidence", self.min_confidence, 0, 1)
        _at_least("window", self.window, 16, 8192)
        _at_least("overlap", self.overlap, 0)
        _at_least("batch", self.batch, 1)
        _at_least("memory", self.memory, LEAST_MEMORY)
        _at_least("gsd", self.gsd, 1e-6)
        _at_least("min_area", self.min_area, 0)
        _at_least("simplify", self.simplify, 0)
        if self.window is not None and self.overlap is not None and self.overlap > self.window // 2:
            raise RequestError(
                f"The overlap must be at most half the window, {self.window // 2} px, got {self.overlap} px.",
                "Lower the overlap or raise the window.",
            )
        if self.bands is not None and (not self.bands or min(self.bands) < 1):
            raise RequestError(f"Bands count from 1, got {list(self.bands)}.")
        if not self.model:
            raise RequestError("A model is needed.", "Give the name of an installed model or a file.")


@dataclass(frozen=True)
class SegmentationRequest:
    """One raster to segment.

    Args:
        input: Path of anything GDAL reads.
        output: Path of the classified GeoTIFF.
        options: How to segment.
        extent: xmin, ymin, xmax, ymax in the raster's CRS; None takes all of it.
        confidence: Path of the confidence GeoTIFF (highest probability, percent), or None.
        polygons: Path of the vector file of all classes, or None.
        report: Path of the HTML report, or None.
    """

    input: str
    output: str
    options: SegmentOptions = field(default_factory=SegmentOptions)
    extent: tuple[float, float, float, float] | None = None
    confidence: str | None = None
    polygons: str | None = None
    report: str | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        if not self.input or not self.output:
            raise RequestError("An input and an output path are needed.")
        for name in ("output", "confidence"):
            path = getattr(self, name)
            if path is not None and not path.lower().endswith((".tif", ".tiff")):
                raise RequestError(f"{name} must end in .tif, got '{path}'.")
        _vector_path("polygons", self.polygons)
        if self.report is not None and not self.report.lower().endswith((".html", ".htm")):
            raise RequestError(f"report must end in .html, got '{self.report}'.")
        if self.extent is not None:
            west, south, east, north = self.extent
            if not (west < east and south < north):
                raise RequestError(
                    f"The extent must be xmin < xmax and ymin < ymax, got {west:g}, {south:g}, {east:g}, {north:g}."
                )
        outputs = [path for path in (self.output, self.confidence, self.polygons, self.report) if path]
        if len(set(outputs)) != len(outputs):
            raise RequestError(f"Outputs need different paths, got {', '.join(outputs)}.")

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SegmentationRequest:
        """Rebuild a request from :meth:`to_json`.

        Raises:
            RequestError: for unknown keys, missing keys and values out of range.
        """
        return _from_json(cls, value)


@dataclass(frozen=True)
class BatchRequest:
    """A folder of rasters to segment.

    Args:
        folder: Where the rasters are.
        output_folder: Where the results go; its tree mirrors that of ``folder``.
        pattern: File name pattern; several are separated by ``;``.
        recursive: Whether to look into folders inside the folder.
        polygons: Suffix of a vector file made for each raster (``.gpkg``…), or None.
        confidence: Whether to write confidence rasters too.
        report: Whether to write an HTML report for each raster.
        redo: Segment again what is done already.
        options: How to segment.
    """

    folder: str
    output_folder: str
    pattern: str = "*.tif;*.tiff;*.vrt;*.jp2;*.img"
    recursive: bool = False
    polygons: str | None = None
    confidence: bool = False
    report: bool = False
    redo: bool = False
    options: SegmentOptions = field(default_factory=SegmentOptions)

    def __post_init__(self) -> None:
        _check_types(self)
        if not self.folder or not self.output_folder:
            raise RequestError("A folder of rasters and an output folder are needed.")
        if not [part for part in self.pattern.split(";") if part.strip()]:
            raise RequestError("The file name pattern is empty.", "Give one such as *.tif.")
        _vector_path("polygons", self.polygons)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BatchRequest:
        """Rebuild a request from :meth:`to_json`; see :meth:`SegmentationRequest.from_json`."""
        return _from_json(cls, value)


@dataclass(frozen=True)
class PolygonsRequest:
    """Class polygons of a classified raster, one vector file for each class.

    Args:
        input: Path of a classified raster.
        output_folder: Folder of the vector files, named after the classes.
        classes: Names or ids of the classes wanted.
        suffix: ``.shp``, ``.gpkg``, ``.geojson`` or ``.fgb``.
        min_area: Smallest polygon kept, m² (px without a CRS).
        simplify: Tolerance of the outlines, m (px without a CRS); 0 keeps pixel edges.
        overwrite: Replace outputs that exist.
    """

    input: str
    output_folder: str
    classes: tuple[str, ...] = ("Building", "Road")
    suffix: str = ".shp"
    min_area: float = 20.0
    simplify: float = 2.0
    overwrite: bool = False

    def __post_init__(self) -> None:
        _check_types(self)
        if not self.input or not self.output_folder:
            raise RequestError("A classified raster and an output folder are needed.")
        if not self.classes:
            raise RequestError("No class was chosen.", "Choose at least one, for example Building.")
        _one_of("suffix", self.suffix, tuple(VECTOR_SUFFIXES))
        _at_least("min_area", self.min_area, 0)
        _at_least("simplify", self.simplify, 0)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PolygonsRequest:
        """Rebuild a request from :meth:`to_json`; see :meth:`SegmentationRequest.from_json`."""
        return _from_json(cls, value)


@dataclass(frozen=True)
class SegmentationResult:
    """What one run made.

    Args:
        output: The classified GeoTIFF.
        record: The JSON run record beside it.
        confidence: The confidence GeoTIFF, or None.
        polygons: The vector file, or None.
        report: The HTML report, or None.
        height: Rows of the result.
        width: Columns of the result.
        pixels: Pixels for each class name.
        area_m2: Square metres for each class name; None without a CRS.
        valid_pixels: Pixels with a class.
        windows: Windows computed; empty ones are not counted.
        seconds: Wall time from opening the input to the verified output.
        device: Where it was computed.
        precision: Arithmetic used.
        model_hash: SHA-256 of the bundle, hexadecimal.
        runtime: What computed the network.
        warnings: What the user should know.
    """

    output: str
    record: str
    confidence: str | None
    polygons: str | None
    report: str | None
    height: int
    width: int
    pixels: dict[str, int]
    area_m2: dict[str, float] | None
    valid_pixels: int
    windows: int
    seconds: float
    device: str
    precision: str
    model_hash: str
    runtime: str = "torch"
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_types(self)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SegmentationResult:
        """Rebuild a result from :meth:`to_json`; see :meth:`SegmentationRequest.from_json`."""
        return _from_json(cls, value)


def _from_json(cls: type[_Request], value: Mapping[str, Any]) -> _Request:
    """Build ``cls`` from plain JSON: lists become tuples, ``options`` its own class."""
    if not isinstance(value, Mapping):
        raise RequestError(f"{cls.__name__} must be an object, got {value!r:.100}.")
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(map(str, set(value) - set(known)))
    if unknown:
        raise RequestError(
            f"Unknown keys in {cls.__name__}: {', '.join(unknown)}.", f"Known: {', '.join(sorted(known))}."
        )
    needed = [name for name, item in known.items() if item.default is MISSING and item.default_factory is MISSING]
    missing = [name for name in needed if name not in value]
    if missing:
        raise RequestError(f"Missing keys in {cls.__name__}: {', '.join(missing)}.", "Add them.")
    arguments = {key: _frozen(item) for key, item in value.items()}
    if isinstance(arguments.get("options"), Mapping):
        arguments["options"] = _from_json(SegmentOptions, arguments["options"])
    return cls(**arguments)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def dumps(value: Any, indent: int | None = None) -> str:
    """Return key-sorted JSON, compact unless indented: equal requests give equal text.

    Raises:
        ValueError: for NaN and infinity, which JSON has not.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(value, sort_keys=True, separators=separators, indent=indent, ensure_ascii=False, allow_nan=False)
