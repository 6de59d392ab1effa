"""What every algorithm of the provider shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from dubai_landcover_plugin.processing.feedback import FeedbackMonitor
from dubai_landcover_plugin.processing.resources import resource
from dubai_landcover_plugin.protocol.errors import LandCoverError, RunCancelled
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.runner.run import run_task
from dubai_landcover_plugin.runner.settings import engine_interpreter

HELP_URL = "https://github.com/dubai-landcover/dubai-landcover-qgis/blob/main/docs/qgis.md"


def tr(text: str) -> str:
    """Translate a text of the plugin."""
    return QCoreApplication.translate("DubaiLandCover", text)


class LandCoverAlgorithm(QgsProcessingAlgorithm):
    """An algorithm whose work is done by the engine."""

    def createInstance(self) -> QgsProcessingAlgorithm:
        """Return a fresh algorithm of the same kind."""
        return type(self)()

    def icon(self) -> QIcon:
        """Return the provider's icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the icon as a file."""
        return resource("icons/landcover.svg")

    def helpUrl(self) -> str:
        """Return the page that explains the algorithms."""
        return HELP_URL

    def canExecute(self) -> tuple[bool, str]:
        """Return whether there is an engine, and if not, how to get one."""
        try:
            engine_interpreter()
        except LandCoverError as error:
            return False, str(error)
        return True, ""

    def add(
        self, parameter: QgsProcessingParameterDefinition, help_text: str, advanced: bool = False, created: bool = True
    ) -> None:
        """Add a parameter with its help.

        Args:
            parameter: The parameter; QGIS takes it over.
            help_text: What it means, for the dialog's tooltip and help panel.
            advanced: Whether it hides among the advanced ones.
            created: For an optional output: whether the dialog proposes to make it.
        """
        parameter.setHelp(help_text)
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        if parameter.isDestination():
            parameter.setCreateByDefault(created)
        if not self.addParameter(parameter):
            raise QgsProcessingException(f"The parameter {parameter.name()} was refused by QGIS.")

    def run_engine(self, task: str, request: Mapping[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Run a request in the engine and return its result.

        Raises:
            QgsProcessingException: with the engine's message and remedy.
        """
        hint = (
            tr("Request; 'landcover segment --request FILE' repeats it:")
            if task == "segment_raster"
            else tr("Request:")
        )
        feedback.pushInfo(hint)
        feedback.pushCommandInfo(dumps(request))
        try:
            interpreter = engine_interpreter()
            feedback.pushDebugInfo(tr("Engine: {path} (from {origin})").format(**vars(interpreter)))
            return run_task(interpreter.path, task, request, FeedbackMonitor(feedback))
        except RunCancelled as error:
            feedback.pushInfo(str(error))
            raise QgsProcessingException(str(error)) from error
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
