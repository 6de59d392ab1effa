"""What the algorithms of an assessment are given: a classified raster, a layer of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorLayer,
)

from dubai_landcover_plugin.core.errors import RequestError
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.raster_input import engine_path


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
