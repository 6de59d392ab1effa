"""The tab Teach: tools, classes and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgis.core import QgsApplication, QgsMapLayerProxyModel
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.look_tab import swatch
from dubai_landcover_plugin.gui.panel.sample_tool import LINE, POINT, POLYGON
from dubai_landcover_plugin.gui.panel.samples import Sample
from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.requests.session import Agreement

_TOOLS = (
    (
        POINT,
        "/mActionCapturePoint.svg",
        "Point",
        "Click on places of the class; a circle of the brush's width is taken",
    ),
    (LINE, "/mActionCaptureLine.svg", "Brush", "Drag over places of the class; a click takes a circle"),
    (POLYGON, "/mActionCapturePolygon.svg", "Polygon", "Click the corners of an area; a right click closes it"),
)
_ID = Qt.ItemDataRole.UserRole
_LEAST_HEIGHT = 130  # of a list, px


class TeachTab(QWidget):
    """Widgets of teaching; what they do is up to the panel."""

    tool_chosen = pyqtSignal(str)
    """Kind of samples to draw; empty to stop drawing."""
    width_changed = pyqtSignal(float)
    class_chosen = pyqtSignal(str)
    """Name of the class of the next samples."""
    sample_shown = pyqtSignal(str)
    """Id of a sample to go to."""
    delete_asked = pyqtSignal(list)
    class_asked = pyqtSignal(list, str)
    """Ids of samples, and the class that they should have."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: Sequence[LandCoverClass] = ()
        self.tools = QButtonGroup(self)
        self.tools.setExclusive(False)
        self.width_box = QDoubleSpinBox()
        self.width_box.setToolTip(tr("Width of points and lines, map units"))
        self.width_box.valueChanged.connect(self.width_changed)
        self.layer = QgsMapLayerComboBox()
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer)
        self.layer.setAllowEmptyLayer(True, tr("New with the first sample"))
        self.layer.setSizeAdjustPolicy(QgsMapLayerComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.layer.setMinimumContentsLength(8)
        self.layer.setToolTip(tr("Layer that keeps the samples"))
        self.new_layer = QToolButton()
        self.new_layer.setText("…")
        self.new_layer.setToolTip(tr("Choose or make a GeoPackage for the samples"))
        self.classes = _tree((tr("Key"), tr("Class"), tr("Samples"), tr("Agree")))
        self.classes.setToolTip(tr("Class of the next samples; number keys choose, too"))
        self.classes.currentItemChanged.connect(self._choose_class)
        self.new_class = QPushButton(tr("New class…"))
        self.samples = _tree(("", tr("Sample"), tr("Tool"), tr("Time")))
        self.samples.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.samples.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.samples.customContextMenuRequested.connect(self._open_menu)
        self.samples.itemDoubleClicked.connect(lambda item, _: self.sample_shown.emit(item.data(0, _ID)))
        self.samples.itemSelectionChanged.connect(lambda: self.delete.setEnabled(bool(self.selected())))
        self.samples.setToolTip(tr("Double-click to go there; right-click to change the class or to delete"))
        self.undo = _button("/mActionUndo.svg", tr("Undo (Ctrl+Z)"))
        self.redo = _button("/mActionRedo.svg", tr("Redo (Ctrl+Shift+Z)"))
        self.delete = _button("/mActionDeleteSelected.svg", tr("Delete the selected samples"))
        self.delete.setEnabled(False)
        self.delete.clicked.connect(lambda: self.delete_asked.emit(self.selected()))
        self.next = QPushButton(tr("Where should I label next?"))
        self.next.setToolTip(tr("Goes to the place of the view where the model is least certain"))
        self.agreement = QLabel()
        self.agreement.setToolTip(
            tr("Share of a sample's pixels that have its class: before teaching, and in a fit without that sample")
        )
        self.change = QLabel()
        self.show_agreement(None)
        self._lay_out()

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        for kind, icon, text, tip in _TOOLS:
            button = _button(icon, tr(tip))
            button.setText(tr(text))
            button.setCheckable(True)
            button.setProperty("kind", kind)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda checked, chosen=kind: self.tool_chosen.emit(chosen if checked else ""))
            self.tools.addButton(button)
            tools.addWidget(button)
        tools.addStretch(1)
        tools.addWidget(self.width_box)
        class_part, sample_part = QWidget(), QWidget()
        upper, lower = QVBoxLayout(class_part), QVBoxLayout(sample_part)
        for part in (upper, lower):
            part.setContentsMargins(0, 0, 0, 0)
        upper.addWidget(self.classes, 1)
        row = QHBoxLayout()
        row.addWidget(self.new_class)
        row.addStretch(1)
        row.addWidget(self.change)
        upper.addLayout(row)
        upper.addWidget(self.agreement)
        buttons = QHBoxLayout()
        for button in (self.undo, self.redo, self.delete):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.next)
        lower.addLayout(buttons)
        store = QHBoxLayout()
        store.addWidget(QLabel(tr("Samples in")))
        store.addWidget(self.layer, 1)
        store.addWidget(self.new_layer)
        lower.addLayout(store)
        lower.addWidget(self.samples, 1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        for number, part in enumerate((class_part, sample_part)):
            parts.addWidget(part)
            parts.setStretchFactor(number, number)  # messages take space from the samples
        layout = QVBoxLayout(self)
        layout.addLayout(tools)
        layout.addWidget(parts, 1)

    def set_classes(
        self, entries: Sequence[LandCoverClass], colours: Mapping[str, str], counts: Mapping[str, int]
    ) -> None:
        """List the classes with the number of samples; the chosen one stays."""
        self._entries = entries
        chosen = self.chosen_class()
        self.classes.blockSignals(True)
        self.classes.clear()
        for number, entry in enumerate(entries, 1):
            key = str(number) if number <= 9 else ""
            item = QTreeWidgetItem([key, entry.name, str(counts.get(entry.name, 0)), ""])
            item.setIcon(1, swatch(colours[entry.name]))
            for column in (2, 3):
                item.setTextAlignment(column, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            self.classes.addTopLevelItem(item)
            if entry.name == chosen or (number == 1 and not chosen):
                self.classes.setCurrentItem(item)
        if self.classes.currentItem() is None and entries:
            self.classes.setCurrentItem(self.classes.topLevelItem(0))
        self.classes.blockSignals(False)
        if self.chosen_class() != chosen:
            self._choose_class()

    def chosen_class(self) -> str:
        """Return the name of the class of the next samples."""
        item = self.classes.currentItem()
        return item.text(1) if item is not None else ""

    def choose_class(self, number: int) -> None:
        """Choose the class with a number, 1 for the first."""
        item = self.classes.topLevelItem(number - 1)
        if item is not None:
            self.classes.setCurrentItem(item)

    def set_samples(
        self, samples: Mapping[str, Sample], problems: Mapping[str, str], colours: Mapping[str, str]
    ) -> None:
        """List the samples, the newest first."""
        selected = set(self.selected())
        self.samples.clear()
        ordered = sorted(enumerate(samples.items(), 1), key=lambda one: (one[1][1].time, one[0]), reverse=True)
        tools = {kind: tr(text) for kind, _, text, _ in _TOOLS}
        for number, (name, sample) in ordered:
            item = QTreeWidgetItem(
                [str(number), sample.class_name, tools.get(sample.tool, ""), sample.time.replace("T", " ")[-8:]]
            )
            item.setData(0, _ID, name)
            item.setIcon(1, swatch(colours.get(sample.class_name, sample.colour or "#808080")))
            if name in problems:
                item.setText(1, f"⚠ {sample.class_name}")
                for column in range(4):
                    item.setToolTip(column, problems[name])
            self.samples.addTopLevelItem(item)
            item.setSelected(name in selected)

    def selected(self) -> list[str]:
        """Return the ids of the selected samples."""
        return [item.data(0, _ID) for item in self.samples.selectedItems()]

    def set_tool(self, kind: str) -> None:
        """Show which tool is active; empty for none."""
        for button in self.tools.buttons():
            button.setChecked(button.property("kind") == kind)

    def show_agreement(self, found: Agreement | None) -> None:
        """Show the result of the cross-validation; None for no result.

        A class with one sample has no share: the fit without the sample does not know its class.
        """
        for number in range(self.classes.topLevelItemCount()):
            item = self.classes.topLevelItem(number)
            share = None if found is None or item.text(2) in ("0", "1") else found.classes.get(item.text(1))
            item.setText(3, "" if share is None else f"{100 * share:.0f} %")
        if found is None:
            self.agreement.setText("\n")  # as high as the result
            return
        self.agreement.setText(
            tr("Agreement with {n} samples: {before} before,\n{after} after teaching (cross-validation)").format(
                n=found.samples, before=f"{100 * found.before:.0f} %", after=f"{100 * found.after:.0f} %"
            )
        )

    def _choose_class(self, *_: object) -> None:
        self.class_chosen.emit(self.chosen_class())

    def _open_menu(self, place: QPoint) -> None:
        names = self.selected()
        if not names:
            return
        menu = QMenu(self)
        for entry in self._entries:
            action = menu.addAction(tr("Class {name}").format(name=entry.name))
            action.triggered.connect(lambda _, name=entry.name: self.class_asked.emit(names, name))
        menu.addSeparator()
        menu.addAction(tr("Go there")).triggered.connect(lambda: self.sample_shown.emit(names[0]))
        menu.addAction(tr("Delete")).triggered.connect(lambda: self.delete_asked.emit(names))
        menu.popup(self.samples.viewport().mapToGlobal(place))


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


def _button(icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    found: QIcon = QgsApplication.getThemeIcon(icon)
    button.setIcon(found)
    button.setToolTip(tip)
    button.setAutoRaise(True)
    return button
