"""Segmentation of a raster: options, request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dubai_landcover_plugin.protocol.classes import COLOURS, NATURAL
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    OVERWRITE_HELP,
    building_class_option,
    buildings_option,
    min_area_option,
    option,
    ordered_extent,
    polygons_option,
    road_class_option,
    roads_option,
    simplify_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result, nested
from dubai_landcover_plugin.protocol.translation import tr

DEVICES = ("auto", "cpu", "cuda", "mps", "intel-gpu", "directml")
RUNTIMES = ("auto", "openvino", "torch", "onnxruntime")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
GSD_MODES = ("auto", "never")
STRETCHES = ("auto", "match", "percentiles", "none")
ALPHAS = ("auto", "yes", "no")
LEAST_MEMORY = 256  # MB
DEFAULT_MODEL = "world"


@nested
@dataclass(frozen=True)
class SegmentOptions(Request):
    """Options of a segmentation that do not depend on the raster."""

    model: str = option(
        DEFAULT_MODEL,
        filled=True,
        title="Model",
        help="Name of an installed model, or path of a model file.",
        metavar="NAME|FILE",
        example=DEFAULT_MODEL,
    )
    bands: tuple[int, ...] | None = option(
        None,
        advanced=True,
        section="Image",
        low=1,
        filled=True,
        title="Bands, in the order of the model's inputs",
        help="Band numbers, counted from 1, in the order of the model's inputs. By default bands are found by their "
        "names, then by their colour interpretation, then by their numbers in the training rasters if the model "
        "records them. Red, green and blue are else the first ones, with a warning; other bands are asked for.",
        metavar="N",
        example="1 2 3",
    )
    min_confidence: float = option(
        0.0,
        advanced=True,
        section="Result",
        low=0,
        high=1,
        title="Minimum confidence",
        help="Pixels below this confidence (0–1) become Unlabeled. 0 labels every pixel; 0.6 leaves out the pixels "
        "that the model is unsure of.",
    )
    window: int | None = option(
        None,
        low=16,
        high=8192,
        unit="px",
        advanced=True,
        section="Computing",
        title="Window size",
        help="Side of the square windows that are computed one by one. By default a size close to the model's that "
        "fits the raster. Lower it if memory runs out.",
    )
    overlap: int | None = option(
        None,
        low=0,
        high=4096,
        unit="px",
        advanced=True,
        section="Computing",
        title="Overlap",
        help="Overlap of neighbouring windows, at most half a window. By default as much as is needed to avoid seams.",
    )
    batch: int | None = option(
        None,
        low=1,
        unit="windows",
        advanced=True,
        section="Computing",
        title="Batch size",
        help="Windows per forward pass. By default a number that suits the device. Lower it if memory runs out.",
    )
    memory: int | None = option(
        None,
        low=LEAST_MEMORY,
        unit="MB",
        advanced=True,
        section="Computing",
        title="Memory",
        help="Memory limit of the run; by default half of the free memory. A low limit makes the run slower and does "
        "not change the classes.",
    )
    device: str = option(
        "auto",
        choices=DEVICES,
        words=(
            "Automatic",
            "Processor",
            "NVIDIA graphics card (CUDA)",
            "Apple graphics (MPS)",
            "Intel graphics",
            "Graphics card of Windows (DirectML)",
        ),
        advanced=True,
        section="Computing",
        title="Device",
        help="Device to compute on. auto takes a graphics card of NVIDIA (cuda), Apple (mps) or Intel (intel-gpu) if "
        "one is available and faster, else the processor (cpu).",
    )
    runtime: str = option(
        "auto",
        choices=RUNTIMES,
        words=("Automatic", "OpenVINO", "PyTorch", "ONNX Runtime"),
        advanced=True,
        section="Computing",
        title="Runtime",
        help="Library that computes the network. auto tries the installed ones on a few windows of the raster and "
        "takes the fastest whose classes agree with those in float32.",
    )
    precision: str = option(
        "auto",
        choices=PRECISIONS,
        words=("Automatic", "float32, the reference", "bfloat16", "float16", "int8, fast on processors"),
        advanced=True,
        section="Computing",
        title="Precision",
        help="Arithmetic of the network. auto takes bfloat16 or float16 where the device computes it well and the "
        "classes are as good, else float32, the reference. int8 is faster on processors, with models that have an int8 "
        "graph, as the shipped ones do; some classes at borders differ.",
    )
    tta: bool = option(
        False,
        advanced=True,
        section="Computing",
        title="Test-time augmentation",
        help="Average the predictions for each window rotated by 0, 90, 180 and 270 degrees. About four times slower, "
        "slightly more accurate.",
    )
    gsd_mode: str = option(
        "auto",
        choices=GSD_MODES,
        key="MATCH_GSD",
        checkbox=("never", "auto"),
        advanced=True,
        section="Image",
        title="Read at the model's ground sampling distance",
        help="Whether to resample a raster while reading if its pixels are more than 1.5 times finer or coarser than "
        "those of the model's training data. The result has the raster's own pixels in both cases.",
    )
    gsd: float | None = option(
        None,
        low=1e-4,
        unit="m/px",
        advanced=True,
        section="Image",
        title="Ground sampling distance",
        help="Pixel size of the input on the ground, for rasters whose georeference is missing or wrong. By default "
        "it is computed from the georeference.",
    )
    crs: str | None = option(
        None,
        key=None,
        title="CRS",
        help="Coordinate reference system that overrides the file's, in any form that PROJ reads, such as EPSG:32640.",
    )
    nodata: float | None = option(
        None,
        advanced=True,
        section="Image",
        title="Additional nodata value",
        help="Pixels with this value in all bands are left out, in addition to the nodata value of the file. NaN is "
        "always nodata.",
    )
    alpha: str = option(
        "auto",
        choices=ALPHAS,
        words=("Automatic", "Masks pixels", "Is data"),
        advanced=True,
        section="Image",
        title="Alpha band",
        help="Whether a band that the file calls alpha masks pixels. auto uses it if nearly all its values are "
        "transparent or opaque, which near infrared is not; no, or its number among the bands, reads it as data.",
    )
    stretch: str = option(
        "auto",
        choices=STRETCHES,
        words=(
            "Automatic",
            "Match the training images",
            "2nd to 98th percentile of each band",
            "None: full range of the data type",
        ),
        advanced=True,
        section="Image",
        title="Stretch to 8 bits",
        help="match stretches the raster to the brightness of the model's training images; percentiles stretches each "
        "band from its 2nd to its 98th percentile; none uses the full range of the data type. auto is match for "
        "16-bit and float rasters, and for 8-bit ones that are clearly dark or in haze; other 8-bit rasters stay as "
        "they are. For a model without statistics of its training images, match is percentiles.",
    )
    limits: tuple[tuple[float, float], ...] | None = option(
        None,
        filled=True,
        advanced=True,
        section="Image",
        title="Stretch limits",
        help="A low and a high value for each band. They replace the stretch.",
        metavar="LOW:HIGH",
        example="0:3000 0:3000 0:2500",
    )
    pixel_space: bool = option(
        False,
        advanced=True,
        section="Image",
        title="Accept rasters with ground control points only",
        help="Classify a raster that has ground control points and no transform in pixel coordinates; the result has "
        "no CRS and no areas. Without this option such a raster is refused.",
    )
    min_area: float = min_area_option(advanced=True, section="Result")
    simplify: float = simplify_option(advanced=True, section="Result")
    colours: str = option(
        NATURAL,
        choices=COLOURS,
        key=None,
        title="Colours",
        help="Colours of the classes in all files of the result: natural (water blue, land sand, road grey, building "
        "red, vegetation green) or those of the Dubai dataset. Classes with colours of their own keep them.",
    )
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)
    cog: bool = option(
        False,
        advanced=True,
        section="Result",
        title="Cloud-optimised GeoTIFF",
        help="Write the rasters as cloud-optimised GeoTIFFs, which can be read in parts over the network.",
    )
    keep: bool = option(
        False,
        advanced=True,
        section="Computing",
        title="Keep unfinished work when cancelled",
        help="On interrupt keep the finished rows, so that the same run with the same output resumes. After a crash "
        "or a power cut it resumes in any case.",
    )
    second: str | None = option(
        None,
        advanced=True,
        section="Image",
        title="Second raster",
        help="Raster with further bands for models that read them, such as a height model, on any grid and in any CRS. "
        "Its bands are resampled to the pixels of the first raster and count after its bands. Pixels without data in "
        "it have none in the result. For a folder, one raster or VRT that covers all images.",
        reads="raster",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None and self.overlap is not None and self.overlap > self.window // 2:
            raise RequestError(
                tr(
                    "The overlap must be at most half the window, {most} px, got {overlap} px.",
                    most=self.window // 2,
                    overlap=self.overlap,
                ),
                tr("Lower the overlap or raise the window."),
            )


@dataclass(frozen=True)
class SegmentationRequest(Request):
    """Segmentation of one raster."""

    input: str = option(title="Raster", help="Image to classify: any raster that GDAL reads.", reads="raster")
    output: str = option(title="Land cover", help="The classified raster, a GeoTIFF of class ids.", writes="raster")
    options: SegmentOptions = field(default_factory=SegmentOptions)
    extent: tuple[float, float, float, float] | None = option(
        None,
        title="Extent",
        help="Part of the raster to classify, in the raster's CRS. By default all of it.",
        metavar="XMIN YMIN XMAX YMAX",
    )
    within: str | None = option(
        None,
        title="Area of interest",
        help="Only pixels with their centre in one of these polygons are classified, the others become no data. "
        "Windows without such a pixel are not computed. By default the whole raster.",
        reads="polygons",
    )
    polygons: str | None = polygons_option(proposed=True)
    buildings: str | None = buildings_option()
    roads: str | None = roads_option()
    confidence: str | None = option(
        None,
        title="Confidence",
        help="Confidence raster: the highest probability of each pixel, in percent.",
        writes="raster",
    )
    novelty: str | None = option(
        None,
        key="NOVELTY_RASTER",
        title="Novelty",
        help="Novelty raster: how far the ground is from the training images of the model, in percent, in cells of "
        "32 px at the model's ground sampling distance. 50 is ground like that of the training.",
        writes="raster",
    )
    probabilities: str | None = option(
        None,
        title="Probabilities",
        help="Probability raster: a band for each class, in percent, named like the class. Reclassify Probabilities "
        "makes other classes of it, with weights and thresholds, without a new run.",
        writes="raster",
    )
    report: str | None = option(
        None,
        title="Report",
        help="Web page with map, areas and chart, as Land Cover Report writes it; with a confidence raster also an "
        "estimate of the errors.",
        writes="page",
    )
    building_class: str = building_class_option("model", "Result")
    road_class: str = road_class_option("model", "Result")
    source: str = option(
        "",
        key=None,
        title="Name of the image",
        help="Name of the image in the attributes of polygons. By default the name of its file.",
        metavar="TEXT",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered_extent(self.extent)


@dataclass(frozen=True)
class SegmentationResult(Result):
    """Outputs and figures of a run.

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
        device: Device of the computation.
        precision: Arithmetic used.
        model_hash: SHA-256 of the bundle, hexadecimal.
        runtime: Library that computed the network.
        warnings: Messages for the user.
        buildings: The vector file of buildings, or None.
        roads: The vector file of the road network, or None.
        measured_on: Surface on which areas and lengths are measured: ``plane`` of the CRS or WGS 84 ``ellipsoid``; None
            without a CRS.
        stretch: Values of each band that became 0 and 255; None where 8-bit values were not changed.
        novelty: How far the ground is from the training images, percent; None where it is not known.
        usual_novelty: Largest value of nearly all training images; above it, :attr:`warnings` says so.
        unlike_ground: Share of the ground whose own novelty is larger than the usual one, percent.
        novelty_raster: The novelty GeoTIFF, or None.
        probabilities: The GeoTIFF of probabilities, or None.
        area_polygons: Number of polygons of the area of interest; None without.
        area_hash: SHA-256 of their outlines on the raster, hexadecimal; None without.
        bands: Which bands were read as what, and how they were found, one sentence; empty in earlier records.
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
    measured_on: str | None = None
    stretch: tuple[tuple[float, float], ...] | None = None
    novelty: float | None = None
    usual_novelty: float | None = None
    unlike_ground: float | None = None
    novelty_raster: str | None = None
    probabilities: str | None = None
    area_polygons: int | None = None
    area_hash: str | None = None
    bands: str = ""

    @property
    def is_novel(self) -> bool:
        """Whether the ground is unlike the training images, so that the run warned of it."""
        return self.novelty is not None and self.usual_novelty is not None and self.novelty > self.usual_novelty
