"""Corrections in an ordinary GeoPackage layer of the project, as Apply Corrections reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osgeo import gdal, ogr, osr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsFillSymbol,
    QgsGeometry,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QDateTime, Qt
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.gui.panel.corrections import Changes, Correction
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.drawn_layers import FROM, TIME, TO
from dubai_landcover_plugin.protocol.errors import OutputError

LAYER_NAME = "corrections"
ID = "correction"
"""Attribute with the id of a correction; the others are those of :mod:`.protocol.drawn_layers`."""
_TYPES = {ID: ogr.OFTString, FROM: ogr.OFTString, TO: ogr.OFTString, TIME: ogr.OFTDateTime}
_FILL_ALPHA = 120


def create_corrections(path: Path, crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """Create a layer of corrections in a GeoPackage, which may have other layers, and return it.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        driver = gdal.GetDriverByName("GPKG")
        update = gdal.OF_VECTOR | gdal.OF_UPDATE
        dataset = (
            gdal.OpenEx(str(path), update) if path.exists() else driver.Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
        )
        reference = osr.SpatialReference()
        reference.ImportFromWkt(crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL))
        layer = dataset.CreateLayer(LAYER_NAME, reference if crs.isValid() else None, ogr.wkbMultiPolygon)
        for name, kind in _TYPES.items():
            layer.CreateField(ogr.FieldDefn(name, kind))
        layer = dataset = None  # closes the file
    except (RuntimeError, AttributeError) as error:  # GDAL returns None where it raises no exceptions
        raise OutputError(
            tr("The layer for corrections cannot be created in {path}: {problem}").format(path=path, problem=error),
            tr("Choose another file for the corrections."),
        ) from error
    return open_corrections(path)


def open_corrections(path: Path) -> QgsVectorLayer:
    """Return the layer of corrections in a GeoPackage.

    Raises:
        OutputError: if there is none.
    """
    layer = QgsVectorLayer(f"{path}|layername={LAYER_NAME}", path.stem.replace("_", " "), "ogr")
    if not layer.isValid() or any(layer.fields().indexOf(name) < 0 for name in _TYPES):
        raise OutputError(
            tr("{path} has no layer of corrections.").format(path=path), tr("Choose another file for the corrections.")
        )
    return layer


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
        for feature in self.layer.getFeatures():
            if not feature.geometry().isEmpty():
                time = feature[TIME]
                found[_id_of(feature)] = Correction(
                    target=_text(feature[TO]),
                    geometry=feature.geometry().asWkt(),
                    source=_text(feature[FROM]),
                    time=time.toString(Qt.DateFormat.ISODate) if isinstance(time, QDateTime) else "",
                )
        return found

    def write(self, changes: Changes) -> None:
        """Store corrections at once; None removes one.

        Raises:
            OutputError: if the layer cannot be changed; nothing has changed then.
        """
        stale = [feature.id() for feature in self.layer.getFeatures() if _id_of(feature) in changes]
        added = [self._feature(name, one) for name, one in changes.items() if one is not None]
        layer = self.layer
        own = not layer.isEditable()  # edits of the user stay
        done = own and layer.startEditing() and layer.deleteFeatures(stale) and layer.addFeatures(added)
        if not (done and layer.commitChanges()):
            problem = "; ".join(layer.commitErrors()) if own else tr("It is in edit mode.")
            if own:
                layer.rollBack()
            raise OutputError(
                tr("The corrections cannot be stored in '{name}'. {problem}").format(
                    name=layer.name(), problem=problem
                ),
                tr("End the edit mode of the layer, and close other programs that use its file."),
            )
        self.layer.triggerRepaint()

    def _feature(self, name: str, correction: Correction) -> QgsFeature:
        feature = QgsFeature(self.layer.fields())
        geometry = QgsGeometry.fromWkt(correction.geometry)
        geometry.convertToMultiType()
        feature.setGeometry(geometry)
        time = QDateTime.fromString(correction.time, Qt.DateFormat.ISODate)
        feature[ID], feature[FROM], feature[TO] = name, correction.source, correction.target
        feature[TIME] = time if time.isValid() else QDateTime.currentDateTime()
        return feature


def style_corrections(layer: QgsVectorLayer, classes: Sequence[LandCoverClass]) -> None:
    """Draw corrections in the colours of the classes that they set, and offer the classes in the form."""
    layer.setRenderer(
        QgsCategorizedSymbolRenderer(
            TO, [QgsRendererCategory(entry.name, _symbol(entry.colour), entry.name) for entry in classes]
        )
    )
    index = layer.fields().indexOf
    choices = [{entry.name: entry.name} for entry in classes]
    layer.setEditorWidgetSetup(index(TO), QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    everywhere = {tr("all classes"): ""}
    layer.setEditorWidgetSetup(index(FROM), QgsEditorWidgetSetup("ValueMap", {"map": [everywhere, *choices]}))
    layer.setEditorWidgetSetup(index(ID), QgsEditorWidgetSetup("Hidden", {}))
    layer.triggerRepaint()


def _symbol(colour: str) -> QgsFillSymbol:
    fill = QColor(colour)
    rgb = f"{fill.red()},{fill.green()},{fill.blue()}"
    return QgsFillSymbol.createSimple(
        {"color": f"{rgb},{_FILL_ALPHA}", "outline_color": "0,0,0,255", "outline_style": "dash", "outline_width": "0.3"}
    )


def _id_of(feature: QgsFeature) -> str:
    return _text(feature[ID]) or f"feature {feature.id()}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
