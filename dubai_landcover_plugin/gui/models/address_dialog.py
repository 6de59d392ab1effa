"""Asks for the address of a model, its SHA-256 and a name."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from dubai_landcover_plugin.gui.models.download import is_address
from dubai_landcover_plugin.protocol.translation import tr

_DIGITS = 64


class AddressDialog(QDialog):
    """Address, SHA-256 and name of a model to download; OK needs both of the first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Add a model from the web"))
        self.setMinimumWidth(560)
        self.address, self.checksum, self.name = QLineEdit(), QLineEdit(), QLineEdit()
        self.address.setPlaceholderText("https://…/NAME.safetensors")
        self.checksum.setPlaceholderText(tr("64 hexadecimal digits, from the provider"))
        self.name.setPlaceholderText(tr("Empty: that of the file"))
        form = QFormLayout()
        form.addRow(tr("Address"), self.address)
        form.addRow("SHA-256", self.checksum)
        form.addRow(tr("Name in the list"), self.name)
        note = QLabel(tr("The file is added only if it has this checksum. Model files cannot run code."))
        note.setWordWrap(True)
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(note)
        layout.addWidget(self.buttons)
        for line in (self.address, self.checksum):
            line.textChanged.connect(self._show_state)
        self._show_state()

    def _show_state(self) -> None:
        complete = is_address(self.address.text()) and len(self.checksum.text().strip()) == _DIGITS
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(complete)
