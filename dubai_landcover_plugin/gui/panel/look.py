"""Keeps the canvas classified: asks for views and shows them."""

from __future__ import annotations

from contextlib import suppress

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsPointXY, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.gui.panel.subject import Subject
from dubai_landcover_plugin.gui.panel.view_layer import Reading, ViewLayer
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.requests.session import ProbeRequest, ViewRequest, ViewResult
from dubai_landcover_plugin.protocol.translation import tr

DELAY_MS = 350
"""Time after the last move of the canvas before a view is computed, ms."""


class Look(QObject):
    """Classifies what the canvas shows, again after each move.

    Args:
        canvas: The map canvas.
        client: The session.
        view_layer: Shows the views.
    """

    shown = pyqtSignal(object)
    """:class:`.ViewResult` of a view that is on the canvas."""
    missed = pyqtSignal(str)
    """Why there is nothing to classify."""

    def __init__(self, canvas: QgsMapCanvas, client: SessionClient, view_layer: ViewLayer) -> None:
        super().__init__()
        self._canvas, self._client, self.view_layer = canvas, client, view_layer
        self._subject: Subject | None = None
        self._entries: tuple[LandCoverClass, ...] = ()
        self._colours: dict[str, str] = {}
        self._is_on = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._request)
        canvas.extentsChanged.connect(self._wait)
        canvas.destinationCrsChanged.connect(self._wait)
        client.viewed.connect(self._show)

    @property
    def is_on(self) -> bool:
        """Whether the canvas is kept classified."""
        return self._is_on

    def set_classes(self, entries: tuple[LandCoverClass, ...], colours: dict[str, str]) -> None:
        """Set classes and colours of the next views."""
        self._entries, self._colours = entries, colours

    def start(self, subject: Subject) -> None:
        """Keep the canvas classified."""
        self._subject, self._is_on = subject, True
        self.refresh()

    def stop(self) -> None:
        """Take the classes off the canvas."""
        self._is_on = False
        self._timer.stop()
        self._client.forget_view()
        self.view_layer.hide()

    def refresh(self) -> None:
        """Classify the canvas at once."""
        self._timer.stop()
        self._request()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._canvas.extentsChanged.disconnect(self._wait)
        self._canvas.destinationCrsChanged.disconnect(self._wait)
        self.view_layer.close()

    def read(self, point: QgsPointXY) -> Reading | None:
        """Return class and confidence at a place of the canvas."""
        if self._subject is None or not self._is_on:
            return None
        try:
            return self.view_layer.read(self._to_raster(self._subject).transform(point))
        except QgsCsException:
            return None

    def probe(self, point: QgsPointXY) -> None:
        """Ask for the probabilities at a place of the canvas."""
        if self._subject is None or not self._is_on:
            return
        with suppress(QgsCsException):
            place = self._to_raster(self._subject).transform(point)
            self._client.probe(ProbeRequest(place.x(), place.y()))

    def _wait(self) -> None:
        if self._is_on:
            self._timer.start()

    def _to_raster(self, subject: Subject) -> QgsCoordinateTransform:
        source = self._canvas.mapSettings().destinationCrs()
        target = subject.crs if subject.crs.isValid() else source
        return QgsCoordinateTransform(source if source.isValid() else target, target, QgsProject.instance())

    def _request(self) -> None:
        subject = self._subject
        if subject is None or not self._is_on:
            return
        visible = self._canvas.mapSettings().visibleExtent()
        try:
            area = self._to_raster(subject).transformBoundingBox(visible)
        except QgsCsException:
            area = QgsRectangle()
        part = area.intersect(subject.extent)
        if part.isEmpty():
            self.missed.emit(tr("The raster '{name}' is outside of the view.").format(name=subject.name))
            return
        pixel = max(area.width() / max(self._canvas.width(), 1), subject.pixel)
        classes, confidence = self.view_layer.next_paths()
        extent = (part.xMinimum(), part.yMinimum(), part.xMaximum(), part.yMaximum())
        self._client.view(ViewRequest(extent, classes, pixel, confidence))

    def _show(self, result: ViewResult) -> None:
        subject = self._subject
        layer = None if subject is None else QgsProject.instance().mapLayer(subject.layer_id)
        if not self._is_on or not isinstance(layer, QgsRasterLayer):
            return
        self.view_layer.show(result.output, result.confidence or "", self._entries, self._colours, layer)
        self.shown.emit(result)
