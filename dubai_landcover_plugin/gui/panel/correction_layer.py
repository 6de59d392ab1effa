"""Corrections in an ordinary GeoPackage layer of the project, as Apply Corrections reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from osgeo import gdal, ogr, osr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditorWidgetSetup,
    QgsFeatureRequest,
    QgsField,
    QgsFillSymbol,
    QgsProperty,
    QgsRendererCategory,
    QgsSymbolLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QDateTime

from dubai_landcover_plugin.gui.panel import field_types
from dubai_landcover_plugin.gui.panel.corrections import Changes, Correction
from dubai_landcover_plugin.gui.panel.drawn_layer import (
    check_complete,
    check_writable,
    has_layer,
    has_polygons,
    id_of,
    polygon_feature,
    store_features,
    text_of,
)
from dubai_landcover_plugin.gui.panel.geopackage import cause_of, new_geopackage
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.drawn_layers import COLOUR, FROM, TIME, TO
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.translation import tr

LAYER_NAME = "corrections"
ID = "correction"
"""Attribute with the id of a correction; the others are those of :mod:`.protocol.drawn_layers`."""
_TYPES = {ID: ogr.OFTString, FROM: ogr.OFTString, TO: ogr.OFTString, TIME: ogr.OFTDateTime, COLOUR: ogr.OFTString}
TIME_FORMAT = "yyyy-MM-ddTHH:mm:ss"
_RASTER_ITEM = "LANDCOVER_RASTER"
"""Metadata of the layer in the file: path of the raster, relative to the file."""


def create_corrections(path: Path, crs: QgsCoordinateReferenceSystem, raster: str = "") -> QgsVectorLayer:
    """Create a layer of corrections in a GeoPackage, which may have other layers, and return it.

    Args:
        path: The GeoPackage.
        crs: CRS of the layer.
        raster: Path of the raster that is corrected; it is noted in the file.

    Raises:
        OutputError: if it cannot be written.
    """
    note = _relative(raster, path.parent) if raster else ""
    if path.exists():
        _add_layer(path, path, crs, note)
    else:
        with new_geopackage(path) as made:
            _add_layer(made, path, crs, note)
            check_complete(made, path, LAYER_NAME, list(_TYPES))
    return open_corrections(path)


def _add_layer(made: Path, path: Path, crs: QgsCoordinateReferenceSystem, note: str) -> None:
    """Write an empty layer for corrections into a GeoPackage, which will be at ``path``.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        driver = gdal.GetDriverByName("GPKG")
        update = gdal.OF_VECTOR | gdal.OF_UPDATE
        dataset = (
            gdal.OpenEx(str(made), update) if made.exists() else driver.Create(str(made), 0, 0, 0, gdal.GDT_Unknown)
        )
        reference = None
        if crs.isValid():
            reference = osr.SpatialReference()
            reference.ImportFromWkt(crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL))
        layer = dataset.CreateLayer(LAYER_NAME, reference, ogr.wkbMultiPolygon)
        for name, kind in _TYPES.items():
            layer.CreateField(ogr.FieldDefn(name, kind))
        if note:
            layer.SetMetadataItem(_RASTER_ITEM, note)
        layer = dataset = None  # closes the file
    except (RuntimeError, AttributeError) as error:  # GDAL returns None where it raises no exceptions
        text = "" if isinstance(error, AttributeError) else str(error)
        cause = cause_of(gdal.GetLastErrorMsg(), text, tr("the disk may be full")).rstrip(".")
        raise OutputError(
            tr("The layer for corrections cannot be created in {path}: {problem}.", path=path, problem=cause),
            tr("Free some space, or choose another file for the corrections."),
        ) from error


def open_corrections(path: Path) -> QgsVectorLayer:
    """Return the layer of corrections in a GeoPackage.

    Raises:
        OutputError: if there is none.
    """
    layer = QgsVectorLayer(f"{path}|layername={LAYER_NAME}", path.stem.replace("_", " "), "ogr")
    if not is_correction_layer(layer):
        raise OutputError(
            tr("{path} has no layer of corrections.", path=path), tr("Choose another file for the corrections.")
        )
    return layer


def has_corrections(path: Path) -> bool:
    """Return whether a GeoPackage has a layer of corrections."""
    return has_layer(path, LAYER_NAME)


def is_correction_layer(layer: Any) -> bool:
    """Return whether corrections can be kept in a layer: polygons with their attributes.

    Layers of earlier versions have no colours; the first new class adds the attribute.
    """
    return has_polygons(layer, [name for name in _TYPES if name != COLOUR])


def noted_raster(path: Path) -> str:
    """Return the path of the raster that the corrections of a GeoPackage are for; empty where none is noted."""
    try:
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR)
        layer = None if dataset is None else dataset.GetLayerByName(LAYER_NAME)
        found = "" if layer is None else str(layer.GetMetadataItem(_RASTER_ITEM) or "")
    except RuntimeError:
        found = ""
    return os.path.normpath(path.parent / found) if found else ""


