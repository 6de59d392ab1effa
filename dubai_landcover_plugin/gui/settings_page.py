"""Page of the plugin in QGIS's options."""

from __future__ import annotations

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from dubai_landcover_plugin.gui.engine_dialog import show_engine_dialog
from dubai_landcover_plugin.protocol.classes import DATASET, NATURAL
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_folders import user_model_folder
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import (
    COLOURS,
    INTERPRETER,
    MODEL_FOLDER,
    engine_interpreter,
    natural_colours,
    profile_model_folder,
    text_setting,
)


class SettingsPage(QgsOptionsPageWidget):
    """Settings: interpreter of the engine, folder of models, colours of results."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._python = QgsFileWidget()
        self._python.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self._python.setFilePath(text_setting(INTERPRETER))
        self._python.lineEdit().setPlaceholderText(tr("Empty: the engine set up from the menu"))
        self._models = QgsFileWidget()
        self._models.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._models.setFilePath(text_setting(MODEL_FOLDER))
        self._models.lineEdit().setPlaceholderText(tr("Empty: none"))
        self._natural = QCheckBox(tr("Natural colours: water blue, land sand, vegetation green…"))
        self._natural.setToolTip(tr("Otherwise results have the colours of the Dubai dataset."))
        self._natural.setChecked(natural_colours())
        folders = QLabel(
            tr(
                "Also listed: models of the plugin, of {profile} and of {home}.",
                profile=profile_model_folder(),
                home=user_model_folder(),
            )
        )
        self._state = QLabel()
        for label in (folders, self._state):
            label.setWordWrap(True)
        set_up = QPushButton(tr("Set up the engine…"))
        set_up.clicked.connect(self._open_engine_dialog)

        form = QFormLayout()
        form.addRow(tr("Python of the engine"), self._python)
        form.addRow(tr("Further model folder"), self._models)
        form.addRow("", folders)
        form.addRow("", self._natural)
        row = QHBoxLayout()
        row.addWidget(set_up)
        row.addStretch()
        form.addRow("", row)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._state)
        layout.addStretch()
        self._show_state()

    def apply(self) -> None:
        """Save the settings; QGIS calls this on OK."""
        settings = QgsSettings()
        settings.setValue(INTERPRETER, self._python.filePath().strip())
        settings.setValue(MODEL_FOLDER, self._models.filePath().strip())
        settings.setValue(COLOURS, NATURAL if self._natural.isChecked() else DATASET)

    def _open_engine_dialog(self) -> None:
        dialog = show_engine_dialog()
        dialog.exec()  # the options are modal: a window beside them would not react
        self._show_state()

    def _show_state(self) -> None:
        try:
            found = engine_interpreter()
            self._state.setText(tr("Engine in use: {path} (from {origin}).", path=found.path, origin=found.origin))
        except LandCoverError as error:
            self._state.setText(str(error))


class SettingsPageFactory(QgsOptionsWidgetFactory):
    """Creates the page when the options dialog opens."""

    def __init__(self) -> None:
        super().__init__()
        self.setTitle("Dubai Land Cover")

    def icon(self) -> QIcon:
        """Return the icon of the page."""
        return QIcon(resource("icons/landcover.svg"))

    def createWidget(self, parent: QWidget | None = None) -> SettingsPage:
        """Return a new page."""
        return SettingsPage(parent)
