"""Lists in dialogs of Processing that show words for the values of an enumeration.

Values stay the same in every language, so that scripts, models and the history can use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processing.gui.wrappers import DIALOG_MODELER, DIALOG_STANDARD, WidgetWrapper
from qgis.core import (
    QgsProcessingModelChildParameterSource,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterString,
)
from qgis.gui import QgsCheckableComboBox
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from dubai_landcover_plugin.protocol.translation import tr

_COLUMNS = 2
_LEAST_LETTERS = 12
"""Width of a list, which may be narrower than its words: dialogs would hide the buttons at their end."""


class _Choice(WidgetWrapper):
    """A widget whose label and tooltip are those of QGIS's own: its class for Python does not translate them."""

    def createLabel(self) -> QLabel:
        """Return the label with the help as tooltip; None in tables."""
        label, parameter = super().createLabel(), self.parameterDefinition()
        if label is not None:
            text = parameter.description()
            if parameter.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional:
                text = QCoreApplication.translate("QObject", "%1 [optional]").replace("%1", text)
            label.setText(text)
            label.setToolTip(parameter.toolTip())
        return label


class ChoiceWidget(_Choice):
    """A list that shows a word for each value of an enumeration of static strings."""

    def createWidget(self, words: Sequence[str] = ()) -> QComboBox:
        """Return the list.

        Args:
            words: What is shown for each value, in the order of the parameter.
        """
        combo = QComboBox()
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(_LEAST_LETTERS)
        values = self.parameterDefinition().options()
        for value, word in zip(values, words or values):
            combo.addItem(word, value)
            combo.setItemData(combo.count() - 1, word, Qt.ItemDataRole.ToolTipRole)
        _add_sources(self, combo)
        combo.currentTextChanged.connect(combo.setToolTip)
        return combo

    def setValue(self, value: Any) -> None:
        """Choose a value; the default for one that is not in the list. Other sources of a model are added."""
        known = [self.widget.itemData(row) for row in range(self.widget.count())]
        if isinstance(value, QgsProcessingModelChildParameterSource) and value not in known:
            self.widget.addItem(value.expression() or self.dialog.resolveValueDescription(value), value)
            known.append(value)
        default = self.parameterDefinition().defaultValue()
        wanted = value if value in known else default
        self.widget.setCurrentIndex(known.index(wanted) if wanted in known else 0)

    def value(self) -> Any:
        """Return the chosen value."""
        return self.widget.currentData()


class SeveralChoicesWidget(_Choice):
    """Several values of an enumeration of static strings: checkboxes in dialogs, a list of them in tables and models.

    QGIS 3.22 shows a wrong name for those that are chosen in its own list.
    """

    def createWidget(self, words: Sequence[str] = ()) -> QWidget:
        """Return the checkboxes, or the list with them; in models also a list of other sources, if there are any.

        Args:
            words: What is shown for each value, in the order of the parameter.
        """
        values = self.parameterDefinition().options()
        shown = dict(zip(values, words or values))
        self._list = self._sources = None
        self._boxes: dict[str, QCheckBox] = {}
        if self.dialogType == DIALOG_STANDARD:
            return self._make_boxes(shown)
        self._list = QgsCheckableComboBox()
        for value, word in shown.items():
            self._list.addItemWithCheckState(word, Qt.CheckState.Unchecked, value)
        sources = QComboBox()
        sources.addItem(tr("Those chosen above"), None)
        _add_sources(self, sources)
        if sources.count() == 1:
            return self._list
        self._sources, panel = sources, QWidget()
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        layout.addWidget(sources)
        return panel

    def setValue(self, value: Any) -> None:
        """Check values, given as a list or as a text with commas; or choose another source of a model."""
        if self._sources is not None:
            known = [self._sources.itemData(row) for row in range(self._sources.count())]
            self._sources.setCurrentIndex(known.index(value) if value in known else 0)
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        chosen = value if isinstance(value, (list, tuple)) else ()
        for name, box in self._boxes.items():
            box.setChecked(name in chosen)
        if self._list is not None:
            for row in range(self._list.count()):
                states = Qt.CheckState
                checked = self._list.itemData(row) in chosen
                self._list.setItemCheckState(row, states.Checked if checked else states.Unchecked)

    def value(self) -> Any:
        """Return the list of values, or the source of a model."""
        if self._sources is not None and self._sources.currentData() is not None:
            return self._sources.currentData()
        if self._list is not None:
            return list(self._list.checkedItemsData())
        return [name for name, box in self._boxes.items() if box.isChecked()]

    def _make_boxes(self, shown: Mapping[str, str]) -> QWidget:
        panel = QWidget()
        layout = QGridLayout(panel)
        layout.setContentsMargins(0, 0, 0, 0)
        for number, value in enumerate(shown):
            self._boxes[value] = QCheckBox(shown[value])
            layout.addWidget(self._boxes[value], *divmod(number, _COLUMNS))
        return panel


def _add_sources(wrapper: WidgetWrapper, combo: QComboBox) -> None:
    """Add the values of a model that an enumeration can take, in the dialog of a model's step."""
    if wrapper.dialogType != DIALOG_MODELER:
        return
    kinds = [QgsProcessingParameterEnum, QgsProcessingParameterString]
    for source in wrapper.dialog.getAvailableValuesOfType(kinds):
        combo.addItem(wrapper.dialog.resolveValueDescription(source), source)
