"""A button that lets the user drag a rectangle on the canvas."""

from __future__ import annotations

from qgis.core import QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsMapToolExtent
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QToolButton


class RectangleTool(QObject):
    """The map tool of a button that can be checked; unchecking gives the canvas back the tool that it had.

    Args:
        canvas: The map canvas.
        button: The button.
    """

    drawn = pyqtSignal(QgsRectangle)
    """Rectangle in the CRS of the canvas."""

    def __init__(self, canvas: QgsMapCanvas, button: QToolButton) -> None:
        super().__init__(button)
        self._canvas, self._button = canvas, button
        self._earlier: QgsMapTool | None = None
        self.tool = QgsMapToolExtent(canvas)
        self.tool.extentChanged.connect(self._take)
        self.tool.deactivated.connect(lambda: button.setChecked(False))
        button.toggled.connect(self._switch)

    def close(self) -> None:
        """Take the tool off the canvas for good."""
        self._button.setChecked(False)
        self._canvas.unsetMapTool(self.tool)

    def _switch(self, is_on: bool) -> None:
        current = self._canvas.mapTool()
        if is_on and current is not self.tool:
            self._earlier = current
            self._canvas.setMapTool(self.tool)
        elif not is_on and current is self.tool:
            if self._earlier is not None:
                self._canvas.setMapTool(self._earlier)
            else:
                self._canvas.unsetMapTool(self.tool)

    def _take(self, rectangle: QgsRectangle) -> None:
        if not rectangle.isEmpty():
            self.drawn.emit(rectangle)
