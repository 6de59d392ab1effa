"""What the panel works on: a raster layer and a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer, QgsRectangle

from dubai_landcover_plugin.processing.inputs import raster_input
from dubai_landcover_plugin.processing.layer_styles import class_colours
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession
from dubai_landcover_plugin.protocol.translation import tr

NEW_COLOURS = ("#E377C2", "#17BECF", "#BCBD22", "#9467BD", "#FF7F0E", "#1F77B4", "#8C564B", "#2CA02C")
"""Colours proposed for new classes."""


@dataclass(frozen=True)
class Subject:
    """A raster layer and a model.

    Args:
        layer_id: The layer.
        name: Its name.
        source: Path of the raster.
        crs: CRS of the layer.
        extent: Its extent in that CRS.
        pixel: Width of a pixel in units of the CRS.
        model: The model.
        opening: Request that opens both.
    """

    layer_id: str
    name: str
    source: str
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    pixel: float
    model: BundleMetadata
    opening: OpenSession


def make_subject(layer: QgsRasterLayer, model_path: str) -> Subject:
    """Return what the panel works on.

    Raises:
        RequestError: if the engine cannot read the layer.
        BundleError: if the model cannot be read.
    """
    model = read_metadata(model_path)
    found = raster_input(layer)
    if not found.path:
        raise RequestError(
            tr("The layer '{name}' cannot be classified while you look: {reason}.").format(
                name=layer.name(), reason=found.reason
            ),
            tr("Save the part of interest with Export > Save As… and choose that layer, or run Segment Land Cover."),
        )
    options = SegmentOptions(model=model_path, crs=found.crs_override or None, nodata=found.nodata)
    return Subject(
        layer_id=layer.id(),
        name=layer.name(),
        source=found.path,
        crs=layer.crs(),
        extent=layer.extent(),
        pixel=layer.rasterUnitsPerPixelX(),
        model=model,
        opening=OpenSession(found.path, options),
    )


def colours_of(scheme: ClassScheme, new: Sequence[LandCoverClass], natural: bool) -> dict[str, str]:
    """Return the colours of classes and of Unlabeled by name; natural ones exist for the Dubai classes only."""
    colours = class_colours(scheme, natural)
    found = {entry.name: colours[entry.id] for entry in scheme.entries}
    return {**found, **{entry.name: entry.colour for entry in new}}


def new_class(scheme: ClassScheme, new: Sequence[LandCoverClass], name: str, colour: str = "") -> LandCoverClass:
    """Return a class that the model does not have, with the next free id.

    Raises:
        RequestError: if there is a class with this name, or no free id.
        ClassSchemeError: if the name or the colour is invalid.
    """
    entries = (*scheme.entries, *new)
    if name.strip().casefold() in {entry.name.casefold() for entry in entries}:
        raise RequestError(tr("There is a class '{name}' already.").format(name=name.strip()))
    used = {entry.id for entry in entries}
    free = next((number for number in range(1, 255) if number not in used), None)
    if free is None:
        raise RequestError(tr("All 254 class ids are used."))
    return LandCoverClass(free, name.strip(), colour.upper() or NEW_COLOURS[len(new) % len(NEW_COLOURS)])
