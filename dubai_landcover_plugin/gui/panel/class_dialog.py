"""Asks for name and colour of a new class."""

from __future__ import annotations

from qgis.gui import QgsColorButton
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QWidget

from dubai_landcover_plugin.protocol.classes import MAX_NAME
from dubai_landcover_plugin.protocol.translation import tr

_WIDTH = 300  # px, with room for title and name


class ClassDialog(QDialog):
    """Name and colour of a new class.

    Args:
        colour: Proposed colour.
        parent: Widget above which it opens.
    """

    def __init__(self, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("New class"))
        self.setMinimumWidth(_WIDTH)
        self.name = QLineEdit()
        self.name.setMaxLength(MAX_NAME)
        self.colour = QgsColorButton()
        self.colour.setColor(QColor(colour))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setEnabled(False)
        self.name.textChanged.connect(lambda text: self._ok.setEnabled(bool(text.strip())))
        layout = QFormLayout(self)
        layout.addRow(tr("Name"), self.name)
        layout.addRow(tr("Colour"), self.colour)
        layout.addRow(self.buttons)

    def values(self) -> tuple[str, str]:
        """Return name and colour, ``#RRGGBB``."""
        return self.name.text().strip(), self.colour.color().name().upper()
