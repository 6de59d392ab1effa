"""Sample image: drawn in the background, added to the project, and proposed to Segment Land Cover."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateTransform,
    QgsProcessing,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgsMessageBarItem
from qgis.PyQt import sip

from dubai_landcover_plugin.protocol.translation import tr

_DRAWING: list[SampleImage] = []
"""The image that is being drawn."""


class SampleImage:
    """Draws the sample image; when it is ready, opens the dialog of Segment Land Cover with all main outputs.

    Args:
        iface: QGIS's ``QgisInterface``.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._output = QgsProcessingUtils.generateTempFilename("sample_town.tif")
        self._context = QgsProcessingContext()
        self._feedback = _Errors()
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("dubailandcover:sampledata")
        parameters = {"OUTPUT": self._output, "LABELS": None}
        self._task = QgsProcessingAlgRunnerTask(algorithm, parameters, self._context, self._feedback)
        self._task.executed.connect(self._end)
        self._message = self._show(tr("Drawing the sample image…"), Qgis.MessageLevel.Info)
        QgsApplication.taskManager().addTask(self._task)

    def cancel(self) -> None:
        """Stop; nothing is shown then. The task, which uses what is kept here, ends later."""
        self._feedback.cancel()
        self._hide_message()

    def _end(self, succeeded: bool, results: dict[str, Any]) -> None:
        _DRAWING.clear()
        self._hide_message()
        layer = QgsRasterLayer(self._output, tr("Sample town")) if succeeded and results else None
        if layer is not None and layer.isValid():
            self._propose(layer)
        elif not self._feedback.isCanceled():
            text = tr("The sample image could not be drawn. {error}", error=self._feedback.text).strip()
            self._show(text, Qgis.MessageLevel.Critical)

    def _propose(self, layer: QgsRasterLayer) -> None:
        """Add the image to the project, move the map there, and open the dialog."""
        import processing  # a plugin of QGIS that is loaded after this module

        QgsProject.instance().addMapLayer(layer)
        self._iface.setActiveLayer(layer)
        canvas = self._iface.mapCanvas()
        to_map = QgsCoordinateTransform(layer.crs(), canvas.mapSettings().destinationCrs(), QgsProject.instance())
        canvas.setExtent(to_map.transformBoundingBox(layer.extent()))
        canvas.refresh()
        outputs = dict.fromkeys(("BUILDINGS", "ROADS"), QgsProcessing.TEMPORARY_OUTPUT)
        processing.execAlgorithmDialog("dubailandcover:segmentlandcover", {"INPUT": layer.id(), **outputs})

    def _show(self, text: str, level: Qgis.MessageLevel) -> QgsMessageBarItem:
        item = self._iface.messageBar().createMessage(tr("Land Cover"), text)
        self._iface.messageBar().pushWidget(item, level, 0)  # until it is removed, or the user closes it
        return item

    def _hide_message(self) -> None:
        if not sip.isdeleted(self._message):  # the user has closed it
            self._iface.messageBar().popWidget(self._message)


class _Errors(QgsProcessingFeedback):
    """Keeps the last error of a run."""

    def __init__(self) -> None:
        super().__init__(False)
        self.text = ""

    def reportError(self, error: str, fatalError: bool = False) -> None:
        """Keep an error; QGIS calls this."""
        self.text = error


def try_sample_image(iface: Any) -> None:
    """Draw the sample image and propose it to Segment Land Cover, unless it is being drawn.

    Args:
        iface: QGIS's ``QgisInterface``.
    """
    if not _DRAWING:
        _DRAWING.append(SampleImage(iface))


def stop_sample_image() -> None:
    """Stop drawing, before the plugin is unloaded."""
    for image in _DRAWING:
        image.cancel()