def _relative(raster: str, folder: Path) -> str:
    """Return a path relative to a folder, so that both can be moved together."""
    try:
        return Path(os.path.relpath(raster, folder)).as_posix()
    except ValueError:  # another drive
        return raster


class CorrectionLayer:
    """A layer that keeps corrections; a :class:`.CorrectionStore`.

    Args:
        layer: The layer, see :func:`open_corrections`.
    """

    def __init__(self, layer: QgsVectorLayer) -> None:
        self.layer = layer

    def read(self) -> dict[str, Correction]:
        """Return the corrections by id; features that others have drawn are named by their number."""
        found = {}
        has_colours = self.layer.fields().indexOf(COLOUR) >= 0
        for feature in self.layer.getFeatures():
            if not feature.geometry().isEmpty():
                time = feature[TIME]
                found[id_of(feature, ID)] = Correction(
                    target=text_of(feature[TO]),
                    geometry=feature.geometry().asWkt(),
                    source=text_of(feature[FROM]),
                    time=time.toString(TIME_FORMAT) if isinstance(time, QDateTime) else "",
                    colour=text_of(feature[COLOUR]) if has_colours else "",
                )
        return found

    def write(self, changes: Changes) -> None:
        """Store corrections at once; None removes one.

        Raises:
            RequestError: if the layer cannot be changed.
            OutputError: if its file cannot be written.
        """
        layer = self.layer
        check_writable(layer)
        if any(one is not None and one.colour for one in changes.values()):
            self._add_colours()
        present = {id_of(feature, ID): feature.id() for feature in layer.getFeatures()}
        index = layer.fields().indexOf
        added, changed, removed = [], {}, []
        for name, one in changes.items():
            if one is None:
                removed += [present[name]] if name in present else []
            elif name in present:
                values = {FROM: one.source, TO: one.target, COLOUR: one.colour}
                changed[present[name]] = {index(key): value for key, value in values.items() if index(key) >= 0}
            else:
                values = {key: value for key, value in _values(name, one).items() if index(key) >= 0}
                added.append(polygon_feature(layer, one.geometry, values))
        store_features(layer, added, changed, removed)

    def _add_colours(self) -> None:
        """Add the attribute for the colours of new classes, which layers of earlier versions do not have.

        Raises:
            OutputError: if the file cannot be written.
        """
        layer = self.layer
        if layer.fields().indexOf(COLOUR) >= 0:
            return
        if not layer.dataProvider().addAttributes([QgsField(COLOUR, field_types.TEXT)]):
            raise OutputError(
                tr("The layer '{name}' cannot store the colour of a new class.", name=layer.name()),
                tr("Choose another file for the corrections."),
            )
        layer.updateFields()


def _values(name: str, correction: Correction) -> dict[str, Any]:
    """Return the attributes of a correction."""
    time = QDateTime.fromString(correction.time, TIME_FORMAT)
    return {
        ID: name,
        FROM: correction.source,
        TO: correction.target,
        TIME: time if time.isValid() else QDateTime.currentDateTime(),
        COLOUR: correction.colour,
    }


def style_corrections(layer: QgsVectorLayer, classes: Sequence[LandCoverClass], colours: Mapping[str, str]) -> None:
    """Draw corrections in the colours of the classes that they set, and offer the classes in the form.

    Later ones are drawn above earlier ones; those of one class only are dotted.
    """
    renderer = QgsCategorizedSymbolRenderer(
        TO, [QgsRendererCategory(entry.name, _symbol(colours[entry.name]), entry.name) for entry in classes]
    )
    renderer.setOrderBy(QgsFeatureRequest.OrderBy([QgsFeatureRequest.OrderByClause(f'"{TIME}"')]))
    renderer.setOrderByEnabled(True)
    layer.setRenderer(renderer)
    index = layer.fields().indexOf
    choices = [{entry.name: entry.name} for entry in classes]
    layer.setEditorWidgetSetup(index(TO), QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    everywhere = {tr("all classes"): ""}
    layer.setEditorWidgetSetup(index(FROM), QgsEditorWidgetSetup("ValueMap", {"map": [everywhere, *choices]}))
    for name in (ID, COLOUR):
        if index(name) >= 0:
            layer.setEditorWidgetSetup(index(name), QgsEditorWidgetSetup("Hidden", {}))
    layer.triggerRepaint()


def _symbol(colour: str) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple(
        {"color": colour, "outline_color": "#000000", "outline_style": "dash", "outline_width": "0.3"}
    )
    pattern = f"if(coalesce(\"{FROM}\", '') = '', 'solid', 'dense3')"
    symbol.symbolLayer(0).setDataDefinedProperty(
        QgsSymbolLayer.Property.PropertyFillStyle, QgsProperty.fromExpression(pattern)
    )
    return symbol
