"""What the panel works on: a raster layer and a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qgis.core import QgsCoordinateReferenceSystem, QgsRasterLayer, QgsRectangle

from dubai_landcover_plugin.processing.inputs import raster_input
from dubai_landcover_plugin.processing.layer_styles import class_colours
from dubai_landcover_plugin.processing.raster_copies import RasterInput
from dubai_landcover_plugin.processing.second_raster import check_enough_bands
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
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
        source: Path of the raster, or else the name of the layer.
        crs: CRS of the layer.
        extent: Its extent in that CRS.
        pixel: Width of a pixel in units of the CRS.
        model: The model.
        options: Options of views.
        copied: The layer where the engine cannot open it, such as a web layer: views are drawn to files. None else.
    """

    layer_id: str
    name: str
    source: str
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    pixel: float
    model: BundleMetadata
    options: SegmentOptions
    copied: RasterInput | None = field(default=None, compare=False)

    @property
    def is_file(self) -> bool:
        """Whether the engine opens the raster itself."""
        return self.copied is None

    def opening(self, path: str = "") -> OpenSession:
        """Return the request that opens the raster, or a file that was drawn of it, with the model."""
        return OpenSession(path or self.source, self.options)


def make_subject(layer: QgsRasterLayer, model_path: str, second: QgsRasterLayer | None = None) -> Subject:
    """Return what the panel works on.

    Args:
        layer: The raster.
        model_path: The model.
        second: Raster with further bands of the model; None for none.

    Raises:
        BundleError: if the model cannot be read.
        BandError: if the rasters have fewer bands than it reads.
        RequestError: if the engine cannot open the second raster.
    """
    model = read_metadata(model_path)
    check_enough_bands(model.bands, layer, second)
    found = raster_input(layer)
    options = SegmentOptions(
        model=model_path, crs=found.crs_override or None, nodata=found.nodata, second=_second_path(second)
    )
    return Subject(
        layer_id=layer.id(),
        name=layer.name(),
        source=found.path or layer.name(),
        crs=layer.crs(),
        extent=layer.extent(),
        pixel=layer.rasterUnitsPerPixelX(),
        model=model,
        options=options,
        copied=None if found.path else found,
    )


def _second_path(layer: QgsRasterLayer | None) -> str | None:
    """Return the path of the second raster; None without one.

    Raises:
        RequestError: if the engine cannot open it as it is.
    """
    if layer is None:
        return None
    found = raster_input(layer, has_options=False)
    if not found.path:
        raise RequestError(
            tr("The second raster '{name}' cannot be used here: {reason}.", name=layer.name(), reason=found.reason),
            tr("Save it as a GeoTIFF (Export > Save As…) and choose that layer."),
        )
    return found.path


def teaching_needs_a_file(subject: Subject) -> str:
    """Return why samples cannot be drawn on a layer whose views are drawn to files, and what to do."""
    return tr(
        "Teaching needs a raster file, and '{name}' is none: {reason}. Save the part of interest with "
        "Export > Save As…, and choose that layer. The tab Look works here.",
        name=subject.name,
        reason="" if subject.copied is None else subject.copied.reason,
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
        raise RequestError(tr("There is a class '{name}' already.", name=name.strip()))
    used = {entry.id for entry in entries}
    free = next((number for number in range(1, 255) if number not in used), None)
    if free is None:
        raise RequestError(tr("All 254 class ids are used."))
    return LandCoverClass(free, name.strip(), colour.upper() or NEW_COLOURS[len(new) % len(NEW_COLOURS)])
