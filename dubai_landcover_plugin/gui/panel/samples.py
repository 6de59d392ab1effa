"""The samples: polygons with a class in an ordinary GeoPackage layer of the project."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsField,
    QgsFields,
    QgsFillSymbol,
    QgsGeometry,
    QgsProject,
    QgsRendererCategory,
    QgsSimpleLineSymbolLayer,
    QgsVectorDataProvider,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QDateTime, QVariant
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import OutputError, RequestError

LAYER_NAME = "samples"
FIELDS = (
    ("sample", QVariant.String),
    ("class", QVariant.String),
    ("colour", QVariant.String),
    ("tool", QVariant.String),
    ("width", QVariant.Double),
    ("time", QVariant.DateTime),
)
"""Attributes of a sample: id, class and its colour, tool, width of the brush in units of the CRS, time of drawing."""
_FILL_ALPHA = 90
_LOCK_MS = 300


@dataclass(frozen=True)
class Sample:
    """One sample.

    Args:
        class_name: Name of its class.
        geometry: Polygon in the CRS of the layer, as WKT.
        tool: ``point``, ``line`` or ``polygon``.
        width: Width of the brush, units of the layer's CRS.
        time: When it was drawn, ISO 8601.
        colour: Colour of its class when it was drawn.
    """

    class_name: str
    geometry: str
    tool: str = "polygon"
    width: float = 0.0
    time: str = ""
    colour: str = ""

    def of_class(self, entry: LandCoverClass) -> Sample:
        """Return the same sample with another class."""
        return replace(self, class_name=entry.name, colour=entry.colour)


def new_id() -> str:
    """Return an id for a new sample."""
    return uuid.uuid4().hex[:12]


def create_samples(path: Path, crs: QgsCoordinateReferenceSystem) -> QgsVectorLayer:
    """Create a GeoPackage for samples and return its layer; an existing file gets another layer.

    Raises:
        OutputError: if it cannot be written.
    """
    fields = QgsFields()
    for name, kind in FIELDS:
        fields.append(QgsField(name, kind))
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName, options.fileEncoding = "GPKG", LAYER_NAME, "UTF-8"
    if path.exists():
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    writer = QgsVectorFileWriter.create(
        str(path), fields, QgsWkbTypes.Type.MultiPolygon, crs, QgsProject.instance().transformContext(), options
    )
    failed = writer.hasError() != QgsVectorFileWriter.WriterError.NoError
    problem = writer.errorMessage()
    del writer  # closes the file
    if failed:
        raise OutputError(
            tr("The layer for samples cannot be created: {problem}").format(problem=problem or str(path)),
            tr("Choose another file for the samples."),
        )
    return open_samples(path)


def open_samples(path: Path) -> QgsVectorLayer:
    """Return the layer of samples in a GeoPackage.

    Raises:
        OutputError: if there is none.
    """
    layer = QgsVectorLayer(f"{path}|layername={LAYER_NAME}", path.stem.replace("_", " "), "ogr")
    if not layer.isValid():
        raise OutputError(
            tr("'{path}' has no layer '{name}'.").format(path=path, name=LAYER_NAME), tr("Choose another file.")
        )
    return layer


def has_samples(path: Path) -> bool:
    """Return whether a GeoPackage has a layer of samples."""
    return path.is_file() and QgsVectorLayer(f"{path}|layername={LAYER_NAME}", "", "ogr").isValid()


def is_sample_layer(layer: Any) -> bool:
    """Return whether samples can be kept in a layer: polygons with the attributes of :data:`FIELDS`."""
    return (
        isinstance(layer, QgsVectorLayer)
        and layer.isValid()
        and layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry
        and all(layer.fields().indexOf(name) >= 0 for name, _ in FIELDS)
    )


def check_writable(layer: QgsVectorLayer) -> None:
    """Raise an error if samples cannot be stored in a layer.

    Raises:
        RequestError: naming the layer and the remedy.
    """
    provider = layer.dataProvider()
    needed = (
        QgsVectorDataProvider.Capability.AddFeatures
        | QgsVectorDataProvider.Capability.DeleteFeatures
        | QgsVectorDataProvider.Capability.ChangeAttributeValues
    )
    if layer.readOnly() or (provider.capabilities() & needed) != needed:
        raise RequestError(
            tr("The layer '{name}' is read-only.").format(name=layer.name()),
            tr("Allow writing to its file, or choose another layer for the samples."),
        )
    if layer.isEditable():
        raise RequestError(
            tr("The layer '{name}' is in edit mode.").format(name=layer.name()),
            tr("Save its edits and end the edit mode first."),
        )


def read_samples(layer: QgsVectorLayer) -> dict[str, Sample]:
    """Return the samples of a layer by id; features without an id are named by their number."""
    found = {}
    for feature in layer.getFeatures():
        if feature.geometry().isEmpty():
            continue
        found[_id_of(feature)] = Sample(
            class_name=_text(feature["class"]),
            geometry=feature.geometry().asWkt(),
            tool=_text(feature["tool"]),
            width=float(feature["width"]) if isinstance(feature["width"], (int, float)) else 0.0,
            time=_time(feature["time"]),
            colour=_text(feature["colour"]),
        )
    return found


def write_samples(layer: QgsVectorLayer, changes: Mapping[str, Sample | None]) -> None:
    """Store samples by id at once; None removes one.

    Raises:
        RequestError: if the layer cannot be changed.
        OutputError: if its file cannot be written.
    """
    check_writable(layer)
    _check_unlocked(layer)
    provider = layer.dataProvider()
    present = {_id_of(feature): feature.id() for feature in layer.getFeatures()}
    index = {name: layer.fields().indexOf(name) for name, _ in FIELDS}
    added, changed, removed = [], {}, []
    for name, sample in changes.items():
        if sample is None:
            removed += [present[name]] if name in present else []
        elif name in present:
            changed[present[name]] = {index["class"]: sample.class_name, index["colour"]: sample.colour}
        else:
            added.append(_feature(layer, name, sample))
    done = (
        (not added or provider.addFeatures(added)[0])
        and (not changed or provider.changeAttributeValues(changed))
        and (not removed or provider.deleteFeatures(removed))
    )
    if not done:
        problem = provider.lastError() or "; ".join(map(str, provider.errors()))
        provider.clearErrors()
        raise OutputError(
            tr("The samples cannot be stored in '{name}': {problem}").format(name=layer.name(), problem=problem),
            tr("Close other programs that use the file, or choose another layer for the samples."),
        )
    layer.updateExtents()
    layer.triggerRepaint()


def moved(wkt: str, source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem) -> QgsGeometry:
    """Return a geometry in another CRS.

    Raises:
        RequestError: if it cannot be transformed.
    """
    geometry = QgsGeometry.fromWkt(wkt)
    if source == target or not source.isValid() or not target.isValid():
        return geometry
    try:
        geometry.transform(QgsCoordinateTransform(source, target, QgsProject.instance()))
    except QgsCsException as error:
        raise RequestError(
            tr("A sample cannot be transformed from {source} to {target}: {problem}").format(
                source=source.authid(), target=target.authid(), problem=error
            )
        ) from error
    return geometry


def style_samples(layer: QgsVectorLayer, classes: Sequence[LandCoverClass], colours: Mapping[str, str]) -> None:
    """Draw samples in the colours of their classes, and offer the classes in the form."""
    categories = [
        QgsRendererCategory(entry.name, _symbol(colours.get(entry.name, entry.colour)), entry.name) for entry in classes
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", categories))
    index = layer.fields().indexOf
    choices = [{entry.name: entry.name} for entry in classes]
    layer.setEditorWidgetSetup(index("class"), QgsEditorWidgetSetup("ValueMap", {"map": choices}))
    for name in ("sample", "colour"):
        layer.setEditorWidgetSetup(index(name), QgsEditorWidgetSetup("Hidden", {}))
    layer.triggerRepaint()


def store_style(layer: QgsVectorLayer) -> None:
    """Store style and form in the GeoPackage, for other projects; a file that cannot be written stays as it is."""
    layer.saveStyleToDatabase(LAYER_NAME, tr("Samples of land cover"), True, "")


def _symbol(colour: str) -> QgsFillSymbol:
    """Return a transparent fill with an outline in the colour on a white one: it stands out on classes, too."""
    fill = QColor(colour)
    rgb = f"{fill.red()},{fill.green()},{fill.blue()}"
    symbol = QgsFillSymbol.createSimple(
        {"color": f"{rgb},{_FILL_ALPHA}", "outline_color": "255,255,255,255", "outline_width": "0.9"}
    )
    symbol.appendSymbolLayer(QgsSimpleLineSymbolLayer.create({"line_color": f"{rgb},255", "line_width": "0.45"}))
    return symbol


def _check_unlocked(layer: QgsVectorLayer) -> None:
    """Raise an error if another program locks a GeoPackage; QGIS would stand still for 20 s before it says so.

    Raises:
        OutputError: naming the remedy.
    """
    path = layer.source().split("|")[0]
    dataset = gdal.OpenEx(path, gdal.OF_VECTOR | gdal.OF_UPDATE) if path.lower().endswith(".gpkg") else None
    if dataset is None:
        return
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    gdal.ErrorReset()
    try:
        for command in (f"PRAGMA busy_timeout = {_LOCK_MS}", "BEGIN IMMEDIATE"):
            rows = dataset.ExecuteSQL(command)
            if rows is not None:
                dataset.ReleaseResultSet(rows)
        problem = gdal.GetLastErrorMsg()
        if "locked" not in problem:
            dataset.ExecuteSQL("ROLLBACK")
    except RuntimeError as error:  # where GDAL raises exceptions
        problem = str(error)
    finally:
        gdal.PopErrorHandler()
    if "locked" in problem:
        raise OutputError(
            tr("The file of '{name}' is locked by another program.").format(name=layer.name()),
            tr("Close the program, or choose another layer for the samples."),
        )


def _feature(layer: QgsVectorLayer, name: str, sample: Sample) -> QgsFeature:
    feature = QgsFeature(layer.fields())
    geometry = QgsGeometry.fromWkt(sample.geometry)
    if QgsWkbTypes.isMultiType(layer.wkbType()):
        geometry.convertToMultiType()
    feature.setGeometry(geometry)
    time = QDateTime.fromString(sample.time, "yyyy-MM-ddTHH:mm:ss")
    values = {
        "sample": name,
        "class": sample.class_name,
        "colour": sample.colour,
        "tool": sample.tool,
        "width": sample.width,
        "time": time if time.isValid() else QDateTime.currentDateTime(),
    }
    for key, value in values.items():
        feature[key] = value
    return feature


def _id_of(feature: QgsFeature) -> str:
    return _text(feature["sample"]) or f"feature {feature.id()}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> str:
    return value.toString("yyyy-MM-ddTHH:mm:ss") if isinstance(value, QDateTime) else ""
