"""Vector layers as the engine can read them: a file, or a temporary GeoPackage written from the layer.

The engine reads files, not what QGIS adds to them: selections, filters, joined and virtual fields, unsaved edits, or a
CRS, a geometry type or an encoding set on the layer. Layers with these are copied first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsFields,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr

_SUFFIXES = (".gpkg", ".shp", ".geojson", ".fgb")
"""Of files that the engine reads as they are."""
_FID = "dubai_landcover_fid"  # of the copy, so that a field called fid stays as it is


def vector_source(
    algorithm: QgsProcessingAlgorithm,
    parameters: Mapping[str, Any],
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
    field: str = "",
) -> str:
    """Return a vector parameter as the engine reads it, ``path|layername=NAME``; empty where none was chosen.

    Call it in the main thread.

    Args:
        algorithm: The algorithm.
        parameters: Values of its parameters.
        name: Name of the parameter.
        context: Processing's context.
        feedback: Receives messages.
        field: Field that the engine reads; empty where it reads none.

    Raises:
        QgsProcessingException: if the layer must be copied and cannot be.
    """
    source = algorithm.parameterAsSource(parameters, name, context) if parameters.get(name) else None
    if source is None:
        return ""
    layer = _layer(parameters[name], context)
    if layer is not None and _is_whole(parameters[name]) and not _is_key(layer, field):
        path = _file_of(layer)
        if path:
            return path
    return _copy(source, context, feedback)


def optional_vector_source(
    algorithm: QgsProcessingAlgorithm,
    parameters: Mapping[str, Any],
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> str | None:
    """Return an optional vector parameter as :func:`vector_source` does; None where none was chosen.

    Call it in the main thread.

    Raises:
        QgsProcessingException: if the layer cannot be found, or must be copied and cannot be.
    """
    source = vector_source(algorithm, parameters, name, context, feedback)
    if parameters.get(name) not in (None, "") and not source:
        raise QgsProcessingException(algorithm.invalidSourceError(parameters, name))
    return source or None


def check_saved(value: Any, context: QgsProcessingContext) -> None:
    """Refuse a layer with edits that are not saved: labels belong into the file.

    Raises:
        RequestError: naming the layer.
    """
    layer = _layer(value, context)
    if layer is not None and layer.isModified():
        raise RequestError(
            tr("The layer '{name}' has edits that are not saved.", name=layer.name()),
            tr("Save them first (Save Layer Edits)."),
        )


def _layer(value: Any, context: QgsProcessingContext) -> QgsVectorLayer | None:
    """Return the layer in the value of a parameter; None for anything else."""
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.valueAsString(context.expressionContext(), "")[0]
    layer: QgsMapLayer | None = value if isinstance(value, QgsMapLayer) else None
    if isinstance(value, str) and value:
        layer = QgsProcessingUtils.mapLayerFromString(value, context)
    return layer if isinstance(layer, QgsVectorLayer) else None


def _is_whole(value: Any) -> bool:
    """Return whether a parameter takes all features of its layer."""
    if not isinstance(value, QgsProcessingFeatureSourceDefinition):
        return True
    limited = value.selectedFeaturesOnly or value.featureLimit > 0
    return not limited and not getattr(value, "filterExpression", "")  # of QGIS 3.32 and newer


def _is_key(layer: QgsVectorLayer, field: str) -> bool:
    """Return whether a field is the feature id, such as ``fid`` of a GeoPackage, which the engine reads as no field."""
    provider = layer.dataProvider()
    return field in {provider.fields().at(index).name() for index in provider.pkAttributeIndexes()}


def _file_of(layer: QgsVectorLayer) -> str:
    """Return the file of a layer, ``path|layername=NAME``; empty where it is not all that the layer shows."""
    if layer.providerType() != "ogr" or layer.isModified() or layer.subsetString():
        return ""
    parts = QgsProviderRegistry.instance().decodeUri("ogr", layer.source())
    path = str(parts.get("path") or "")
    further = set(parts) - {"path", "layerName"}
    if any(parts[key] not in (None, "", [], {}) for key in further) or not os.path.isfile(path):
        return ""
    provided = layer.dataProvider()
    if layer.crs() != provided.crs() or _origins(layer.fields()) - {QgsFields.FieldOrigin.OriginProvider}:
        return ""
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES or (suffix == ".shp" and not _has_declared_encoding(layer, Path(path))):
        return ""
    name = parts.get("layerName")
    return f"{os.path.abspath(path)}|layername={name}" if name else os.path.abspath(path)


def _origins(fields: QgsFields) -> set[Any]:
    """Return where fields come from: the file, a join, an expression or the edit buffer."""
    return {fields.fieldOrigin(index) for index in range(fields.count())}


def _has_declared_encoding(layer: QgsVectorLayer, path: Path) -> bool:
    """Return whether a shapefile declares the encoding that the layer has; else QGIS and the engine may guess it."""
    declared = path.with_suffix(".cpg")
    fresh = QgsVectorLayer(layer.source(), "", "ogr")
    return declared.is_file() and fresh.dataProvider().encoding() == layer.dataProvider().encoding()


def _copy(source: QgsProcessingFeatureSource, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> str:
    """Write the features of a source to a temporary GeoPackage and return its path.

    Raises:
        QgsProcessingException: with the reason why it could not be written.
    """
    path = QgsProcessingUtils.generateTempFilename("layer.gpkg")
    feedback.pushInfo(tr("Copying '{name}' to a temporary GeoPackage.", name=source.sourceName()))
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "layer"
    options.layerOptions = [f"FID={_FID}"]
    writer = QgsVectorFileWriter.create(
        path, source.fields(), source.wkbType(), source.sourceCrs(), context.transformContext(), options
    )
    unchecked = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks  # the engine repairs or refuses
    iterator = source.getFeatures(QgsFeatureRequest(), unchecked)
    done = writer.hasError() == QgsVectorFileWriter.WriterError.NoError
    done = done and writer.addFeatures(iterator, QgsFeatureSink.Flag.FastInsert) and writer.flushBuffer()
    message = writer.errorMessage()
    del writer  # closes the file
    if not done:
        raise QgsProcessingException(
            tr("The layer '{name}' could not be copied: {message}", name=source.sourceName(), message=message)
        )
    return f"{path}|layername=layer"
