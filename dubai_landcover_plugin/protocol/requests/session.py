"""Messages of a teaching session: an engine that stays, one raster, one model.

The plugin starts the worker with the task ``teach_session`` and an empty request. Each further line is one message,
``{"id": 7, "message": "view", "request": {...}}``; the engine answers each with lines that have its ``id``:
``progress`` and ``log``, and last ``result`` or ``error``. Messages are answered in order. ``{"cancel": true}`` cancels
all messages sent before it; they answer with the error ``cancelled``. After ``close`` and its result the worker exits.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import ordered_extent
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

TEACH_SESSION = "teach_session"
"""Name of the task."""
MAX_BRUSH = 1000.0
"""Largest width of a brush, px."""
MAX_VIEW = 16_000_000
"""Largest view, px at the resolution of the model."""


@dataclass(frozen=True)
class OpenSession(Request):
    """``open``: choose raster and model; replaces what was open.

    Args:
        input: Any raster that GDAL reads.
        options: Options of the run that views should equal. Its memory also limits the features that are kept.
    """

    input: str
    options: SegmentOptions = field(default_factory=SegmentOptions)


@dataclass(frozen=True)
class ViewRequest(Request):
    """``view``: classify a part of the raster.

    Args:
        extent: xmin, ymin, xmax, ymax in the raster's CRS.
        output: GeoTIFF of class ids to write; an existing one is replaced.
        pixel_size: Size of its pixels in units of the CRS; rounded to a multiple of the raster's. None for the
            raster's.
        confidence: GeoTIFF of the confidence (percent, 255 without data) to write, or None.
    """

    extent: tuple[float, float, float, float]
    output: str
    pixel_size: float | None = None
    confidence: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered_extent(self.extent)
        if self.pixel_size is not None and not self.pixel_size > 0:
            raise RequestError(tr("pixel_size must be above 0, got {pixel_size:g}.", pixel_size=self.pixel_size))


@dataclass(frozen=True)
class ProbeRequest(Request):
    """``probe``: probabilities at a place.

    Args:
        x: Easting in the raster's CRS.
        y: Northing in the raster's CRS.
    """

    x: float
    y: float


@dataclass(frozen=True)
class SuggestRequest(Request):
    """``suggest``: search the raster for the place that is worth a sample most.

    Args:
        visited: Places in the raster's CRS, x and y, that were shown before.
    """

    visited: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class SampleSpec(Request):
    """A sample in a ``teach`` message.

    Args:
        id: Identifies it; a sample with the same id is replaced.
        class_id: Raster id of its class.
        geometry: Point, line or polygon as WKT, in the raster's CRS.
        brush: Width of points and lines, px of the raster; 0 for the pixels that they touch.
    """

    id: str
    class_id: int
    geometry: str
    brush: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.brush <= MAX_BRUSH:
            raise RequestError(
                tr("brush must be in 0..{limit:g} px, got {brush:g}.", limit=MAX_BRUSH, brush=self.brush)
            )


@dataclass(frozen=True)
class TeachSamples(Request):
    """``teach``: add, replace and remove samples in one step, which ``undo`` takes back.

    Args:
        samples: Samples to add, as objects of :class:`SampleSpec`.
        remove: Ids of samples to remove.
        classes: New classes, as objects with ``id``, ``name`` and ``colour``.
    """

    samples: tuple[dict[str, Any], ...] = ()
    remove: tuple[str, ...] = ()
    classes: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class SaveModel(Request):
    """``save``: write the taught model as a model file.

    Args:
        output: The ``.safetensors`` file.
        title: Description in one sentence; empty takes the one of the source model with a note.
        overwrite: Whether an existing file may be replaced.
    """

    output: str
    title: str = ""
    overwrite: bool = False


@dataclass(frozen=True)
class NoOptions(Request):
    """``undo``, ``redo``, ``agreement`` and ``close`` have an empty request."""


MESSAGES: dict[str, type[Request]] = {
    "open": OpenSession,
    "view": ViewRequest,
    "probe": ProbeRequest,
    "suggest": SuggestRequest,
    "teach": TeachSamples,
    "undo": NoOptions,
    "redo": NoOptions,
    "agreement": NoOptions,
    "save": SaveModel,
    "close": NoOptions,
}
"""Messages of a session and their requests."""


@dataclass(frozen=True)
class Opened(Result):
    """Result of ``open``.

    Args:
        model: Name of the model.
        classes: Its classes, objects with ``id``, ``name`` and ``colour``.
        height: Rows of the raster.
        width: Columns of the raster.
        crs: CRS of the raster as WKT; None without one.
        transform: Affine transform of the raster: six numbers a to f.
        notes: Messages for the log.
        warnings: Warnings for the user.
    """

    model: str
    classes: tuple[dict[str, Any], ...]
    height: int
    width: int
    crs: str | None
    transform: tuple[float, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ViewResult(Result):
    """Result of ``view``.

    Args:
        output: The GeoTIFF of class ids.
        confidence: The GeoTIFF of the confidence, or None.
        height: Rows of the view.
        width: Columns of the view.
        pixels: Pixels by class name.
        changed: Share of the valid pixels whose class teaching has changed, 0..1.
        computed: Windows that were computed; the others were in memory.
        windows: All windows of the view.
        seconds: Time, s.
    """

    output: str
    confidence: str | None
    height: int
    width: int
    pixels: dict[str, int]
    changed: float
    computed: int
    windows: int
    seconds: float


@dataclass(frozen=True)
class Probed(Result):
    """Result of ``probe``.

    Args:
        probabilities: By class name, 0..1; empty outside of the raster and without data.
    """

    probabilities: dict[str, float]


@dataclass(frozen=True)
class Suggested(Result):
    """Result of ``suggest``.

    Args:
        extent: xmin, ymin, xmax, ymax of the place in the raster's CRS; empty if nothing is left.
        confidence: Mean confidence of the model there, percent.
        novelty: How far the ground is from that of the training, percent; None if the model does not know its ground.
        is_novel: Whether it counts as unlike that of the training.
        searched: Windows of the raster that were searched up to now.
        windows: All windows of the raster.
    """

    extent: tuple[float, ...]
    confidence: float
    novelty: float | None
    is_novel: bool
    searched: int
    windows: int


@dataclass(frozen=True)
class TeachState(Result):
    """Result of ``teach``, ``undo`` and ``redo``.

    Args:
        samples: Ids of the samples in use.
        counts: Number of samples by class name.
        can_undo: Whether there is a step to undo.
        can_redo: Whether there is a step to redo.
        seconds: Time, s.
        warnings: Warnings for the user.
    """

    samples: tuple[str, ...]
    counts: dict[str, int]
    can_undo: bool
    can_redo: bool
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement(Result):
    """Result of ``agreement``: mean share of a sample's pixels that have its class.

    Args:
        before: With the model before teaching, 0..1.
        after: With cross-validation: each sample is judged by a fit without it, 0..1.
        samples: Number of samples.
        classes: The same as ``after`` by class name.
        classes_before: The same as ``before`` by class name.
    """

    before: float
    after: float
    samples: int
    classes: dict[str, float]
    classes_before: dict[str, float]


@dataclass(frozen=True)
class Saved(Result):
    """Result of ``save``.

    Args:
        output: The model file.
        model_hash: Its SHA-256, hexadecimal.
    """

    output: str
    model_hash: str
