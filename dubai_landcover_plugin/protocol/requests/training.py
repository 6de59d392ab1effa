"""Training, evaluation and export of models, and data to try them: requests of training.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.labelling import START_HELP, LabelledData
from dubai_landcover_plugin.protocol.requests.options import OVERWRITE_HELP, option
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL
from dubai_landcover_plugin.protocol.translation import joined, tr

LENGTHS = ("quick", "normal", "long")
FORMATS = ("onnx", "openvino", "esri", "stac")
"""Forms of an exported model: ONNX with the metadata of Deepness, OpenVINO IR, Esri model definition, STAC item."""
_GSD_TITLE, _GSD_HELP = "Pixel size", "Of images without georeference; others state their own."


@dataclass(frozen=True)
class TrainRequest(Request):
    """A training with labelled rasters."""

    output: str = option(title="Trained model", help="The model file to write.", writes="model")
    data: LabelledData = field(default_factory=LabelledData)
    start: str = option(DEFAULT_MODEL, title="Start", help=START_HELP, metavar="MODEL")
    length: str = option(
        "quick",
        choices=LENGTHS,
        words=("Quick: a few labelled images", "Normal: dozens of labelled images", "Long: many, or a new network"),
        title="Length",
        help="quick: a few labelled images. normal, long: many, or a new network. The log says how many minutes it "
        "will take before it starts.",
    )
    estimate: bool = option(
        False, title="Only estimate the time", help="Check the data, measure a few steps, and stop before the training."
    )
    run: str | None = option(
        None,
        advanced=True,
        title="Folder of the run",
        help="Keeps checkpoints, log and pictures, from which a training can be resumed. By default a folder beside "
        "the model, removed after a complete training.",
        writes="folder",
    )
    resume: bool = option(
        False,
        advanced=True,
        title="Resume",
        help="Continue a training that was cancelled or interrupted, with the same data and folder of the run.",
    )
    curve: bool = option(
        False,
        advanced=True,
        title="Learning curve",
        help="Also train with a quarter and a half of the labelled images, to show whether more labels would help. "
        "Takes about three times as long.",
    )
    gsd: float | None = option(
        None, low=0, exclusive=True, unit="m/px", advanced=True, title=_GSD_TITLE, help=_GSD_HELP
    )
    seed: int = option(1, low=0, advanced=True, title="Random seed", help="Equal seeds give equal trainings.")
    report: str | None = option(
        None, proposed=True, title="Report", help="Page with the comparison, curves and pictures.", writes="page"
    )
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class TrainResult(Result):
    """A trained model.

    Args:
        output: The model file; None after an estimate.
        better: Whether it is better than its start on the held-out labels; None without a start.
        before: Mean IoU of the start on the held-out labels; None without.
        after: That of the training, also where the start is kept; None where nothing was held out.
        gain: Their difference; None without a start.
        error: Standard error of the gain; None where it is not known.
        worse: Names of held-out places that got worse.
        verdict: The comparison in words.
        steps: Steps done.
        planned: Steps of this length.
        minutes: Time of the training, min.
        estimated: Estimate before it began, min.
        cancelled: Whether it was cancelled before its end.
        curve: Share of the labelled images and mean IoU of each training of the learning curve.
        run: Folder of the run, if it was kept.
        report: The page; None without.
        warnings: Messages for the user.
    """

    output: str | None
    better: bool | None
    before: float | None
    after: float | None
    gain: float | None
    error: float | None
    worse: tuple[str, ...]
    verdict: str
    steps: int
    planned: int
    minutes: float
    estimated: float
    cancelled: bool = False
    curve: tuple[dict[str, Any], ...] = ()
    run: str | None = None
    report: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluateRequest(Request):
    """A comparison of a model with labels."""

    model: str = option(
        DEFAULT_MODEL,
        filled=True,
        title="Model",
        help="Name of an installed model, or path of a model file.",
        metavar="MODEL",
        example=DEFAULT_MODEL,
    )
    data: LabelledData = field(default_factory=LabelledData)
    gsd: float | None = option(
        None, low=0, exclusive=True, unit="m/px", advanced=True, title=_GSD_TITLE, help=_GSD_HELP
    )
    tta: bool = option(False, advanced=True, title="Test-time augmentation", help="As in a run; eight times as slow.")
    report: str | None = option(
        None,
        proposed=True,
        title="Report",
        help="Page with figures and their intervals, confusion and pictures.",
        writes="page",
    )
    table: str | None = option(None, title="Table", help="Figures of each class.", writes="table")
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class EvaluateResult(Result):
    """Figures of a model.

    Args:
        model: Its name.
        accuracy: Share of the labelled pixels that are right.
        miou: Mean IoU of the classes with labels.
        classes: IoU, precision, recall and F1 by class name.
        intervals: 95 % intervals of accuracy and mean IoU; empty with fewer than eight places.
        confusion: ``classes`` and ``counts``, pixels whose rows are labels and columns predictions.
        images: Number of labelled images.
        pixels: Number of labelled pixels.
        report: The page; None without.
        table: The table; None without.
        warnings: Messages for the user.
    """

    model: str
    accuracy: float | None
    miou: float | None
    classes: dict[str, Any]
    intervals: dict[str, Any]
    confusion: dict[str, Any]
    images: int
    pixels: int
    report: str | None = None
    table: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportRequest(Request):
    """An export of a model for other programs."""

    output: str = option(title="Folder", help="Folder for the files, named after the model.", writes="folder")
    model: str = option(
        DEFAULT_MODEL,
        filled=True,
        title="Model",
        help="Name of an installed model, or path of a .safetensors model file.",
        metavar="MODEL",
        example=DEFAULT_MODEL,
    )
    formats: tuple[str, ...] = option(
        ("onnx",),
        filled=True,
        title="Formats",
        help="onnx: for ONNX Runtime and the plugin Deepness. openvino: OpenVINO IR. esri: model definition (.emd) "
        "with ONNX and a Python raster function. stac: STAC item with the Machine Learning Model extension.",
        metavar="NAME",
        example="onnx",
    )
    any_size: bool = option(
        False,
        title="ONNX of any image size",
        help="For ONNX Runtime. Deepness needs a fixed size, that of the model's windows.",
    )
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown:
            raise RequestError(
                tr("There is no format {unknown}.", unknown=joined(unknown)),
                tr("Choose among {names}.", names=joined(FORMATS)),
            )


@dataclass(frozen=True)
class ExportResult(Result):
    """An exported model.

    Args:
        output: The folder.
        files: Paths of the files.
        agreement: Agreement of each computed form with the model, in words, by format.
    """

    output: str
    files: tuple[str, ...]
    agreement: dict[str, str]


@dataclass(frozen=True)
class SampleDataRequest(Request):
    """A synthetic scene with labels, to try a training."""

    output: str = option(title="Image", help="Raster of a synthetic town.", writes="raster")
    labels: str | None = option(
        None, title="Labels", help="Labels of some places of it, for a training.", writes="polygons", proposed=True
    )
    truth: str | None = option(None, title="Truth", help="Raster with the class of every pixel.", writes="raster")
    count: int = option(5, low=1, high=50, title="Labelled places", help="Squares that are labelled completely.")
    size: int = option(1536, low=256, high=4096, unit="px", title="Side of the image", help="Pixels of 1 m.")
    place: int = option(256, low=64, high=1024, unit="px", title="Side of a place", help="Of the labelled squares.")
    seed: int = option(7, low=0, title="Random seed", help="Each number is another town.")
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class SampleDataResult(Result):
    """A synthetic scene.

    Args:
        output: The image.
        labels: The labels; None without.
        truth: The raster of classes; None without.
        polygons: Number of labels.
        pixels: Labelled pixels by class name.
    """

    output: str
    labels: str | None
    truth: str | None
    polygons: int
    pixels: dict[str, int]
