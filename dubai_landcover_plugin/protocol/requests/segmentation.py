"""Requests to segment a raster or a folder, and the result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import (
    VECTOR_SUFFIXES,
    Request,
    Result,
    at_least,
    nested,
    one_of,
    vector_path,
)

DEVICES = ("auto", "cpu", "cuda", "mps", "intel-gpu", "directml")
RUNTIMES = ("auto", "openvino", "torch", "onnxruntime")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
GSD_MODES = ("auto", "never")
STRETCHES = ("auto", "none")
VECTOR_OUTPUTS = ("polygons", "buildings", "roads")
OUTPUTS = ("output", "confidence", *VECTOR_OUTPUTS, "report")
"""Keys of a request that name files to write."""
LEAST_MEMORY = 256  # MB
DEFAULT_MODEL = "dubai"


@nested
@dataclass(frozen=True)
class SegmentOptions(Request):
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
        super().__post_init__()
        one_of("device", self.device, DEVICES)
        one_of("runtime", self.runtime, RUNTIMES)
        one_of("precision", self.precision, PRECISIONS)
        one_of("gsd_mode", self.gsd_mode, GSD_MODES)
        one_of("stretch", self.stretch, STRETCHES)
        at_least("min_confidence", self.min_confidence, 0, 1)
        at_least("window", self.window, 16, 8192)
        at_least("overlap", self.overlap, 0)
        at_least("batch", self.batch, 1)
        at_least("memory", self.memory, LEAST_MEMORY)
        at_least("gsd", self.gsd, 1e-6)
        at_least("min_area", self.min_area, 0)
        at_least("simplify", self.simplify, 0)
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
class SegmentationRequest(Request):
    """One raster to segment.

    Args:
        input: Path of anything GDAL reads.
        output: Path of the classified GeoTIFF.
        options: How to segment.
        extent: xmin, ymin, xmax, ymax in the raster's CRS; None takes all of it.
        confidence: Path of the confidence GeoTIFF (highest probability, percent), or None.
        polygons: Path of the vector file of all classes, or None.
        buildings: Path of the vector file of buildings with right angles, or None.
        roads: Path of the vector file of the road network, or None.
        report: Path of the HTML report, or None.
    """

    input: str
    output: str
    options: SegmentOptions = field(default_factory=SegmentOptions)
    extent: tuple[float, float, float, float] | None = None
    confidence: str | None = None
    polygons: str | None = None
    report: str | None = None
    buildings: str | None = None
    roads: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output:
            raise RequestError("An input and an output path are needed.")
        for name in ("output", "confidence"):
            path = getattr(self, name)
            if path is not None and not path.lower().endswith((".tif", ".tiff")):
                raise RequestError(f"{name} must end in .tif, got '{path}'.")
        for name in VECTOR_OUTPUTS:
            vector_path(name, getattr(self, name))
        if self.report is not None and not self.report.lower().endswith((".html", ".htm")):
            raise RequestError(f"report must end in .html, got '{self.report}'.")
        if self.extent is not None:
            west, south, east, north = self.extent
            if not (west < east and south < north):
                raise RequestError(
                    f"The extent must be xmin < xmax and ymin < ymax, got {west:g}, {south:g}, {east:g}, {north:g}."
                )
        outputs = [path for path in (getattr(self, name) for name in OUTPUTS) if path]
        if len(set(outputs)) != len(outputs):
            raise RequestError(f"Outputs need different paths, got {', '.join(outputs)}.")


@dataclass(frozen=True)
class FolderRequest(Request):
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
        super().__post_init__()
        if not self.folder or not self.output_folder:
            raise RequestError("A folder of rasters and an output folder are needed.")
        if not [part for part in self.pattern.split(";") if part.strip()]:
            raise RequestError("The file name pattern is empty.", "Give one such as *.tif.")
        if self.polygons is not None:
            one_of("polygons", self.polygons, tuple(VECTOR_SUFFIXES))


@dataclass(frozen=True)
class SegmentationResult(Result):
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
        buildings: The vector file of buildings, or None.
        roads: The vector file of the road network, or None.
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
    buildings: str | None = None
    roads: str | None = None


@dataclass(frozen=True)
class FolderResult(Result):
    """What became of a folder of rasters.

    Args:
        manifest_csv: The table of all rasters.
        manifest_json: The same as JSON.
        done: How many were segmented.
        skipped: How many were done already.
        failed: How many failed.
        items: Each raster: ``input``, ``output``, ``status``, ``message``, ``seconds``, ``area_m2``, ``pixels``.
    """

    manifest_csv: str
    manifest_json: str
    done: int
    skipped: int
    failed: int
    items: tuple[dict[str, Any], ...] = ()
