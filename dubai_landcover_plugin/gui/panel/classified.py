"""A finished classified raster that is corrected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsPalettedRasterRenderer,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.layer_nodata import open_source
from dubai_landcover_plugin.protocol.class_tags import scheme_from_tags
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.translation import tr

Stamp = tuple[int, ...]
"""Time of change, size and number of a file; empty where there is none."""


@dataclass(frozen=True)
class Classified:
    """A raster layer of class ids that this plugin has written.

    Args:
        layer_id: The layer.
        name: Its name.
        source: What GDAL opens.
        path: The file; empty where the raster is none.
        crs: CRS of the layer.
        extent: Its extent in that CRS.
        pixel: Width of a pixel in units of the CRS.
        scheme: The classes.
        colours: Colours of the classes by name, as the layer shows them.
        stamp: The file when it was read.
    """

    layer_id: str
    name: str
    source: str
    path: str
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    pixel: float
    scheme: ClassScheme
    colours: Mapping[str, str]
    stamp: Stamp

    def by_id(self, class_id: int) -> LandCoverClass | None:
        """Return the class of a raster value; None for values that are no class."""
        return next((entry for entry in self.scheme.entries if entry.id == class_id), None)

    def is_changed(self) -> bool:
        """Return whether the file is another one than when it was read."""
        return bool(self.path) and stamp_of(self.path) != self.stamp


def read_classified(layer: QgsRasterLayer) -> Classified:
    """Return the classes of a layer.

    Raises:
        RequestError: if it is not a classified raster of this plugin.
    """
    if layer.providerType() != "gdal":
        raise _refusal(layer, tr("it is not a file of class ids"))
    path = str(QgsProviderRegistry.instance().decodeUri("gdal", layer.source()).get("path") or "")
    is_file = os.path.isfile(path)
    stamp = stamp_of(path) if is_file else ()  # before the file is read
    dataset = open_source(layer.source())
    if dataset is None:
        raise RequestError(
            tr("The file of the layer '{name}' cannot be read: {path}.", name=layer.name(), path=path),
            tr("Check that it is still there, and choose the layer again."),
        )
    if dataset.RasterCount != 1 or dataset.GetRasterBand(1).DataType != gdal.GDT_Byte:
        raise _refusal(layer, tr("it does not have one band of class ids"))
    try:
        scheme = scheme_from_tags(dataset.GetMetadata())
    except ClassSchemeError as error:
        raise _refusal(layer, tr("it has no names of classes")) from error
    return Classified(
        layer_id=layer.id(),
        name=layer.name(),
        source=layer.source(),
        path=os.path.abspath(path) if is_file else "",
        crs=layer.crs(),
        extent=layer.extent(),
        pixel=layer.rasterUnitsPerPixelX(),
        scheme=scheme,
        colours=_colours(layer, scheme),
        stamp=stamp,
    )


def is_classified(layer: Any) -> bool:
    """Return whether a layer is a classified raster of this plugin."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        return False
    try:
        read_classified(layer)
    except RequestError:
        return False
    return True


def stamp_of(path: str) -> Stamp:
    """Return time of change, size and number of a file; empty where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _colours(layer: QgsRasterLayer, scheme: ClassScheme) -> dict[str, str]:
    """Return the colours of classes by name, as the layer shows them."""
    renderer = layer.renderer()
    shown = {}
    if isinstance(renderer, QgsPalettedRasterRenderer):
        shown = {round(one.value): one.color.name().upper() for one in renderer.classes()}
    return {entry.name: shown.get(entry.id, entry.colour) for entry in scheme.entries}


def _refusal(layer: QgsRasterLayer, reason: str) -> RequestError:
    return RequestError(
        tr("The layer '{name}' is not a classified raster: {reason}.", name=layer.name(), reason=reason),
        tr("Choose a raster that Segment Land Cover, Apply Corrections or Recode Classes has written."),
    )
