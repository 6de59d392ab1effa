"""Labelled images, a layer to draw labels on, and the check of labels: requests of training.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import OVERWRITE_HELP, option
from dubai_landcover_plugin.protocol.requests.request import Request, Result, nested
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL, SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

SAMPLINGS = ("uncertain", "spread")
"""How places to label are chosen."""
UNUSED_OPTIONS = ("device", "tta", "min_confidence", "min_area", "simplify", "cog", "keep")
"""Options of a segmentation that a label layer does not have."""
START_HELP = (
    "Model that the training starts from; its classes are those of the labels. Empty: a new network, whose classes are "
    "the new classes, or without these the ones of the Dubai dataset."
)


@nested
@dataclass(frozen=True)
class LabelledData(Request):
    """Rasters and their labels: a layer of polygons, or a folder of masks."""

    rasters: tuple[str, ...] = option(
        (),
        title="Rasters",
        help="Images that the labels lie on, all with the same bands.",
        reads="raster",
        metavar="FILE.tif",
    )
    folder: str | None = option(
        None,
        title="Folder of rasters",
        help="All images of this folder, instead of or in addition to the rasters.",
        reads="folder",
    )
    labels: str | None = option(
        None,
        title="Label layer",
        help="Polygons with a class. Pixels outside of polygons are not used: label a few places completely rather "
        "than single objects everywhere.",
        reads="polygons",
    )
    masks: str | None = option(
        None,
        title="Folder of masks",
        help="Instead of a label layer: rasters of class ids or colours with the names of the images.",
        reads="folder",
    )
    bands: tuple[str, ...] = option(
        (),
        advanced=True,
        title="Bands",
        help="Bands that the network reads, in order, by name (red, green, blue, nir, height, ndvi, …) or by name and "
        "number, such as nir=4. By default those of the model, or of the start; without one red, green and blue.",
        metavar="NAME|NAME=N",
        example="red",
    )
    second: str | None = option(
        None,
        advanced=True,
        title="Second raster",
        help="Raster that covers the images with further bands, such as a height model, on any grid and in any CRS: a "
        "single file or a virtual raster (VRT). Its bands count after those of each image. For models that read such "
        "bands, and new networks.",
        reads="raster",
        metavar="FILE.tif",
    )
    class_field: str | None = option(
        None,
        filled=True,
        title="Field with the class",
        help="Attribute of the label layer with the name or id of the class. By default class, class_id, name or to.",
        metavar="NAME",
        example="class",
    )
    new_classes: tuple[str, ...] = option(
        (),
        title="New classes",
        help="Names of classes that the start does not have, with a colour if wanted, such as Lawn=#7CFC00.",
        metavar="NAME",
        example="Lawn",
    )
    mask_values: tuple[str, ...] = option(
        (),
        advanced=True,
        title="Meaning of mask values",
        help="For masks of other values than class ids: 255=Building, 0=not Building (anything else), 7= (no label).",
        metavar="VALUE=CLASS",
        example="255=Building",
    )

    def check_complete(self) -> None:
        """Refuse data without images, and with no labels or two kinds.

        Raises:
            RequestError: naming what is missing.
        """
        if not self.rasters and not self.folder:
            raise RequestError(tr("There are no rasters."), tr("Give rasters, or a folder of rasters."))
        if bool(self.labels) == bool(self.masks):
            raise RequestError(
                tr("Two kinds of labels are given.") if self.labels else tr("No labels are given."),
                tr("Give either a label layer or a folder of masks."),
            )

    def values(self) -> dict[str, str]:
        """Return the meaning of mask values by value.

        Raises:
            RequestError: for a text without ``=``.
        """
        found = {}
        for text in self.mask_values:
            value, equals, meaning = text.partition("=")
            if not equals:
                raise RequestError(
                    tr("'{text}' is not VALUE=CLASS.", text=text), tr("Write, for example, 255=Building.")
                )
            found[value.strip()] = meaning.strip()
        return found


@dataclass(frozen=True)
class LabelLayerRequest(Request):
    """A layer to draw labels on, and places to label."""

    input: str = option(title="Raster", help="Image that will be labelled.", reads="raster")
    output: str = option(
        title="Label layer",
        help="An empty layer of polygons whose form has a list of the classes.",
        writes="polygons",
    )
    places: str | None = option(
        None,
        proposed=True,
        title="Places to label",
        help="Squares that are worth labelling completely, in order of their worth.",
        writes="polygons",
    )
    sampling: str = option(
        "uncertain",
        choices=SAMPLINGS,
        words=("Where the model is unsure or the ground is new", "Spread at random"),
        title="Choice of places",
        help="uncertain: where the model is unsure, or the ground is unlike its training images. spread: at random, "
        "one in each part of the raster; needed where the labels also measure the accuracy.",
    )
    count: int = option(6, low=1, high=100, title="Number of places", help="The search takes some seconds for each.")
    size: int = option(512, low=64, high=4096, unit="px", title="Side of a place", help="In pixels of the raster.")
    new_classes: tuple[str, ...] = option(
        (),
        title="New classes",
        help="Names of classes that the model does not have, with a colour if wanted, such as Lawn=#7CFC00.",
        metavar="NAME",
        example="Lawn",
    )
    seed: int = option(1, low=0, advanced=True, title="Random seed", help="Seed of spread places.")
    options: SegmentOptions = field(default_factory=SegmentOptions)


@dataclass(frozen=True)
class LabelLayerResult(Result):
    """A label layer.

    Args:
        output: The layer.
        places: The layer of places; None without.
        count: Number of places.
        classes: Names of the classes.
        warnings: Messages for the user.
    """

    output: str
    places: str | None
    count: int
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckLabelsRequest(Request):
    """A check of labels before a training."""

    data: LabelledData = field(default_factory=LabelledData)
    start: str = option(DEFAULT_MODEL, title="Start", help=START_HELP, metavar="MODEL")
    gsd: float | None = option(
        None,
        low=0,
        exclusive=True,
        unit="m/px",
        advanced=True,
        title="Pixel size",
        help="Of images without georeference; others state their own.",
    )
    report: str | None = option(
        None, proposed=True, title="Report", help="Page with shares, problems and pictures.", writes="page"
    )
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class CheckLabelsResult(Result):
    """What is in labelled data.

    Args:
        usable: Whether a training can start.
        errors: What stops a training, with file and feature ids.
        problems: What may degrade it.
        images: Number of labelled images, or blocks of large rasters.
        labels: Number of polygons or masks.
        pixels: Labelled pixels by class name.
        facts: Start, ground sampling distance and folds.
        report: The page; None without.
    """

    usable: bool
    errors: tuple[str, ...]
    problems: tuple[str, ...]
    images: int
    labels: int
    pixels: dict[str, int]
    facts: dict[str, Any]
    report: str | None = None
