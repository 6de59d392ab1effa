"""What the algorithms of an assessment are given: a classified raster, a layer of labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorLayer,
)

from dubai_landcover_plugin.core.errors import RequestError
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.raster_input import engine_path

_FORMATS = ["gpkg", "shp", "geojson", "fgb"]


def raster_path(
    algorithm: QgsProcessingAlgorithm, parameters: Mapping[str, Any], name: str, context: QgsProcessingContext
) -> str:
    """Return the path of a raster parameter; empty where none was chosen.

    Raises:
        RequestError: if the layer is broken or no file.
    """
    layer: QgsRasterLayer | None = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        if not parameters.get(name):
            return ""
        raise RequestError(algorithm.invalidRasterError(parameters, name))
    path = engine_path(layer) if layer.isValid() else ""
    if not path:
        raise RequestError(
            tr("The layer '{name}' is no raster file.").format(name=layer.name()), tr("Save it as GeoTIFF first.")
        )
    return path


def vector_source(
    algorithm: QgsProcessingAlgorithm,
    parameters: Mapping[str, Any],
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> str:
    """Return a vector parameter as the engine reads it, ``path|layername=NAME``; empty where none was chosen.

    Layers in memory, selections and what the engine cannot open are written to a temporary file.
    """
    if not parameters.get(name):
        return ""
    path, layer = algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
        parameters, name, context, _FORMATS, "gpkg", feedback
    )
    if not path:
        return ""
    return f"{os.path.abspath(path)}|layername={layer}" if layer else os.path.abspath(path)


def check_saved(value: Any, context: QgsProcessingContext) -> None:
    """Refuse a layer with edits that only QGIS knows: the engine reads the file.

    Raises:
        RequestError: naming the layer.
    """
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.staticValue()
    layer: QgsMapLayer | None = value if isinstance(value, QgsMapLayer) else None
    if isinstance(value, str) and value:
        layer = QgsProcessingUtils.mapLayerFromString(value, context, False)
    if isinstance(layer, QgsVectorLayer) and layer.isModified():
        raise RequestError(
            tr("The layer '{name}' has edits that are not saved.").format(name=layer.name()),
            tr("Save them first (Save Layer Edits)."),
        )
