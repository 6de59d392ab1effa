"""Base class of algorithms whose input is a classified raster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.protocol.errors import RequestError


class ClassifiedRasterAlgorithm(LandCoverAlgorithm):
    """An algorithm that reads a raster made by Segment Land Cover and, optionally, its confidence raster."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        """Paths of the layers by option name, once the algorithm is prepared."""

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse layers that the engine cannot open."""
        super().check(parameters, context)
        for name in ("INPUT", "CONFIDENCE"):
            if self.parameterDefinition(name) is not None:
                check_is_file(self.parameterAsRasterLayer(parameters, name, context))

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        self.inputs = {}
        for name in ("INPUT", "CONFIDENCE"):
            if name == "CONFIDENCE" and not (self.parameterDefinition(name) and parameters.get(name)):
                continue
            layer = self.parameterAsRasterLayer(parameters, name, context)
            if layer is None or not layer.isValid():
                raise QgsProcessingException(self.invalidRasterError(parameters, name))
            self.inputs[name.lower()] = engine_path(layer)
        return True


def check_is_file(layer: QgsRasterLayer | None) -> None:
    """Refuse a layer that the engine cannot open.

    Raises:
        RequestError: with its name.
    """
    if layer is not None and layer.isValid() and not engine_path(layer):
        raise RequestError(
            tr("The layer '{name}' is not a raster file.").format(name=layer.name()),
            tr("Choose a raster that Segment Land Cover has written."),
        )
