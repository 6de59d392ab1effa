"""Keeps the canvas, or a rectangle of it, classified: asks for views and shows them."""

from __future__ import annotations

from contextlib import suppress

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsPointXY, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.gui.panel.drawn_view import DrawnView
from dubai_landcover_plugin.gui.panel.subject import Subject
from dubai_landcover_plugin.gui.panel.view_layer import Reading, ViewLayer
from dubai_landcover_plugin.processing.raster_copies import ground_size, pixel_size
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.requests.session import MAX_VIEW, ProbeRequest, ViewRequest, ViewResult
from dubai_landcover_plugin.protocol.translation import tr

DELAY_MS = 350
"""Time after the last move of the canvas before a view is computed, ms."""
FIRST_PIXELS = 1_000_000
"""Pixels of the model in the middle of a large view that are classified and shown first."""


class Look(QObject):
    """Classifies what the canvas shows, again after each move, or a rectangle.

    The middle of a large view comes first, then all of it. Of a layer that the engine cannot open, the view is drawn to
    a file.

    Args:
        canvas: The map canvas.
        client: The session.
        view_layer: Shows the views.
    """

    shown = pyqtSignal(object)
    """:class:`.ViewResult` of a view that is on the canvas."""
    missed = pyqtSignal(str)
    """Why there is nothing to classify."""
    drawing = pyqtSignal(bool)
    """Whether the view is being drawn to a file."""

    def __init__(self, canvas: QgsMapCanvas, client: SessionClient, view_layer: ViewLayer) -> None:
        super().__init__()
        self._canvas, self._client, self.view_layer = canvas, client, view_layer
        self._subject: Subject | None = None
        self._entries: tuple[LandCoverClass, ...] = ()
        self._colours: dict[str, str] = {}
        self._is_on = False
        self._rectangle: QgsRectangle | None = None  # in the CRS of the raster
        self._wanted = QgsRectangle()  # part of the raster that should be shown
        self._known = QgsRectangle()  # part that was shown last
        self._asked: tuple[str, QgsRectangle] = "", QgsRectangle()  # file and part of the last request
        self._drawn = DrawnView()
        self._drawn.ready.connect(self._take_drawn)
        self._drawn.failed.connect(self._miss)
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

    @property
    def rectangle(self) -> QgsRectangle | None:
        """The only part that is classified, in the CRS of the raster; None for all of the canvas."""
        return self._rectangle

    def set_classes(self, entries: tuple[LandCoverClass, ...], colours: dict[str, str]) -> None:
        """Set classes and colours of the next views."""
        self._entries, self._colours = entries, colours

    def start(self, subject: Subject) -> None:
        """Keep the canvas classified."""
        if self._subject is None or self._subject.layer_id != subject.layer_id:
            self._rectangle = None
        self._subject, self._is_on = subject, True
        self.refresh()

    def stop(self) -> None:
        """Take the classes off the canvas."""
        self._is_on = False
        self._timer.stop()
        self._client.forget_view()
        self.view_layer.hide()
        self._drawn.clear()
        self.drawing.emit(False)
        self._known = QgsRectangle()

    def refresh(self) -> None:
        """Classify the canvas at once."""
        self._timer.stop()
        self._request()

    def set_rectangle(self, rectangle: QgsRectangle | None, subject: Subject) -> bool:
        """Classify nothing but a rectangle, in the CRS of the canvas; None for all of the canvas.

        Returns:
            Whether the rectangle is on the raster; nothing changes if it is not.
        """
        part = None
        if rectangle is not None:
            part = self._moved(subject, rectangle).intersect(subject.extent)
            if part.isEmpty():
                self.missed.emit(
                    tr("The rectangle is outside of the raster '{name}'. Draw it on the raster.", name=subject.name)
                )
                return False
        self._subject, self._rectangle = subject, part
        if self._is_on:
            self.refresh()
        return True

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
        """Ask for the probabilities at a place of the canvas, of the pixel whose class is shown there."""
        if self._subject is None or not self._is_on:
            return
        with suppress(QgsCsException):
            place = self.view_layer.shown_place(self._to_raster(self._subject).transform(point))
            self._client.probe(ProbeRequest(place.x(), place.y()))

    def _wait(self) -> None:
        if self._is_on and self._rectangle is None:
            self._timer.start()

    def _to_raster(self, subject: Subject) -> QgsCoordinateTransform:
        source = self._canvas.mapSettings().destinationCrs()
        target = subject.crs if subject.crs.isValid() else source
        return QgsCoordinateTransform(source if source.isValid() else target, target, QgsProject.instance())

    def _moved(self, subject: Subject, area: QgsRectangle) -> QgsRectangle:
        """Return an area of the canvas in the CRS of the raster; an empty one where it cannot be transformed."""
        try:
            return self._to_raster(subject).transformBoundingBox(area)
        except QgsCsException:
            return QgsRectangle()

    def _request(self) -> None:
        """Ask for what should be shown now."""
        subject = self._subject
        if subject is None or not self._is_on:
            return
        visible = self._moved(subject, self._canvas.mapSettings().visibleExtent())
        part = self._rectangle or visible.intersect(subject.extent)
        if part.isEmpty():
            self.missed.emit(tr("The raster '{name}' is outside of the view.", name=subject.name))
            return
        self._wanted = part
        if subject.copied is None or self._drawn.covers(part):
            self._ask_first(subject)
            return
        width, height = pixel_size(subject.copied, part, subject.model.gsd, QgsProject.instance().transformContext())
        pixels = part.width() / width * part.height() / height
        if pixels > MAX_VIEW:
            text = tr(
                "The view of '{name}' has {pixels:,} Mpx; the limit is {limit} Mpx. Zoom in, or draw a rectangle."
            )
            limit = round(MAX_VIEW / 1e6)
            self.missed.emit(text.format(name=subject.name, pixels=round(pixels / 1e6), limit=limit))
            return
        self._drawn.draw(subject.copied, part, subject.model.gsd)
        self.drawing.emit(True)

    def _take_drawn(self) -> None:
        """Open the file that was drawn of the view."""
        self.drawing.emit(False)
        if self._subject is not None and self._is_on:
            self._client.open(self._subject.opening(self._drawn.path))
            self._ask_first(self._subject)

    def _miss(self, problem: str) -> None:
        self.drawing.emit(False)
        self.missed.emit(problem)

    def _ask_first(self, subject: Subject) -> None:
        """Ask for the view, or first for the middle of a large one that is new."""
        part = self._wanted
        width, height = ground_size(subject.crs, part, subject.model.gsd, QgsProject.instance().transformContext())
        if not subject.crs.isValid():
            width = height = subject.pixel
        share = (2 * FIRST_PIXELS * width * height / max(part.width() * part.height(), 1e-12)) ** 0.5
        if share < 1 and not self._known.contains(part):
            share /= 2**0.5
            part = QgsRectangle.fromCenterAndSize(part.center(), share * part.width(), share * part.height())
        self._ask(part, subject)

    def _ask(self, part: QgsRectangle, subject: Subject) -> None:
        classes, confidence = self.view_layer.next_paths()
        pixel = subject.pixel
        if self._rectangle is None:
            visible = self._moved(subject, self._canvas.mapSettings().visibleExtent())
            pixel = max(visible.width() / max(self._canvas.width(), 1), pixel)
        extent = (part.xMinimum(), part.yMinimum(), part.xMaximum(), part.yMaximum())
        self._asked = classes, part
        self._client.view(ViewRequest(extent, classes, pixel, confidence))

    def _show(self, result: ViewResult) -> None:
        subject = self._subject
        layer = None if subject is None else QgsProject.instance().mapLayer(subject.layer_id)
        if not self._is_on or subject is None or not isinstance(layer, QgsRasterLayer):
            return
        self.view_layer.show(result.output, result.confidence or "", self._entries, self._colours, layer)
        path, part = self._asked
        if path != result.output:
            return
        if part != self._wanted:  # the middle; now all of it
            self._ask(self._wanted, subject)
            return
        self._known = part
        self.shown.emit(result)
