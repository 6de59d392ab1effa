"""Drawing of samples: links the tab Teach, the map tool and the samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsProject,
    QgsRectangle,
    QgsUnitTypes,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QDialog, QFileDialog

from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
from dubai_landcover_plugin.gui.panel.keys import SampleKeys
from dubai_landcover_plugin.gui.panel.look import Look
from dubai_landcover_plugin.gui.panel.sample_tool import SampleTool
from dubai_landcover_plugin.gui.panel.samples import create_samples, has_samples, is_sample_layer, open_samples
from dubai_landcover_plugin.gui.panel.subject import NEW_COLOURS, Subject
from dubai_landcover_plugin.gui.panel.teach_tab import TeachTab
from dubai_landcover_plugin.gui.panel.teaching import Teaching, sample_file
from dubai_landcover_plugin.gui.panel.uncertain import least_certain
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError

_BRUSH_PX = 6  # default width of the brush, px of the raster
_CLOSEST_PX = 250  # px of the raster along the side of the view that "Where should I label next?" goes to
_SPOT_PX = 12
_WIDEST = 1e6


def _reported(action: Callable[..., Any]) -> Callable[..., None]:
    """Return a slot that shows errors in the panel."""

    @wraps(action)
    def run(self: Drawing, *arguments: Any) -> None:
        try:
            action(self, *arguments)
        except LandCoverError as error:
            self.said.emit("error", str(error))

    return run


class Drawing(QObject):
    """What the user does in the tab Teach and on the canvas.

    Args:
        canvas: The map canvas.
        tab: The widgets.
        teaching: The samples.
        look: The view.
    """

    said = pyqtSignal(str, str)
    """Level and text for the user."""
    acted = pyqtSignal()
    """The user did something; earlier messages are answered."""

    def __init__(self, canvas: QgsMapCanvas, tab: TeachTab, teaching: Teaching, look: Look) -> None:
        super().__init__()
        self._canvas, self._tab, self._teaching, self._look = canvas, tab, teaching, look
        self._subject: Subject | None = None
        self._earlier_tool: QgsMapTool | None = None
        self._visited: list[QgsRectangle] = []
        self.keys = SampleKeys(self)
        self.tool = SampleTool(canvas, self.keys)
        self.keys.drawing = self.tool.take_key
        self._spot = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._spot.setColor(QColor("#ffffff"))
        self._spot.setFillColor(QColor(0, 0, 0, 0))
        self._spot.setWidth(3)
        self._connect()

    def _connect(self) -> None:
        tab, keys, teaching = self._tab, self.keys, self._teaching
        for widget in (tab, tab.classes, tab.samples):  # lists search for what is typed
            widget.installEventFilter(keys)
        keys.chosen.connect(tab.choose_class)
        keys.undo.connect(self.undo)
        keys.redo.connect(self.redo)
        tab.undo.clicked.connect(self.undo)
        tab.redo.clicked.connect(self.redo)
        tab.tool_chosen.connect(self.choose_tool)
        tab.width_changed.connect(self.tool.set_width)
        tab.class_chosen.connect(self._show_colour)
        tab.sample_shown.connect(self._go_to_sample)
        tab.delete_asked.connect(self.delete)
        tab.class_asked.connect(self.set_class)
        tab.new_class.clicked.connect(self._ask_class)
        tab.next.clicked.connect(self.go_to_uncertain)
        tab.layer.layerChanged.connect(self._choose_layer)
        tab.new_layer.clicked.connect(self._ask_layer)
        self.tool.drawn.connect(self.draw)
        self.tool.deactivated.connect(lambda: tab.set_tool(""))
        teaching.changed.connect(self.refresh)
        teaching.ask_path = self._ask_path
        self._canvas.destinationCrsChanged.connect(self._set_default_width)
        project = QgsProject.instance()
        project.layersAdded.connect(self._limit_layers)

    def set_subject(self, subject: Subject | None) -> None:
        """Work on another raster or model."""
        self._subject = subject
        self._visited.clear()
        self._forget_spot()
        self._teaching.set_subject(subject)
        self._set_default_width()
        self._limit_layers()
        self._tab.setEnabled(subject is not None)
        if subject is None:
            self.choose_tool("")

    def close(self) -> None:
        """Take tool and marks off the canvas for good."""
        self._canvas.destinationCrsChanged.disconnect(self._set_default_width)
        QgsProject.instance().layersAdded.disconnect(self._limit_layers)
        self.choose_tool("")
        self._canvas.unsetMapTool(self.tool)
        self.tool.remove()
        self._canvas.scene().removeItem(self._spot)
        self._teaching.close()

    def choose_tool(self, kind: str) -> None:
        """Draw samples of a kind; an empty one gives the canvas back the tool that it had."""
        if kind:
            self.tool.set_kind(kind)
            if self._canvas.mapTool() is not self.tool:
                self._earlier_tool = self._canvas.mapTool()
                self._canvas.setMapTool(self.tool)
            self._tab.set_tool(kind)
            self._show_colour()
            self._canvas.setFocus()
        elif self._canvas.mapTool() is self.tool:
            if self._earlier_tool is not None:
                self._canvas.setMapTool(self._earlier_tool)
            else:
                self._canvas.unsetMapTool(self.tool)

    def refresh(self) -> None:
        """Show samples and classes."""
        tab, teaching = self._tab, self._teaching
        tab.set_classes(teaching.classes, teaching.colours, teaching.counts())
        tab.set_samples(teaching.samples, teaching.problems, teaching.colours)
        tab.undo.setEnabled(teaching.history.can_undo)
        tab.redo.setEnabled(teaching.history.can_redo)
        if tab.layer.currentLayer() is not teaching.layer:
            tab.layer.blockSignals(True)
            self._limit_layers()
            tab.layer.setLayer(teaching.layer)
            tab.layer.blockSignals(False)
        self._show_colour()

    @_reported
    def draw(self, geometry: QgsGeometry, kind: str) -> None:
        """Add what was drawn as a sample of the chosen class."""
        self.acted.emit()
        self._forget_spot()
        crs = self._canvas.mapSettings().destinationCrs()
        self._teaching.draw(geometry, crs, self._entry(self._tab.chosen_class()), kind, self._tab.width_box.value())

    @_reported
    def undo(self, *_: object) -> None:
        """Take back the last change."""
        self.acted.emit()
        self._teaching.undo()

    @_reported
    def redo(self, *_: object) -> None:
        """Do a change again."""
        self.acted.emit()
        self._teaching.redo()

    @_reported
    def delete(self, names: Sequence[str]) -> None:
        """Remove samples."""
        self.acted.emit()
        self._teaching.delete(names)

    @_reported
    def set_class(self, names: Sequence[str], class_name: str) -> None:
        """Give samples another class."""
        self.acted.emit()
        self._teaching.set_class(names, self._entry(class_name))

    @_reported
    def add_class(self, name: str, colour: str) -> None:
        """Make a class and choose it."""
        self._teaching.add_class(name, colour)
        self._tab.choose_class(len(self._teaching.classes))

    @_reported
    def go_to_uncertain(self, *_: object) -> None:
        """Go to the place of the view where the model is least certain."""
        self.acted.emit()
        path = self._look.view_layer.confidence_path
        if not path or self._subject is None:
            raise RequestError(tr("There is no classified view yet."), tr("Switch on Classify the view."))
        taken = [self._teaching.extent_of(name) for name in self._teaching.samples]
        found = least_certain(path, [*taken, *self._visited])
        if found is None:
            raise RequestError(tr("All of the view is labelled or was shown."), tr("Move the map."))
        place, percent = found
        spot = QgsRectangle.fromCenterAndSize(place, _SPOT_PX * self._subject.pixel, _SPOT_PX * self._subject.pixel)
        self._visited.append(spot.buffered(_SPOT_PX * self._subject.pixel))
        self._go_to(spot)
        self.said.emit(
            "info", tr("Confidence here: {percent} %. Label it if you know it.").format(percent=round(percent))
        )

    def _entry(self, name: str) -> LandCoverClass:
        found = next((entry for entry in self._teaching.classes if entry.name == name), None)
        if found is None:
            raise RequestError(tr("Choose a class first."))
        return found

    def _show_colour(self, *_: object) -> None:
        colour = self._teaching.colours.get(self._tab.chosen_class())
        if colour is not None:
            self.tool.set_colour(QColor(colour))

    def _set_default_width(self) -> None:
        """Set the brush to some pixels of the raster, in units of the canvas."""
        subject = self._subject
        if subject is None:
            return
        box, crs = self._tab.width_box, self._canvas.mapSettings().destinationCrs()
        width = _BRUSH_PX * subject.pixel
        if crs.isValid() and subject.crs.isValid() and crs != subject.crs:
            middle = subject.extent.center()
            square = QgsRectangle.fromCenterAndSize(middle, width, width)
            try:
                moved = QgsCoordinateTransform(subject.crs, crs, QgsProject.instance()).transformBoundingBox(square)
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

    def _go_to_sample(self, name: str) -> None:
        extent = self._teaching.extent_of(name)
        if not extent.isEmpty():
            self._go_to(extent)

    def _go_to(self, spot: QgsRectangle) -> None:
        """Centre the canvas on a place in the CRS of the raster and mark it; zoom in from afar."""
        subject = self._subject
        if subject is None:
            return
        target = self._canvas.mapSettings().destinationCrs()
        source = subject.crs if subject.crs.isValid() else target
        transform = QgsCoordinateTransform(source, target, QgsProject.instance())
        side = max(_CLOSEST_PX * subject.pixel, spot.width(), spot.height())
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

    def _forget_spot(self) -> None:
        self._spot.reset(QgsWkbTypes.GeometryType.PolygonGeometry)

    def _ask_class(self) -> None:
        """Open the dialog of a new class."""
        dialog = ClassDialog(NEW_COLOURS[len(self._teaching.new_classes) % len(NEW_COLOURS)], self._tab)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.add_class(*dialog.values())

    def _limit_layers(self, *_: object) -> None:
        """Offer only layers that can keep samples."""
        others = [
            layer
            for layer in QgsProject.instance().mapLayers().values()
            if isinstance(layer, QgsVectorLayer) and not is_sample_layer(layer)
        ]
        self._tab.layer.setExceptedLayerList(others)

    @_reported
    def _choose_layer(self, layer: Any) -> None:
        self.acted.emit()
        if layer is not self._teaching.layer:
            self._teaching.set_layer(layer if isinstance(layer, QgsVectorLayer) else None)

    @_reported
    def _ask_layer(self, *_: object) -> None:
        """Choose or make the GeoPackage of the samples."""
        if self._subject is None:
            return
        path = self._ask_path(sample_file(self._subject))
        if path is not None:
            layer = open_samples(path) if has_samples(path) else create_samples(path, self._subject.crs)
            self._teaching.add_layer(layer)

    def _ask_path(self, proposed: Path) -> Path | None:
        path, _ = QFileDialog.getSaveFileName(
            self._tab,
            tr("GeoPackage for the samples"),
            str(proposed),
            f"{tr('GeoPackage')} (*.gpkg)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if not path:
            return None
        return Path(path if path.lower().endswith(".gpkg") else f"{path}.gpkg")
