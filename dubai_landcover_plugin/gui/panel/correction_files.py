"""Files and layers of the project that belong to a classified raster: its corrections, and the corrected raster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from qgis.core import QgsProject, QgsVectorLayer

from dubai_landcover_plugin.gui.panel.classified import Classified
from dubai_landcover_plugin.gui.panel.correction_layer import (
    create_corrections,
    has_corrections,
    is_correction_layer,
    noted_raster,
    open_corrections,
)

_LAYER = "dubai_landcover/corrections"
"""Property of a raster layer: id of the layer of its corrections."""
_RASTER = "dubai_landcover/corrected_raster"
"""Property of a layer of corrections: path of the raster."""


def link(layer: QgsVectorLayer, raster: Classified) -> None:
    """Note in the project that a layer has the corrections of a raster."""
    layer.setCustomProperty(_RASTER, raster.path or raster.source)
    raster_layer = QgsProject.instance().mapLayer(raster.layer_id)
    if raster_layer is not None:
        raster_layer.setCustomProperty(_LAYER, layer.id())


def correction_file(raster: Classified) -> Path:
    """Return the GeoPackage for the corrections of a raster: in the folder of the project, else of the raster.

    A file that has corrections of another raster is left alone.
    """
    home = QgsProject.instance().homePath()
    place = Path(raster.path or raster.source)
    folder = Path(home) if home else place.parent
    names = (f"{place.stem}_corrections{'' if number == 1 else f'_{number}'}.gpkg" for number in range(1, 1000))
    return next(folder / name for name in names if _is_for(folder / name, raster))


def corrected_file(raster: Classified) -> Path:
    """Return a path for the corrected raster, beside the raster, where there is no file yet."""
    place = Path(raster.path or raster.source)
    home = QgsProject.instance().homePath()
    folder = place.parent if os.access(place.parent, os.W_OK) or not home else Path(home)
    names = (f"{place.stem}_corrected{'' if number == 1 else f'_{number}'}.tif" for number in range(1, 1000))
    return next(folder / name for name in names if not (folder / name).exists())


def _is_for(path: Path, raster: Classified) -> bool:
    """Return whether a file can have the corrections of a raster: there is none, or it has no other raster's."""
    noted = noted_raster(path) if path.exists() else ""
    return not noted or same_file(noted, raster.path)


def known_layer(raster: Classified) -> QgsVectorLayer | None:
    """Return the layer of the project with the corrections of a raster."""
    project = QgsProject.instance()
    layer = project.mapLayer(raster.layer_id)
    known = None if layer is None else project.mapLayer(str(layer.customProperty(_LAYER, "")))
    found = [
        known,
        *(one for one in project.mapLayers().values() if same_file(str(one.customProperty(_RASTER, "")), raster.path)),
    ]
    return next((one for one in found if is_correction_layer(one)), None)


def same_file(one: Any, other: str) -> bool:
    """Return whether two paths are the same file."""
    if not one or not other:
        return False
    return os.path.normcase(os.path.realpath(str(one))) == os.path.normcase(os.path.realpath(other))


def open_or_create(path: Path, raster: Classified) -> QgsVectorLayer:
    """Return the layer of corrections in a GeoPackage; it is made where there is none.

    Raises:
        OutputError: if it cannot be written.
    """
    return open_corrections(path) if has_corrections(path) else create_corrections(path, raster.crs, raster.path)
