"""A model from a raster and labels: the request of ``landcover teach``.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.requests.options import option
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import MAX_BRUSH

UNUSED_OPTIONS = ("device", "tta", "min_confidence", "min_area", "simplify", "cog", "keep")
"""Options of a segmentation that teaching does not have."""


@dataclass(frozen=True)
class TeachRequest(Request):
    """Teaching of a model with the labels of a layer."""

    input: str = option(
        title="Raster",
        help="Image that the labels were drawn on: any raster that GDAL reads.",
        reads="raster",
    )
    labels: str = option(
        title="Labels",
        help="Points, lines or polygons with a class, on the raster; any vector file. The attribute brush, if there is "
        "one, is the width of points and lines, px. Corrections are labels of the class that they set; those of one "
        "class count for the pixels to which the model gives that class.",
        reads="features",
    )
    output: str = option(
        title="Taught model", help="The model file to write, which all tools run like any other.", writes="model"
    )
    class_field: str | None = option(
        None,
        filled=True,
        title="Field with the class",
        help="Attribute of the labels with the name or id of a class of the model; labels without one are left out. By "
        "default class, or to where there is no class, as in a layer of corrections.",
        metavar="NAME",
        example="class",
    )
    brush: float = option(
        3.0,
        low=0,
        high=MAX_BRUSH,
        unit="px",
        title="Width of points and lines",
        help="Points and lines without the attribute brush cover the pixels within half of this width; 0 takes those "
        "that they touch.",
    )
    model_title: str | None = option(
        None,
        advanced=True,
        title="Title of the model",
        help="Description of the taught model in one sentence. By default that of the source model with a note.",
        metavar="TEXT",
    )
    new_classes: tuple[str, ...] = option(
        (),
        title="New classes",
        help="Names of classes that the model does not have, with a colour if wanted, such as Lawn=#7CFC00.",
        metavar="NAME",
        example="Lawn",
    )
    options: SegmentOptions = field(default_factory=SegmentOptions)


@dataclass(frozen=True)
class TeachResult(Result):
    """A taught model.

    Args:
        output: The model file.
        model_hash: Its SHA-256, hexadecimal.
        source: Name of the source model.
        samples: Number of labels used by class name.
        before: Mean share of a label's pixels that have its class with the source model, 0..1.
        after: The same in cross-validation: each label is judged by a fit without it; None for a single label.
        classes: ``before`` and ``after`` of each class with labels.
        seconds: Time, s.
        warnings: Messages for the user.
    """

    output: str
    model_hash: str
    source: str
    samples: dict[str, int]
    before: float
    after: float | None
    classes: dict[str, Any]
    seconds: float
    warnings: tuple[str, ...] = ()
