"""The tab Correct, what stands above it, and the buttons below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.corrections import Correction
from dubai_landcover_plugin.gui.panel.draw_tab import DrawTab, Row, ToolButton, narrow, polygon_layer_box
from dubai_landcover_plugin.gui.panel.header import RasterHeader
from dubai_landcover_plugin.gui.panel.look_tab import swatch
from dubai_landcover_plugin.gui.panel.sample_tool import LINE, PLACE, POLYGON
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.translation import isolated, tr

_TIME_LETTERS = slice(11, 19)  # of a date with time


class CorrectHeader(RasterHeader):
    """Choice of the classified raster and of the layer of its corrections; as high as the panel's other header."""

    shown_changed = pyqtSignal(bool)
    """Whether the corrections should be visible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        raster_tip = tr("The classified raster that is corrected; its file stays as it is")
        super().__init__(raster_tip, tr("Opacity of the corrections"), parent)
        self.raster.setAllowEmptyLayer(True, tr("Choose a classified raster"))
        self.raster.setLayer(None)
        self.layer = polygon_layer_box(tr("New with the first correction"), tr("Layer that keeps the corrections"))
        self.new_layer = QToolButton()
        self.new_layer.setText("…")
        self.new_layer.setToolTip(tr("Choose or make a GeoPackage for the corrections"))
        self.shown = QCheckBox(tr("Show corrections"))
        self.shown.setToolTip(tr("Without a tick, the map shows the raster as it was"))
        self.shown.toggled.connect(self.shown_changed)
        self.show_layer(None, False)
        self.arrange(tr("Classified"), tr("Corrections"), self.layer, self.new_layer, self.shown)

    def show_layer(self, opacity: float | None, is_visible: bool) -> None:
        """Show opacity and visibility of the layer of the corrections; an opacity of None for no layer."""
        for widget in (self.shown, self.opacity):
            widget.setEnabled(opacity is not None)
            widget.blockSignals(True)
        self.shown.setChecked(is_visible)
        self.opacity.setValue(100 if opacity is None else round(100 * opacity))
        for widget in (self.shown, self.opacity):
            widget.blockSignals(False)


class CorrectBar(QWidget):
    """Buttons below the tab: what is done with the corrections."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.use = QPushButton(tr("Use as samples"))
        self.use.setToolTip(tr("Teaches a model with the corrections: those selected in the list, or all"))
        menu = QMenu(self.use)
        self.teach = menu.addAction(tr("Add to the samples of Teach"))
        self.model = menu.addAction(tr("Model from Samples…"))
        self.use.setMenu(menu)
        self.apply = QPushButton(tr("Apply Corrections…"))
        self.apply.setToolTip(tr("Writes a new raster with the corrections"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.use)
        layout.addWidget(self.apply)


class CorrectTab(DrawTab):
    """Widgets of correcting; what they do is up to the panel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            (
                ToolButton(
                    PLACE,
                    "/mActionSelect.svg",
                    tr("Region"),
                    tr("Click a region of one class; all of it gets the class that is chosen below"),
                ),
                ToolButton(
                    LINE,
                    "/mActionCaptureLine.svg",
                    tr("Brush"),
                    tr("Drag over what gets the class that is chosen below; a click takes a circle"),
                ),
                ToolButton(
                    POLYGON,
                    "/mActionCapturePolygon.svg",
                    tr("Polygon"),
                    tr("Click the corners of an area; a right click closes it"),
                ),
            ),
            (tr("Key"), tr("New class"), tr("Corrections")),
            ("", tr("Correction"), tr("Time")),
            parent,
        )
        self.classes.setToolTip(tr("Class that the next corrections set; number keys choose, too"))
        self.only = QComboBox()
        self.only.setToolTip(tr("The only class that the next corrections replace"))
        narrow(self.only)
        self.new_class = QPushButton(tr("New class…"))
        self.new_class.setToolTip(tr("Makes a class that the raster does not have yet"))
        limit = QHBoxLayout()
        limit.addWidget(QLabel(tr("Only where it is")))
        limit.addWidget(self.only, 1)
        limit.addWidget(self.new_class)
        self.arrange(below_classes=(limit,))

    def set_classes(
        self, entries: Sequence[LandCoverClass], colours: Mapping[str, str], counts: Mapping[str, int]
    ) -> None:
        """List the classes, with the number of corrections that set them; what is chosen stays."""
        self.show_classes(entries, colours, counts)
        only = self.only_class()
        self.only.clear()
        self.only.addItem(tr("any class"), "")
        for entry in entries:
            self.only.addItem(swatch(colours[entry.name]), entry.name, entry.name)
        self.only.setCurrentIndex(max(self.only.findData(only), 0))

    def only_class(self) -> str:
        """Return the name of the only class that is replaced; empty for all classes."""
        return str(self.only.currentData() or "")

    def set_corrections(
        self, corrections: Mapping[str, Correction], problems: Mapping[str, str], colours: Mapping[str, str]
    ) -> None:
        """List the corrections, the newest first."""
        ordered = sorted(enumerate(corrections.items(), 1), key=lambda one: (one[1][1].time, one[0]))
        rows = {}
        for number, (_, (name, one)) in reversed(list(enumerate(ordered, 1))):
            text = isolated(f"{one.source} → {one.target}" if one.source else f"→ {one.target}")
            colour = colours.get(one.target, "#808080")
            rows[name] = Row((str(number), text, one.time[_TIME_LETTERS]), colour, problems.get(name, ""))
        self.show_rows(rows)
