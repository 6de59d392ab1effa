"""What the user does with a taught model: save it, and run it on the whole raster."""

from __future__ import annotations

import os
from typing import Any

from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.gui.panel.header import Header
from dubai_landcover_plugin.gui.panel.keep import (
    KeepBar,
    ask_model_file,
    open_run_dialog,
    proposed_model_file,
    refresh_algorithms,
    run_parameters,
)
from dubai_landcover_plugin.gui.panel.samples import Sample
from dubai_landcover_plugin.gui.panel.subject import Subject
from dubai_landcover_plugin.gui.panel.teaching import Teaching
from dubai_landcover_plugin.protocol.requests.session import Saved, SaveModel
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import available_models


class Keeping(QObject):
    """Links the two buttons, the session and the dialogs.

    Args:
        parent: The panel, above which dialogs open.
        bar: The buttons.
        header: Lists saved models.
        client: The session.
        teaching: The samples.
    """

    acted = pyqtSignal()
    """The user did something; earlier messages are answered."""
    said = pyqtSignal(str, str)
    """Level and text for the user."""

    def __init__(
        self, parent: QWidget, bar: KeepBar, header: Header, client: SessionClient, teaching: Teaching
    ) -> None:
        super().__init__(parent)
        self._parent, self._bar, self._header, self._client, self._teaching = parent, bar, header, client, teaching
        self._subject: Subject | None = None
        self._saved: tuple[dict[str, Sample], str] | None = None  # samples and their model file
        self._saving: dict[str, Sample] = {}
        self._runs_afterwards = False
        bar.save.clicked.connect(lambda _: self.ask_save())
        bar.run.clicked.connect(self.run)
        client.saved.connect(self._show_saved)

    def set_subject(self, subject: Subject | None) -> None:
        """Work on another raster or model."""
        self._subject, self._saved = subject, None
        self._bar.setEnabled(subject is not None)

    def ask_save(self, run: bool = False) -> None:
        """Ask for a file and save the model; ``run`` opens Segment Land Cover with it afterwards."""
        if self._subject is None:
            return
        if not self._teaching.usable():
            self.said.emit("info", tr("There are no samples yet, so there is nothing to save."))
            return
        path = ask_model_file(self._parent, proposed_model_file(self._subject))
        if path is not None:
            self._runs_afterwards = run
            self.save(str(path))

    def save(self, path: str) -> None:
        """Save the taught model."""
        self.acted.emit()
        self._saving = dict(self._teaching.samples)
        self._client.save(SaveModel(path, overwrite=True))

    def run(self, *_: object) -> None:
        """Open Segment Land Cover with raster and model; samples that are in no model file are asked about."""
        if self._subject is None:
            return
        model = self._header.model_path
        if self._saved is not None and self._saved[0] == self._teaching.samples:
            model = self._saved[1]
        elif self._teaching.usable():
            answer = self._ask_about_samples()
            if answer == QMessageBox.StandardButton.Save:
                self.ask_save(run=True)
            if answer != QMessageBox.StandardButton.Ignore:
                return
        open_run_dialog(run_parameters(self._subject, model))

    def _ask_about_samples(self) -> Any:
        box = QMessageBox(self._parent)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Run on whole raster"))
        box.setText(tr("The samples are not in a model file yet."))
        box.setInformativeText(tr("Save the taught model first, or run the model as it was before teaching?"))
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Ignore | buttons.Cancel)
        box.button(buttons.Save).setText(tr("Save as model…"))
        box.button(buttons.Ignore).setText(tr("Run without the samples"))
        box.setDefaultButton(buttons.Save)
        return box.exec()

    def _show_saved(self, saved: Saved) -> None:
        self._saved = self._saving, saved.output
        refresh_algorithms()
        self._header.add_file(saved.output, choose=False)
        name = os.path.splitext(os.path.basename(saved.output))[0]
        listed = str(available_models().get(name, "")) == saved.output
        text = tr("Saved as {path}. The tools list it as '{name}'." if listed else "Saved as {path}.")
        self.said.emit("info", text.format(path=saved.output, name=name))
        if self._runs_afterwards and self._subject is not None:
            self._runs_afterwards = False
            open_run_dialog(run_parameters(self._subject, saved.output))
