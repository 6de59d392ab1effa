"""Map tool that draws samples and corrections: click, brushed line or polygon."""

from __future__ import annotations

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.gui.panel.keys import SampleKeys

POINT, LINE, POLYGON, PLACE = "point", "line", "polygon", "place"
_SEGMENTS = 8  # of a quarter of a circle
_LEAST_MOVE = 3  # px of the screen between the vertices of a line
_FILL_ALPHA = 80


class SampleTool(QgsMapTool):
    """Draws samples on the canvas.

    A click gives a circle of the brush's width, a drag a line of that width; vertices of a polygon are clicked, a right
    click or a double click closes it, Backspace removes the last one, Escape all of them. The kind ``place`` draws
    nothing and reports where a click was.

    Args:
        canvas: The map canvas.
        keys: Takes the keys of the canvas while the tool is active.
    """

    drawn = pyqtSignal(QgsGeometry, str)
    """Polygon in the CRS of the canvas, and the kind of the sample."""
    picked = pyqtSignal(QgsPointXY)
    """Place in the CRS of the canvas that was clicked with the kind ``place``."""

    def __init__(self, canvas: QgsMapCanvas, keys: SampleKeys) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._keys = keys
        self._kind = LINE
        self._width = 1.0
        self._points: list[QgsPointXY] = []
        self._last = QPoint()
        self._dragging = False
        self._band = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._band.setWidth(2)
        self._brush = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._brush.setWidth(1)
        self.set_colour(QColor("#ff0000"))
        self.setCursor(Qt.CursorShape.CrossCursor)

    def set_kind(self, kind: str) -> None:
        """Choose ``point``, ``line``, ``polygon`` or ``place``."""
        self._kind = kind
        self._clear()

    def set_width(self, width: float) -> None:
        """Set the width of the brush, map units of the canvas."""
        self._width = width
        self._brush.reset(QgsWkbTypes.GeometryType.PolygonGeometry)

    def set_colour(self, colour: QColor) -> None:
        """Draw in the colour of a class."""
        fill = QColor(colour)
        fill.setAlpha(_FILL_ALPHA)
        for band in (self._band, self._brush):
            band.setStrokeColor(colour)
            band.setSecondaryStrokeColor(QColor("#ffffff"))
            band.setFillColor(fill)

    def activate(self) -> None:
        """Take the keys of the canvas."""
        super().activate()
        self._canvas.installEventFilter(self._keys)
        self._canvas.setFocus()

    def deactivate(self) -> None:
        """Leave no drawing behind."""
        self._canvas.removeEventFilter(self._keys)
        self._clear()
        super().deactivate()

    def remove(self) -> None:
        """Take the drawing off the canvas for good."""
        for band in (self._band, self._brush):
            self._canvas.scene().removeItem(band)

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:
        """Start a line, or add a vertex to the polygon."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._kind == POLYGON:
            self._points.append(self._place(event))
        else:
            self._points, self._dragging = [self._place(event)], True
        self._last = event.pos()
        self._show(event)

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        """Continue the line; show the brush."""
        is_far = (event.pos() - self._last).manhattanLength() >= _LEAST_MOVE
        if self._dragging and self._kind == LINE and is_far:
            self._points.append(self._place(event))
            self._last = event.pos()
        self._show(event)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """End a click or a line; a right click closes the polygon."""
        if self._kind == POLYGON:
            if event.button() == Qt.MouseButton.RightButton:
                self._finish_polygon()
            return
        if event.button() == Qt.MouseButton.LeftButton and self._dragging:
            shape, kind, first = self._stroke(), LINE if len(self._points) > 1 else POINT, self._points[0]
            self._clear()
            if self._kind == PLACE:
                self.picked.emit(first)
            else:
                self.drawn.emit(shape, kind)

    def canvasDoubleClickEvent(self, event: QgsMapMouseEvent) -> None:
        """Close the polygon."""
        if self._kind == POLYGON and event.button() == Qt.MouseButton.LeftButton:
            self._finish_polygon()
        elif event.button() == Qt.MouseButton.LeftButton:
            self.canvasPressEvent(event)  # Qt sends the second press of a quick pair as this event

    def take_key(self, key: int) -> bool:
        """Take a key without modifiers that belongs to a drawing; return whether it did."""
        if not self._points or key not in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            return False
        if key == Qt.Key.Key_Escape or self._kind != POLYGON:
            self._clear()
        else:
            self._remove_vertex()
        return True

    def _place(self, event: QgsMapMouseEvent) -> QgsPointXY:
        return self.toMapCoordinates(event.pos())

    def _stroke(self) -> QgsGeometry:
        """Return what the brush covers."""
        if len(self._points) > 1:
            shape = QgsGeometry.fromPolylineXY(self._points)
        else:
            shape = QgsGeometry.fromPointXY(self._points[0])
        return shape.buffer(self._width / 2, _SEGMENTS)

    def _show(self, event: QgsMapMouseEvent) -> None:
        """Draw what is there so far, and the brush."""
        place = self._place(event)
        if self._kind == PLACE:
            return
        if self._kind == POLYGON:
            self._brush.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
            self._band.setToGeometry(QgsGeometry.fromPolygonXY([[*self._points, place]]), None)
            return
        self._brush.setToGeometry(QgsGeometry.fromPointXY(place).buffer(self._width / 2, _SEGMENTS), None)
        if self._points:
            self._band.setToGeometry(self._stroke(), None)

    def _finish_polygon(self) -> None:
        points = [point for before, point in zip([None, *self._points], self._points) if point != before]
        self._clear()
        shape = QgsGeometry.fromPolygonXY([points]) if len(points) > 2 else QgsGeometry()
        shape = shape.makeValid() if not shape.isNull() else shape
        if not shape.isNull() and shape.area() > 0:
            self.drawn.emit(shape, POLYGON)

    def _remove_vertex(self) -> None:
        self._points.pop()
        if not self._points:
            self._clear()
        else:
            self._band.setToGeometry(QgsGeometry.fromPolygonXY([self._points]), None)

    def _clear(self) -> None:
        self._points, self._dragging = [], False
        for band in (self._band, self._brush):
            band.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
