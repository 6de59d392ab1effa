"""Turns a vector parameter into something that the engine can open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingFeedback

_FORMATS = ["gpkg", "shp", "geojson", "fgb"]


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
