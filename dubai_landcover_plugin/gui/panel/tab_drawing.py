"""Links a tab that draws, its map tool and the canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Callable, Protocol

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsProject,
    QgsRectangle,
    QgsUnitTypes,
    QgsWkbTypes,
)
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QFileDialog, QWidget

from dubai_landcover_plugin.gui.panel.draw_tab import DrawTab
from dubai_landcover_plugin.gui.panel.keys import SampleKeys
from dubai_landcover_plugin.gui.panel.sample_tool import SampleTool
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.translation import tr

_BRUSH_PX = 6  # default width of the brush, px of the raster
_CLOSEST_PX = 250  # px of the raster along the side of the view that shows a place
_WIDEST = 1e6


def reported(action: Callable[..., Any]) -> Callable[..., None]:
    """Return a slot of a :class:`TabDrawing` that shows errors in the panel."""

    @wraps(action)
    def run(self: TabDrawing, *arguments: Any) -> None:
        try:
            action(self, *arguments)
        except LandCoverError as error:
            self.said.emit("error", str(error))

    return run


class Ground(Protocol):
    """The raster that is drawn on."""

    @property
    def crs(self) -> QgsCoordinateReferenceSystem:
        """CRS of the layer."""

    @property
    def extent(self) -> QgsRectangle:
        """Its extent in that CRS."""

    @property
    def pixel(self) -> float:
        """Width of a pixel in units of the CRS."""


class Edits(Protocol):
    """The features that a tab draws. Changes raise :class:`.LandCoverError` where they cannot be stored."""

    @property
    def classes(self) -> Sequence[LandCoverClass]:
        """Classes that features can have."""

    def undo(self) -> object:
        """Take back the last change."""

    def redo(self) -> object:
        """Do a change again."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove features."""

    def set_class(self, names: Iterable[str], entry: LandCoverClass) -> None:
        """Give features another class."""


