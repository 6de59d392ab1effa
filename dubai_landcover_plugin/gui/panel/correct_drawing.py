"""What the user does in the tab Correct and on the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsMapLayer,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QDialog

from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
from dubai_landcover_plugin.gui.panel.classified import Classified, is_classified, read_classified
from dubai_landcover_plugin.gui.panel.correct_tab import CorrectBar, CorrectHeader, CorrectTab
from dubai_landcover_plugin.gui.panel.corrected_outputs import corrected_outputs
from dubai_landcover_plugin.gui.panel.correcting import Correcting
from dubai_landcover_plugin.gui.panel.correction_files import corrected_file, correction_file
from dubai_landcover_plugin.gui.panel.correction_layer import is_correction_layer
from dubai_landcover_plugin.gui.panel.coverage import part_of_class
from dubai_landcover_plugin.gui.panel.keep import open_dialog
from dubai_landcover_plugin.gui.panel.layer_choice import LayerChoice
from dubai_landcover_plugin.gui.panel.region_task import RegionTask
from dubai_landcover_plugin.gui.panel.subject import NEW_COLOURS
from dubai_landcover_plugin.gui.panel.tab_drawing import TabDrawing, ask_geopackage, reported
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr

ALGORITHM = "dubailandcover:applycorrections"


class CorrectDrawing(TabDrawing):
    """Links the tab Correct, its header and buttons, the map tool and the corrections.

    Args:
        canvas: The map canvas.
        header: Choice of raster and layer.
        tab: The widgets.
        bar: The buttons below.
        active_layer: Returns the active layer of QGIS.
    """

    searching = pyqtSignal(bool)
    """Whether regions are searched."""

    def __init__(
        self,
        canvas: QgsMapCanvas,
        header: CorrectHeader,
        tab: CorrectTab,
        bar: CorrectBar,
        active_layer: Callable[[], QgsMapLayer | None],
    ) -> None:
        self.correcting = Correcting()
        super().__init__(canvas, tab, self.correcting)
        self._tab: CorrectTab = tab
        self._header, self._bar, self._active_layer = header, bar, active_layer
        self._tasks: list[RegionTask] = []
        tab.feature_shown.connect(lambda name: self.go_to(self.correcting.extent_of(name)))
        self._rasters, self._layers = LayerChoice(header.raster), LayerChoice(header.layer)
        self._rasters.chosen.connect(self.choose_raster)
        self._layers.chosen.connect(self._choose_layer)
        header.new_layer.clicked.connect(self._ask_layer)
        header.shown_changed.connect(self._set_visible)
        header.opacity_changed.connect(self._set_opacity)
        tab.new_class.clicked.connect(self._ask_class)
        bar.apply.clicked.connect(self.apply)
        self.tool.drawn.connect(self.draw)
        self.tool.picked.connect(self.pick)
        self.correcting.changed.connect(self.refresh)
        self.correcting.said.connect(self.said)
        self.correcting.ask_path = self._ask_path
        project = QgsProject.instance()
        project.layersAdded.connect(self._add_layers)
        project.layersWillBeRemoved.connect(self._lose_layers)
        self._use(None)

    def close(self) -> None:
        """Take tool and marks off the canvas for good."""
        project = QgsProject.instance()
        project.layersAdded.disconnect(self._add_layers)
        project.layersWillBeRemoved.disconnect(self._lose_layers)
        self._stop_tasks()
        super().close()
        self.correcting.close()

    def choose_default(self) -> None:
        """Choose a raster if there is none yet: that of the active layer, or else the first of the project."""
        if self._rasters.layer is not None:
            return
        project = QgsProject.instance()
        ordered = [self._active_layer(), *project.layerTreeRoot().layerOrder()]
        found = next((layer for layer in ordered if is_classified(layer) and project.mapLayer(layer.id())), None)
        if found is not None:
            self._rasters.show(found)
            self.choose_raster(found)
        else:
            text = tr("There is no classified raster in the project. Add one, or run Segment Land Cover first.")
            self.said.emit("info", text)

    @reported
    def choose_raster(self, layer: Any) -> None:
        """Correct the raster of a layer; None for none."""
        self.acted.emit()
        try:
            raster = read_classified(layer) if isinstance(layer, QgsRasterLayer) else None
        except RequestError:
            self._use(None)
            raise
        self._use(raster)

    def refresh(self) -> None:
        """Show corrections and classes."""
        tab, header, correcting = self._tab, self._header, self.correcting
        colours = correcting.colours
        tab.set_classes(correcting.classes, colours, correcting.counts())
        tab.set_corrections(correcting.corrections, correcting.problems, colours)
        tab.undo.setEnabled(correcting.can_undo)
        tab.redo.setEnabled(correcting.can_redo)
        layer = correcting.layer
        node = None if layer is None else QgsProject.instance().layerTreeRoot().findLayer(layer.id())
        header.show_layer(None if layer is None else layer.opacity(), node is not None and node.isVisible())
        if self._layers.layer is not layer:
            self._limit_layers()
        self._layers.show(layer)
        self._bar.setEnabled(bool(correcting.corrections))
        self.show_colour()

    @reported
    def draw(self, geometry: QgsGeometry, _: str) -> None:
        """Add what was drawn as a correction."""
        self.acted.emit()
        self.forget_spot()
        crs = self._canvas.mapSettings().destinationCrs()
        self.correcting.draw(geometry, crs, self._target(), self._only())

    @reported
    def pick(self, place: QgsPointXY) -> None:
        """Search the region at a place of the canvas; when it is found, it becomes a correction."""
        self.acted.emit()
        self.forget_spot()
        raster, target, only = self.correcting.checked_raster(), self._target(), self._only()
        source = self._canvas.mapSettings().destinationCrs()
        try:
            there = QgsCoordinateTransform(source, raster.crs, QgsProject.instance()).transform(place)
        except QgsCsException as error:
            raise RequestError(tr("The place is outside of the raster."), tr("Click on the raster.")) from error
        task = RegionTask(
            raster.source, there.x(), there.y(), lambda found: self._take_region(found, raster, target, only)
        )
        self._tasks.append(task)
        task.start()
        self.searching.emit(True)

    @property
    def is_searching(self) -> bool:
        """Whether regions are searched."""
        return bool(self._tasks)

    @reported
    def apply(self, *_: object) -> None:
        """Open Apply Corrections with raster, corrections and new files filled in."""
        self.acted.emit()
        raster, layer = self.correcting.checked_raster(), self.correcting.layer
        if layer is None or not self.correcting.corrections:
            raise RequestError(tr("There are no corrections yet."), tr("Draw some first."))
        corrected = corrected_file(raster)
        values = {"INPUT": raster.layer_id, "CORRECTIONS": layer.id(), "OUTPUT": str(corrected)}
        open_dialog(ALGORITHM, {**values, **corrected_outputs(raster, corrected)})

    @reported
    def add_class(self, name: str, colour: str) -> None:
        """Make a class that the raster does not have, and choose it."""
        made = self.correcting.add_class(name, colour)
        self._tab.choose_class(self.correcting.classes.index(made) + 1)

    def _ask_class(self) -> None:
        """Open the dialog of a new class."""
        dialog = ClassDialog(NEW_COLOURS[len(self.correcting.new_classes) % len(NEW_COLOURS)], self._tab)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.add_class(*dialog.values())

    def areas(self) -> dict[str, tuple[str, QgsGeometry]]:
        """Return class and area, in the CRS of the raster, of the corrections that are selected in the list, or of all.

        Raises:
            LandCoverError: if the raster cannot be read.
        """
        raster, found = self.correcting.checked_raster(), {}
        for name in self._tab.selected() or list(self.correcting.corrections):
            one, area = self.correcting.corrections[name], self.correcting.area_of(name)
            if one.source:
                area = part_of_class(raster.source, area, self.correcting.scheme(raster).find(one.source).id)
            if not area.isEmpty():
                found[name] = (one.target, area)
        return found

    def colour(self) -> str:
        """Return the colour of the chosen class; empty without one."""
        return self.correcting.colours.get(self._tab.chosen_class(), "")

    def _use(self, raster: Classified | None) -> None:
        self._stop_tasks()
        self.correcting.set_raster(raster)
        self.set_ground(raster)
        self._limit_layers()

    def _target(self) -> LandCoverClass:
        return self.entry(self._tab.chosen_class())

    def _only(self) -> LandCoverClass | None:
        name = self._tab.only_class()
        return self.entry(name) if name else None

    @reported
    def _take_region(
        self, task: RegionTask, raster: Classified, target: LandCoverClass, only: LandCoverClass | None
    ) -> None:
        """Make a correction of a region that was found."""
        if task in self._tasks:
            self._tasks.remove(task)
        self.searching.emit(bool(self._tasks))
        now = self.correcting.raster
        if now is None or now.layer_id != raster.layer_id:
            return
        if now.stamp != raster.stamp or raster.is_changed():
            self.correcting.checked_raster()
            raise RequestError(tr("The raster was replaced while the region was searched."), tr("Click it again."))
        if task.problem:
            raise RequestError(task.problem)
        there = raster.by_id(task.class_id)
        name = str(task.class_id) if there is None else there.name
        if there == target:
            raise RequestError(tr("The region is '{name}' already.", name=name), tr("Choose another class."))
        if only is not None and there != only:
            raise RequestError(
                tr("The region is '{name}', not '{only}'.", name=name, only=only.name),
                tr("Click another region, or choose another class below 'Only where it is'."),
            )
        self.correcting.draw(task.area, raster.crs, target, only)
        if task.is_cut:
            self.said.emit(
                "warning",
                tr(
                    "The region goes on beyond the 4096 pixels around the click that are searched; it was cut there. "
                    "Click the rest, too."
                ),
            )

    def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.searching.emit(False)

    def _limit_layers(self, *_: object) -> None:
        """Offer only layers that can keep corrections."""
        others = [
            layer
            for layer in QgsProject.instance().mapLayers().values()
            if isinstance(layer, QgsVectorLayer) and not is_correction_layer(layer)
        ]
        self._header.layer.setExceptedLayerList(others)

    def _add_layers(self, *_: object) -> None:
        self._limit_layers()
        if self._tab.isVisible() and self._rasters.layer is None:
            QTimer.singleShot(0, self.choose_default)  # when they are in the layer tree

    def _lose_layers(self, names: list[str]) -> None:
        """Stop if the raster is removed, or the project is closed."""
        raster = self.correcting.raster
        if raster is not None and raster.layer_id in names:
            self._use(None)

    @reported
    def _choose_layer(self, layer: Any) -> None:
        self.acted.emit()
        self.correcting.set_layer(layer if isinstance(layer, QgsVectorLayer) else None)

    @reported
    def _ask_layer(self, *_: object) -> None:
        """Choose or make the GeoPackage of the corrections."""
        self.acted.emit()
        path = self._ask_path(correction_file(self.correcting.checked_raster()))
        if path is not None:
            self.correcting.use_file(path)

    def _ask_path(self, proposed: Path) -> Path | None:
        return ask_geopackage(self._tab, tr("GeoPackage for the corrections"), proposed)

    def _set_visible(self, is_visible: bool) -> None:
        layer = self.correcting.layer
        node = None if layer is None else QgsProject.instance().layerTreeRoot().findLayer(layer.id())
        if node is not None:
            node.setItemVisibilityChecked(is_visible)

    def _set_opacity(self, opacity: float) -> None:
        layer = self.correcting.layer
        if layer is not None:
            layer.setOpacity(opacity)
            layer.triggerRepaint()
