"""The tab Look: what is classified, classes of the view and of the place under the cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.view_layer import Reading
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.requests.session import ViewResult
from dubai_landcover_plugin.protocol.translation import direction, isolated, tr

NUMBER = int(
    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
)  # digits below each other in every language
_SWATCH_PX = 14
_COLUMN_PX = 70
_MOST_ROWS = 12  # without scrolling


def swatch(colour: str) -> QIcon:
    """Return a square of a colour."""
    picture = QPixmap(_SWATCH_PX, _SWATCH_PX)
    picture.fill(QColor(colour))
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # not tinted
    return icon


class LookTab(QWidget):
    """Share of each class in the view, and the class under the cursor."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rectangle, self.whole = QToolButton(), QToolButton()
        self.rectangle.setIcon(QgsApplication.getThemeIcon("/mActionSelectRectangle.svg"))
        self.rectangle.setText(tr("Rectangle"))
        self.rectangle.setToolTip(tr("Drag a rectangle on the map: nothing else is classified"))
        self.rectangle.setCheckable(True)
        self.rectangle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.whole.setText(tr("Whole view"))
        self.whole.setToolTip(tr("Classify all that the map shows again"))
        self.whole.setEnabled(False)
        for button in (self.rectangle, self.whole):
            button.setAutoRaise(True)
        self.classes = QTreeWidget()
        self.classes.setHeaderLabels([tr("Class"), tr("View"), tr("Cursor")])
        self.classes.headerItem().setToolTip(1, tr("Share of the view"))
        self.classes.headerItem().setToolTip(2, tr("Probability where the cursor rests"))
        self.classes.setRootIsDecorated(False)
        self.classes.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self.classes.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.classes.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            self.classes.header().setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.classes.header().resizeSection(column, _COLUMN_PX)
        self.classes.header().setStretchLastSection(False)
        self._entries: dict[int, LandCoverClass] = {}
        self._colours: Mapping[str, str] = {}
        self.place = QLabel()
        self.place.setTextFormat(Qt.TextFormat.RichText)
        self.place.setMinimumHeight(24)
        self.view = QLabel()
        self.view.setWordWrap(True)
        tools = QHBoxLayout()
        tools.addWidget(self.rectangle)
        tools.addWidget(self.whole)
        tools.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(tools)
        layout.addWidget(self.classes)
        layout.addWidget(self.place)
        layout.addWidget(self.view)
        layout.addStretch(1)
        self.show_reading(None)

    def set_classes(self, entries: Sequence[LandCoverClass], colours: Mapping[str, str]) -> None:
        """List the classes."""
        self._entries, self._colours = {entry.id: entry for entry in entries}, colours
        self.classes.clear()
        for entry in entries[:-1]:
            item = QTreeWidgetItem([entry.name, "", ""])
            item.setIcon(0, swatch(colours[entry.name]))
            for column in (1, 2):
                item.setTextAlignment(column, NUMBER)
            self.classes.addTopLevelItem(item)
        rows = min(self.classes.topLevelItemCount(), _MOST_ROWS)
        row = max(self.classes.sizeHintForRow(0), _SWATCH_PX)
        self.classes.setFixedHeight(self.classes.header().sizeHint().height() + rows * row + 2 * row // 3)

    def show_result(self, result: ViewResult | None) -> None:
        """Show the shares of a view; None for no view."""
        total = 0 if result is None else sum(result.pixels.values())
        for number in range(self.classes.topLevelItemCount()):
            item = self.classes.topLevelItem(number)
            pixels = 0 if result is None else result.pixels.get(item.text(0), 0)
            item.setText(1, f"{100 * pixels / total:.1f} %" if total else "")
        self.view.setText(
            ""
            if result is None
            else tr("{size} Mpx in {seconds} s", size=f"{total / 1e6:.2f}", seconds=f"{result.seconds:.1f}")
        )

    def show_probabilities(self, found: Mapping[str, float]) -> None:
        """Show the probabilities of the classes at a place; none empties the column."""
        for number in range(self.classes.topLevelItemCount()):
            item = self.classes.topLevelItem(number)
            share = found.get(item.text(0))
            item.setText(2, "" if share is None else f"{100 * share:.0f} %")

    def show_reading(self, reading: Reading | None) -> None:
        """Show the class under the cursor; None for no class."""
        entry = None if reading is None else self._entries.get(reading.class_id)
        if entry is None or reading is None:
            self._say(f"<span style='color:gray'>{tr('Move the cursor over the map')}</span>")
            return
        colour = self._colours.get(entry.name, entry.colour)
        square = f"<span style='background-color:{colour}'>{4 * '&nbsp;'}</span>"
        sure = "" if reading.confidence is None else f", {tr('confidence')} {reading.confidence} %"
        self._say(f"{square} <b>{isolated(entry.name)}</b>{sure}")

    def _say(self, text: str) -> None:
        self.place.setText(f'<div dir="{direction()}">{text}</div>')