class TabDrawing(QObject):
    """What tabs that draw have in common: the map tool, its keys, changes of what was drawn, going to places.

    Args:
        canvas: The map canvas.
        tab: The widgets.
        edits: What is drawn.
    """

    said = pyqtSignal(str, str)
    """Level and text for the user."""
    acted = pyqtSignal()
    """The user did something; earlier messages are answered."""

    def __init__(self, canvas: QgsMapCanvas, tab: DrawTab, edits: Edits) -> None:
        super().__init__()
        self._canvas = canvas
        self._tab = tab
        self._edits = edits
        self._ground: Ground | None = None
        self._earlier_tool: QgsMapTool | None = None
        self.keys = SampleKeys(self)
        self.tool = SampleTool(canvas, self.keys)
        self.keys.drawing = self.tool.take_key
        self._spot = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._spot.setColor(QColor("#ffffff"))
        self._spot.setFillColor(QColor(0, 0, 0, 0))
        self._spot.setWidth(3)
        for widget in (tab, tab.classes, tab.features):  # lists search for what is typed
            widget.installEventFilter(self.keys)
        self.keys.chosen.connect(tab.choose_class)
        self.keys.undo.connect(self.undo)
        self.keys.redo.connect(self.redo)
        tab.undo.clicked.connect(self.undo)
        tab.redo.clicked.connect(self.redo)
        tab.delete_asked.connect(self.delete)
        tab.class_asked.connect(self.set_class)
        tab.tool_chosen.connect(self.choose_tool)
        tab.width_changed.connect(self.tool.set_width)
        tab.class_chosen.connect(self.show_colour)
        self.tool.deactivated.connect(lambda: tab.set_tool(""))
        canvas.destinationCrsChanged.connect(self._set_default_width)

    def set_ground(self, ground: Ground | None) -> None:
        """Draw on another raster; None for no raster."""
        self._ground = ground
        self.forget_spot()
        self._set_default_width()
        self._tab.setEnabled(ground is not None)
        if ground is None:
            self.choose_tool("")

    def close(self) -> None:
        """Take tool and marks off the canvas for good."""
        self._canvas.destinationCrsChanged.disconnect(self._set_default_width)
        self.choose_tool("")
        self._canvas.unsetMapTool(self.tool)
        self.tool.remove()
        self._canvas.scene().removeItem(self._spot)

    def choose_tool(self, kind: str) -> None:
        """Draw features of a kind; an empty one gives the canvas back the tool that it had."""
        if kind:
            self.tool.set_kind(kind)
            if self._canvas.mapTool() is not self.tool:
                self._earlier_tool = self._canvas.mapTool()
                self._canvas.setMapTool(self.tool)
            self._tab.set_tool(kind)
            self.show_colour()
            self._canvas.setFocus()
        elif self._canvas.mapTool() is self.tool:
            if self._earlier_tool is not None:
                self._canvas.setMapTool(self._earlier_tool)
            else:
                self._canvas.unsetMapTool(self.tool)

    @reported
    def undo(self, *_: object) -> None:
        """Take back the last change."""
        self.acted.emit()
        self._edits.undo()

    @reported
    def redo(self, *_: object) -> None:
        """Do a change again."""
        self.acted.emit()
        self._edits.redo()

    @reported
    def delete(self, names: Sequence[str]) -> None:
        """Remove features."""
        self.acted.emit()
        self._edits.delete(names)

    @reported
    def set_class(self, names: Sequence[str], class_name: str) -> None:
        """Give features another class."""
        self.acted.emit()
        self._edits.set_class(names, self.entry(class_name))

    def entry(self, name: str) -> LandCoverClass:
        """Return the class with a name.

        Raises:
            RequestError: if there is none.
        """
        found = next((entry for entry in self._edits.classes if entry.name == name), None)
        if found is None:
            raise RequestError(tr("Choose a class first."))
        return found

    def colour(self) -> str:
        """Return the colour of the chosen class; empty without one."""
        raise NotImplementedError

    def show_colour(self, *_: object) -> None:
        """Draw in the colour of the chosen class."""
        colour = self.colour()
        if colour:
            self.tool.set_colour(QColor(colour))

    def _set_default_width(self) -> None:
        """Set the brush to some pixels of the raster, in units of the canvas."""
        ground = self._ground
        if ground is None:
            return
        box, crs = self._tab.width_box, self._canvas.mapSettings().destinationCrs()
        width = _BRUSH_PX * ground.pixel
        if crs.isValid() and ground.crs.isValid() and crs != ground.crs:
            middle = ground.extent.center()
            square = QgsRectangle.fromCenterAndSize(middle, width, width)
            try:
                moved = QgsCoordinateTransform(ground.crs, crs, QgsProject.instance()).transformBoundingBox(square)
                width = moved.width()
            except QgsCsException:
                pass
        decimals = 2 if width > 0.1 else 7
        box.blockSignals(True)
        box.setDecimals(decimals)
        box.setRange(10**-decimals, _WIDEST)
        box.setSingleStep(max(round(width / _BRUSH_PX, decimals), 10**-decimals))
        unit = QgsUnitTypes.toAbbreviatedString(crs.mapUnits()) if crs.isValid() else ""
        box.setSuffix(f" {unit}" if unit else "")
        box.setValue(width)
        box.blockSignals(False)
        self.tool.set_width(box.value())

    def go_to(self, spot: QgsRectangle) -> None:
        """Centre the canvas on a place in the CRS of the raster and mark it; zoom in from afar."""
        ground = self._ground
        if ground is None or spot.isEmpty():
            return
        target = self._canvas.mapSettings().destinationCrs()
        source = ground.crs if ground.crs.isValid() else target
        transform = QgsCoordinateTransform(source, target, QgsProject.instance())
        side = max(_CLOSEST_PX * ground.pixel, spot.width(), spot.height())
        try:
            near = transform.transformBoundingBox(QgsRectangle.fromCenterAndSize(spot.center(), side, side))
            shape = QgsGeometry.fromRect(transform.transformBoundingBox(spot))
        except QgsCsException:
            return
        current = self._canvas.extent()
        if current.width() > 4 * near.width():
            near = QgsRectangle.fromCenterAndSize(near.center(), current.width() / 4, current.height() / 4)
        elif current.width() >= near.width():
            near = QgsRectangle.fromCenterAndSize(near.center(), current.width(), current.height())
        self._canvas.setExtent(near)
        self._canvas.refresh()
        self._canvas.setFocus()
        self._spot.setToGeometry(shape, None)

    def forget_spot(self) -> None:
        """Take the mark of a place off the canvas."""
        self._spot.reset(QgsWkbTypes.GeometryType.PolygonGeometry)


def ask_geopackage(parent: QWidget, title: str, proposed: Path) -> Path | None:
    """Ask for an existing or new GeoPackage; None if the user cancels."""
    path, _ = QFileDialog.getSaveFileName(
        parent,
        title,
        str(proposed),
        f"{tr('GeoPackage')} (*.gpkg)",
        options=QFileDialog.Option.DontConfirmOverwrite,
    )
    if not path:
        return None
    return Path(path if path.lower().endswith(".gpkg") else f"{path}.gpkg")
