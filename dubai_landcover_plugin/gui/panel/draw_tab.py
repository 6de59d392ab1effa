"""Widgets of the tabs that draw on the canvas: tools, classes with number keys, a list of what was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qgis.core import QgsApplication, QgsMapLayerProxyModel
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLayout,
    QMenu,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.look_tab import NUMBER, swatch
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.translation import tr

_ID = Qt.ItemDataRole.UserRole
_LEAST_HEIGHT = 100  # of a list, px
_CLASSES_HEIGHT = 130  # of the list of classes, px: the shipped models have five
_BOX_WIDTH = 105  # px


@dataclass(frozen=True)
class ToolButton:
    """A button for a kind of drawing.

    Args:
        kind: The kind, for the map tool.
        icon: Name of an icon of QGIS.
        text: Its text.
        tip: Its tooltip.
    """

    kind: str
    icon: str
    text: str
    tip: str


@dataclass(frozen=True)
class Row:
    """What a list shows of a feature.

    Args:
        texts: Texts of the columns.
        colour: Colour of the class.
        problem: Why the feature cannot be used; empty if it can.
    """

    texts: Sequence[str]
    colour: str
    problem: str = ""


class DrawTab(QWidget):
    """Widgets of drawing; what they do is up to the panel. Subclasses :meth:`arrange` them.

    Args:
        tools: The tools.
        class_titles: Titles of the list of classes; the first three are key, class and number of features.
        feature_titles: Titles of the list of features; the second is their class.
        parent: The parent.
    """

    tool_chosen = pyqtSignal(str)
    """Kind of features to draw; empty to stop drawing."""
    width_changed = pyqtSignal(float)
    class_chosen = pyqtSignal(str)
    """Name of the class of the next features."""
    feature_shown = pyqtSignal(str)
    """Id of a feature to go to."""
    delete_asked = pyqtSignal(list)
    class_asked = pyqtSignal(list, str)
    """Ids of features, and the class that they should have."""

    def __init__(
        self,
        tools: Sequence[ToolButton],
        class_titles: Sequence[str],
        feature_titles: Sequence[str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._entries: Sequence[LandCoverClass] = ()
        self.tool_row = QHBoxLayout()
        self.tools = QButtonGroup(self)
        self.tools.setExclusive(False)
        self.width_box = QDoubleSpinBox()
        self.width_box.setToolTip(tr("Width of the brush, map units"))
        self.width_box.setMinimumWidth(_BOX_WIDTH)  # the widest number would widen the panel
        self.width_box.valueChanged.connect(self.width_changed)
        self.classes = _tree(class_titles)
        self.classes.setMinimumHeight(_CLASSES_HEIGHT)
        self.classes.currentItemChanged.connect(self._choose_class)
        self.features = _tree(feature_titles)
        self.features.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.features.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.features.customContextMenuRequested.connect(self._open_menu)
        self.features.itemDoubleClicked.connect(lambda item, _: self.feature_shown.emit(item.data(0, _ID)))
        self.features.itemSelectionChanged.connect(lambda: self.delete.setEnabled(bool(self.selected())))
        self.features.setToolTip(tr("Double-click to go there; right-click to change the class or to delete"))
        self.undo = icon_button("/mActionUndo.svg", tr("Undo (Ctrl+Z)"))
        self.redo = icon_button("/mActionRedo.svg", tr("Redo (Ctrl+Shift+Z)"))
        self.delete = icon_button("/mActionDeleteSelected.svg", tr("Delete what is selected in the list"))
        self.delete.setEnabled(False)
        self.delete.clicked.connect(lambda: self.delete_asked.emit(self.selected()))
        self._add_tools(tools)

    def _add_tools(self, tools: Sequence[ToolButton]) -> None:
        for tool in tools:
            button = icon_button(tool.icon, tool.tip)
            button.setText(tool.text)
            button.setCheckable(True)
            button.setProperty("kind", tool.kind)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda checked, chosen=tool.kind: self.tool_chosen.emit(chosen if checked else ""))
            self.tools.addButton(button)
            self.tool_row.addWidget(button)
        self.tool_row.addStretch(1)
        self.tool_row.addWidget(self.width_box)

    def show_classes(
        self, entries: Sequence[LandCoverClass], colours: Mapping[str, str], counts: Mapping[str, int]
    ) -> None:
        """List the classes with the number of features; the chosen one stays."""
        self._entries = entries
        chosen = self.chosen_class()
        self.classes.blockSignals(True)
        self.classes.clear()
        for number, entry in enumerate(entries, 1):
            key = str(number) if number <= 9 else ""
            item = QTreeWidgetItem([key, entry.name, str(counts.get(entry.name, 0))])
            item.setIcon(1, swatch(colours[entry.name]))
            for column in range(2, self.classes.columnCount()):
                item.setTextAlignment(column, NUMBER)
            self.classes.addTopLevelItem(item)
            if entry.name == chosen or (number == 1 and not chosen):
                self.classes.setCurrentItem(item)
        if self.classes.currentItem() is None and entries:
            self.classes.setCurrentItem(self.classes.topLevelItem(0))
        self.classes.blockSignals(False)
        if self.chosen_class() != chosen:
            self._choose_class()

    def chosen_class(self) -> str:
        """Return the name of the class of the next features."""
        item = self.classes.currentItem()
        return item.text(1) if item is not None else ""

    def arrange(
        self,
        below_classes: Sequence[QLayout] = (),
        beside_buttons: Sequence[QWidget] = (),
        above_features: Sequence[QLayout] = (),
    ) -> None:
        """Lay out the tab: tools, classes and, below a handle that moves, the buttons and the list of features.

        Args:
            below_classes: Rows below the classes.
            beside_buttons: Widgets to the right of the buttons undo, redo and delete.
            above_features: Rows between these buttons and the features.
        """
        class_part, feature_part = QWidget(), QWidget()
        upper, lower = QVBoxLayout(class_part), QVBoxLayout(feature_part)
        for part in (upper, lower):
            part.setContentsMargins(0, 0, 0, 0)
        upper.addWidget(self.classes, 1)
        for row in below_classes:
            upper.addLayout(row)
        buttons = QHBoxLayout()
        for button in (self.undo, self.redo, self.delete):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for widget in beside_buttons:
            buttons.addWidget(widget)
        for row in (buttons, *above_features):
            lower.addLayout(row)
        lower.addWidget(self.features, 1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        for number, widget in enumerate((class_part, feature_part)):
            parts.addWidget(widget)
            parts.setStretchFactor(number, number)  # messages take space from the features
        layout = QVBoxLayout(self)
        layout.addLayout(self.tool_row)
        layout.addWidget(parts, 1)

    def choose_class(self, number: int) -> None:
        """Choose the class with a number, 1 for the first."""
        item = self.classes.topLevelItem(number - 1)
        if item is not None:
            self.classes.setCurrentItem(item)

    def show_rows(self, rows: Mapping[str, Row]) -> None:
        """List features by id, the first on top; those selected stay selected."""
        selected = set(self.selected())
        self.features.clear()
        for name, row in rows.items():
            item = QTreeWidgetItem(list(row.texts))
            item.setData(0, _ID, name)
            item.setIcon(1, swatch(row.colour))
            if row.problem:
                item.setText(1, f"⚠ {row.texts[1]}")
                for column in range(self.features.columnCount()):
                    item.setToolTip(column, row.problem)
            self.features.addTopLevelItem(item)
            item.setSelected(name in selected)

    def selected(self) -> list[str]:
        """Return the ids of the selected features."""
        return [item.data(0, _ID) for item in self.features.selectedItems()]

    def set_tool(self, kind: str) -> None:
        """Show which tool is active; empty for none."""
        for button in self.tools.buttons():
            button.setChecked(button.property("kind") == kind)

    def _choose_class(self, *_: object) -> None:
        self.class_chosen.emit(self.chosen_class())

    def _open_menu(self, place: QPoint) -> None:
        names = self.selected()
        if not names:
            return
        menu = QMenu(self)
        for entry in self._entries:
            action = menu.addAction(tr("Class {name}", name=entry.name))
            action.triggered.connect(lambda _, name=entry.name: self.class_asked.emit(names, name))
        menu.addSeparator()
        menu.addAction(tr("Go there")).triggered.connect(lambda: self.feature_shown.emit(names[0]))
        menu.addAction(tr("Delete")).triggered.connect(lambda: self.delete_asked.emit(names))
        menu.popup(self.features.viewport().mapToGlobal(place))


def polygon_layer_box(empty: str, tip: str) -> QgsMapLayerComboBox:
    """Return a choice of polygon layers; ``empty`` is the text for none."""
    box = QgsMapLayerComboBox()
    box.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer)
    box.setAllowEmptyLayer(True, empty)
    box.setToolTip(tip)
    narrow(box)
    return box


def narrow(box: QComboBox) -> None:
    """Let a list of names take the space that there is, however long they are."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def icon_button(icon: str, tip: str) -> QToolButton:
    """Return a flat button with an icon of QGIS."""
    button = QToolButton()
    found: QIcon = QgsApplication.getThemeIcon(icon)
    button.setIcon(found)
    button.setToolTip(tip)
    button.setAutoRaise(True)
    return button


def _tree(titles: Sequence[str]) -> QTreeWidget:
    """Return a list whose second column takes the space that is left."""
    tree = QTreeWidget()
    tree.setHeaderLabels(list(titles))
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    header = tree.header()
    header.setStretchLastSection(False)
    header.setMinimumSectionSize(24)
    for column in range(len(titles)):
        mode = QHeaderView.ResizeMode.Stretch if column == 1 else QHeaderView.ResizeMode.ResizeToContents
        header.setSectionResizeMode(column, mode)
    tree.setMinimumHeight(_LEAST_HEIGHT)
    return tree
