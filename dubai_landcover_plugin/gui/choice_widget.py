"""Lists in dialogs of Processing that show words for the values of an enumeration.

Values stay the same in every language, so that scripts, models and the history can use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processing.gui.wrappers import DIALOG_MODELER, WidgetWrapper
from qgis.core import (
    QgsProcessingModelChildParameterSource,
    QgsProcessingParameterEnum,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtWidgets import QComboBox


class ChoiceWidget(WidgetWrapper):
    """A list that shows a word for each value of an enumeration of static strings."""

    def createWidget(self, words: Sequence[str] = ()) -> QComboBox:
        """Return the list.

        Args:
            words: What is shown for each value, in the order of the parameter.
        """
        combo = QComboBox()
        values = self.parameterDefinition().options()
        for value, word in zip(values, words or values):
            combo.addItem(word, value)
        if self.dialogType == DIALOG_MODELER:
            for source in self.dialog.getAvailableValuesOfType(
                [QgsProcessingParameterEnum, QgsProcessingParameterString]
            ):
                combo.addItem(self.dialog.resolveValueDescription(source), source)
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
