"""Drawing of samples: links the tab Teach, the map tool and the samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgis.core import QgsGeometry, QgsProject, QgsRectangle, QgsVectorLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtWidgets import QDialog

from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
from dubai_landcover_plugin.gui.panel.layer_choice import LayerChoice
from dubai_landcover_plugin.gui.panel.look import Look
from dubai_landcover_plugin.gui.panel.samples import create_samples, has_samples, is_sample_layer, open_samples
from dubai_landcover_plugin.gui.panel.subject import NEW_COLOURS, Subject
from dubai_landcover_plugin.gui.panel.tab_drawing import TabDrawing, ask_geopackage, reported
from dubai_landcover_plugin.gui.panel.teach_tab import TeachTab
from dubai_landcover_plugin.gui.panel.teaching import Teaching, sample_file
from dubai_landcover_plugin.gui.panel.uncertain import least_certain
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import RequestError

_SPOT_PX = 12


class Drawing(TabDrawing):
    """What the user does in the tab Teach and on the canvas.

    Args:
        canvas: The map canvas.
        tab: The widgets.
        teaching: The samples.
        look: The view.
    """

    def __init__(self, canvas: QgsMapCanvas, tab: TeachTab, teaching: Teaching, look: Look) -> None:
        super().__init__(canvas, tab)
        self._tab: TeachTab = tab
        self._teaching, self._look = teaching, look
        self._subject: Subject | None = None
        self._visited: list[QgsRectangle] = []
        tab.feature_shown.connect(self._go_to_sample)
        tab.delete_asked.connect(self.delete)
        tab.class_asked.connect(self.set_class)
        tab.new_class.clicked.connect(self._ask_class)
        tab.next.clicked.connect(self.go_to_uncertain)
        self._layers = LayerChoice(tab.layer)
        self._layers.chosen.connect(self._choose_layer)
        tab.new_layer.clicked.connect(self._ask_layer)
        self.tool.drawn.connect(self.draw)
        teaching.changed.connect(self.refresh)
        teaching.ask_path = self._ask_path
        QgsProject.instance().layersAdded.connect(self._limit_layers)

    def set_subject(self, subject: Subject | None) -> None:
        """Work on another raster or model."""
        self._subject = subject
        self._visited.clear()
        self._teaching.set_subject(subject)
        self.set_ground(subject)
        self._limit_layers()

    def close(self) -> None:
        """Take tool and marks off the canvas for good."""
        QgsProject.instance().layersAdded.disconnect(self._limit_layers)
        super().close()
        self._teaching.close()

    def refresh(self) -> None:
        """Show samples and classes."""
        tab, teaching = self._tab, self._teaching
        tab.show_classes(teaching.classes, teaching.colours, teaching.counts())
        tab.set_samples(teaching.samples, teaching.problems, teaching.colours)
        tab.undo.setEnabled(teaching.history.can_undo)
        tab.redo.setEnabled(teaching.history.can_redo)
        if self._layers.layer is not teaching.layer:
            self._limit_layers()
        self._layers.show(teaching.layer)
        self.show_colour()

    @reported
    def draw(self, geometry: QgsGeometry, kind: str) -> None:
        """Add what was drawn as a sample of the chosen class."""
        self.acted.emit()
        self.forget_spot()
        crs = self._canvas.mapSettings().destinationCrs()
        self._teaching.draw(geometry, crs, self._entry(self._tab.chosen_class()), kind, self._tab.width_box.value())

    @reported
    def undo(self, *_: object) -> None:
        """Take back the last change."""
        self.acted.emit()
        self._teaching.undo()

    @reported
    def redo(self, *_: object) -> None:
        """Do a change again."""
        self.acted.emit()
        self._teaching.redo()

    @reported
    def delete(self, names: Sequence[str]) -> None:
        """Remove samples."""
        self.acted.emit()
        self._teaching.delete(names)

    @reported
    def set_class(self, names: Sequence[str], class_name: str) -> None:
        """Give samples another class."""
        self.acted.emit()
        self._teaching.set_class(names, self._entry(class_name))

    @reported
    def add_class(self, name: str, colour: str) -> None:
        """Make a class and choose it."""
        self._teaching.add_class(name, colour)
        self._tab.choose_class(len(self._teaching.classes))

    @reported
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
        self.go_to(spot)
        self.said.emit(
            "info", tr("Confidence here: {percent} %. Label it if you know it.").format(percent=round(percent))
        )

    def _entry(self, name: str) -> LandCoverClass:
        found = next((entry for entry in self._teaching.classes if entry.name == name), None)
        if found is None:
            raise RequestError(tr("Choose a class first."))
        return found

    def colour(self) -> str:
        """Return the colour of the chosen class; empty without one."""
        return self._teaching.colours.get(self._tab.chosen_class(), "")

    def _go_to_sample(self, name: str) -> None:
        self.go_to(self._teaching.extent_of(name))

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

    @reported
    def _choose_layer(self, layer: Any) -> None:
        self.acted.emit()
        self._teaching.set_layer(layer if isinstance(layer, QgsVectorLayer) else None)

    @reported
    def _ask_layer(self, *_: object) -> None:
        """Choose or make the GeoPackage of the samples."""
        if self._subject is None:
            return
        path = self._ask_path(sample_file(self._subject))
        if path is not None:
            layer = open_samples(path) if has_samples(path) else create_samples(path, self._subject.crs)
            self._teaching.add_layer(layer)

    def _ask_path(self, proposed: Path) -> Path | None:
        return ask_geopackage(self._tab, tr("GeoPackage for the samples"), proposed)
