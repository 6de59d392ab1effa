"""Drawing of samples: links the tab Teach, the map tool and the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsGeometry, QgsProject, QgsRectangle, QgsVectorLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtWidgets import QDialog

from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
from dubai_landcover_plugin.gui.panel.layer_choice import LayerChoice
from dubai_landcover_plugin.gui.panel.samples import (
    create_samples,
    has_samples,
    is_sample_layer,
    open_samples,
    sample_file,
)
from dubai_landcover_plugin.gui.panel.subject import NEW_COLOURS, Subject
from dubai_landcover_plugin.gui.panel.tab_drawing import TabDrawing, ask_geopackage, reported
from dubai_landcover_plugin.gui.panel.teach_tab import TeachTab
from dubai_landcover_plugin.gui.panel.teaching import Teaching
from dubai_landcover_plugin.protocol.requests.session import Suggested
from dubai_landcover_plugin.protocol.translation import tr


class Drawing(TabDrawing):
    """What the user does in the tab Teach and on the canvas.

    Args:
        canvas: The map canvas.
        tab: The widgets.
        teaching: The samples.
    """

    def __init__(self, canvas: QgsMapCanvas, tab: TeachTab, teaching: Teaching) -> None:
        super().__init__(canvas, tab, teaching)
        self._tab: TeachTab = tab
        self._teaching = teaching
        self._subject: Subject | None = None
        self._visited: list[tuple[float, float]] = []
        tab.feature_shown.connect(self._go_to_sample)
        tab.new_class.clicked.connect(self._ask_class)
        tab.next.clicked.connect(self.search)
        self._layers = LayerChoice(tab.layer)
        self._layers.chosen.connect(self._choose_layer)
        tab.new_layer.clicked.connect(self._ask_layer)
        self.tool.drawn.connect(self.draw)
        teaching.changed.connect(self.refresh)
        teaching.suggested.connect(self._go_to_suggested)
        teaching.ask_path = self._ask_path
        QgsProject.instance().layersAdded.connect(self._limit_layers)

    def set_subject(self, subject: Subject | None) -> None:
        """Work on another raster or model."""
        self._subject = subject
        self._visited.clear()
        self._tab.show_search(False)
        self._teaching.set_subject(subject)
        self.set_ground(subject if subject is not None and subject.is_file else None)
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
        self._teaching.draw(geometry, crs, self.entry(self._tab.chosen_class()), kind, self._tab.width_box.value())

    @reported
    def add_class(self, name: str, colour: str) -> None:
        """Make a class and choose it."""
        self._teaching.add_class(name, colour)
        self._tab.choose_class(len(self._teaching.classes))

    @reported
    def search(self, *_: object) -> None:
        """Search the raster for the place that is worth a sample most; a second click ends the search."""
        self.acted.emit()
        if self._teaching.is_suggesting:
            self._teaching.stop_suggesting()
        else:
            self._teaching.suggest(self._visited)
        self._show_search()

    def _show_search(self) -> None:
        self._tab.show_search(self._teaching.is_suggesting)

    def _go_to_suggested(self, found: Suggested | None) -> None:
        """Go to the place that was found."""
        self._show_search()
        if found is None:
            return
        if not found.extent:
            self.said.emit("info", tr("All places that can be labelled are labelled or were shown."))
            return
        spot = QgsRectangle(*found.extent)
        self._visited.append((spot.center().x(), spot.center().y()))
        self.go_to(spot)
        confidence = tr("Confidence here: {percent} %.", percent=round(found.confidence))
        if found.is_novel and found.novelty is not None:
            new = tr("This ground is unlike the training images (novelty {percent} %).")
            confidence = f"{new.format(percent=round(found.novelty))} {confidence}"
        share = tr(
            "{percent} % of the raster was searched.", percent=round(100 * found.searched / max(found.windows, 1))
        )
        self.said.emit("info", f"{confidence} {tr('Label it if you know it.')} {share}")

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
