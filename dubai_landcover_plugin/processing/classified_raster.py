"""What algorithms share whose input is a classified raster."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError


class ClassifiedRasterAlgorithm(LandCoverAlgorithm):
    """An algorithm that reads a raster made by Segment Land Cover, and perhaps its confidence."""

    _input = ""
    _confidence: str | None = None

    def add_classified(self) -> None:
        """Declare the classified raster."""
        self.add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Classified raster")),
            tr("A raster of class ids, as Segment Land Cover makes it."),
        )

    def add_confidence(self) -> None:
        """Declare the confidence raster."""
        self.add(
            QgsProcessingParameterRasterLayer("CONFIDENCE", tr("Confidence raster"), optional=True),
            tr("The confidence raster of the same run, in percent. Adds how sure the classes are."),
        )

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            for name in ("INPUT", "CONFIDENCE"):
                if self.parameterDefinition(name) is not None:
                    check_is_file(self.parameterAsRasterLayer(parameters, name, context))
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None or not layer.isValid():
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        self._input = engine_path(layer)
        self._confidence = None
        if self.parameterDefinition("CONFIDENCE") is not None and parameters.get("CONFIDENCE") not in (None, ""):
            layer = self.parameterAsRasterLayer(parameters, "CONFIDENCE", context)
            if layer is None or not layer.isValid():
                raise QgsProcessingException(self.invalidRasterError(parameters, "CONFIDENCE"))
            self._confidence = engine_path(layer)
        return True


def check_is_file(layer: QgsRasterLayer | None) -> None:
    """Refuse a layer that the engine cannot open.

    Raises:
        RequestError: with its name.
    """
    if layer is not None and layer.isValid() and not engine_path(layer):
        raise RequestError(
            tr("The layer '{name}' is no raster file.").format(name=layer.name()),
            tr("Choose a raster that Segment Land Cover has written."),
        )
