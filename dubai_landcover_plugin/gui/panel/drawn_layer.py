"""What the layers of samples and of corrections have in common: GeoPackages that are written with each change."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsVectorDataProvider,
    QgsVectorLayer,
    QgsWkbTypes,
)

from dubai_landcover_plugin.gui.panel.geopackage import cause_of
from dubai_landcover_plugin.protocol.errors import OutputError, RequestError
from dubai_landcover_plugin.protocol.translation import tr

_LOCK_MS = 300


def new_id() -> str:
    """Return an id for a new feature."""
    return uuid.uuid4().hex[:12]


def has_layer(path: Path, name: str) -> bool:
    """Return whether a GeoPackage has a layer of a name."""
    return path.is_file() and QgsVectorLayer(f"{path}|layername={name}", "", "ogr").isValid()


def has_polygons(layer: Any, attributes: Sequence[str]) -> bool:
    """Return whether a layer has polygons with attributes."""
    return (
        isinstance(layer, QgsVectorLayer)
        and layer.isValid()
        and layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry
        and all(layer.fields().indexOf(name) >= 0 for name in attributes)
    )


def add_on_top(layer: QgsVectorLayer) -> None:
    """Add a layer to the project, above all others."""
    project = QgsProject.instance()
    project.addMapLayer(layer, False)
    project.layerTreeRoot().insertLayer(0, layer)


def chosen_file(proposed: Path, ask: Callable[[Path], Path | None]) -> Path:
    """Return the proposed file for a new layer; ``ask`` chooses another one where its folder is read-only.

    Raises:
        RequestError: if none was chosen.
    """
    if os.access(proposed.parent, os.W_OK):
        return proposed
    chosen = ask(proposed)
    if chosen is None:
        raise RequestError(
            tr("The folder {folder} is read-only.", folder=proposed.parent),
            tr("Choose a layer or a file in another folder."),
        )
    return chosen


def store_style(layer: QgsVectorLayer, name: str, description: str) -> None:
    """Store style and form in the GeoPackage, for other projects; a file that cannot be written stays as it is."""
    _, numbers, names, *_ = layer.listStylesInDatabase()
    for number, known in zip(numbers, names):
        if known == name:
            layer.deleteStyleFromDatabase(number)  # QGIS would stand still and ask whether to replace it
    layer.saveStyleToDatabase(name, description, True, "")
    # That changes the journal mode of the file. The connections that the layer had before find no feature any more.
    layer.dataProvider().reloadData()


def check_complete(made: Path, path: Path, name: str, attributes: Sequence[str]) -> None:
    """Refuse a new GeoPackage without a layer: GDAL does not report errors that occur when it closes the file.

    Args:
        made: The file.
        path: Where it will be.
        name: Name of the layer.
        attributes: Its attributes.

    Raises:
        OutputError: naming the path.
    """
    try:
        dataset = gdal.OpenEx(str(made), gdal.OF_VECTOR)
        layer = None if dataset is None else dataset.GetLayerByName(name)
    except RuntimeError:  # where GDAL raises exceptions
        layer = None
    if layer is None or any(layer.GetLayerDefn().GetFieldIndex(one) < 0 for one in attributes):
        raise OutputError(
            tr(
                "The layer '{name}' cannot be created: {path} is incomplete, the disk may be full.",
                name=name,
                path=path,
            ),
            tr("Free some space, or choose another file."),
        )


def check_writable(layer: QgsVectorLayer) -> None:
    """Raise an error if features cannot be stored in a layer.

    Raises:
        RequestError: naming the layer and the remedy.
        OutputError: if another program locks its file.
    """
    provider = layer.dataProvider()
    needed = (
        QgsVectorDataProvider.Capability.AddFeatures
        | QgsVectorDataProvider.Capability.DeleteFeatures
        | QgsVectorDataProvider.Capability.ChangeAttributeValues
    )
    if layer.readOnly() or (provider.capabilities() & needed) != needed:
        raise RequestError(
            tr("The layer '{name}' is read-only.", name=layer.name()),
            tr("Allow writing to its file, or choose another layer."),
        )
    if layer.isEditable():
        raise RequestError(
            tr("The layer '{name}' is in edit mode.", name=layer.name()),
            tr("Save its edits and end the edit mode first."),
        )
    _check_unlocked(layer)


def store_features(
    layer: QgsVectorLayer,
    added: Sequence[QgsFeature],
    changed: Mapping[int, Mapping[int, Any]],
    removed: Sequence[int],
) -> None:
    """Change the features of a layer at once, without its edit mode.

    Args:
        layer: The layer, see :func:`check_writable`.
        added: New features.
        changed: New values by the numbers of features and attributes.
        removed: Numbers of features.

    Raises:
        OutputError: if its file cannot be written.
    """
    provider = layer.dataProvider()
    done = (
        (not added or provider.addFeatures(list(added))[0])
        and (not changed or provider.changeAttributeValues({key: dict(values) for key, values in changed.items()}))
        and (not removed or provider.deleteFeatures(list(removed)))
    )
    if not done:
        problem = cause_of(provider.lastError(), *map(str, provider.errors()), gdal.GetLastErrorMsg())
        provider.clearErrors()
        raise OutputError(
            tr("Nothing can be stored in '{name}': {problem}.", name=layer.name(), problem=problem.rstrip(".")),
            tr("Free some space, close other programs that use the file, or choose another layer."),
        )
    layer.updateExtents()
    layer.triggerRepaint()


def polygon_feature(layer: QgsVectorLayer, wkt: str, values: Mapping[str, Any]) -> QgsFeature:
    """Return a new feature of a layer of polygons or multipolygons."""
    feature = QgsFeature(layer.fields())
    geometry = QgsGeometry.fromWkt(wkt)
    if QgsWkbTypes.isMultiType(layer.wkbType()):
        geometry.convertToMultiType()
    feature.setGeometry(geometry)
    for key, value in values.items():
        feature[key] = value
    return feature


def id_of(feature: QgsFeature, attribute: str) -> str:
    """Return the id of a feature; those without one are named by their number."""
    return text_of(feature[attribute]) or f"feature {feature.id()}"


def text_of(value: Any) -> str:
    """Return a text; empty for all that is none."""
    return value if isinstance(value, str) else ""


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
        problem = "" if geometry.boundingBox().isFinite() else tr("It is too far away.")
    except QgsCsException as error:
        problem = str(error)
    if problem:
        raise RequestError(
            tr(
                "What was drawn cannot be transformed from {source} to {target}: {problem}",
                source=source.authid(),
                target=target.authid(),
                problem=problem,
            )
        )
    return geometry


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
            tr("The file of '{name}' is locked by another program.", name=layer.name()),
            tr("Close the program, or choose another layer."),
        )
