"""Dialog that sets up and checks the engine."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QCloseEvent
from qgis.PyQt.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.engine_task import EngineTask
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.installer import NEEDED_MB, install_engine, is_outdated
from dubai_landcover_plugin.runner.interpreter import engine_folder, installed_engine
from dubai_landcover_plugin.runner.run import run_task
from dubai_landcover_plugin.runner.settings import engine_interpreter, profile_folder


def requirements_folder() -> Path:
    """Return the folder of the locked requirements: inside the installed plugin, or beside the package in a clone."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "requirements"
    return inside if inside.is_dir() else package.parent / "requirements"


class EngineDialog(QDialog):
    """Shows the engine in use, sets one up and checks it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Dubai Land Cover: engine"))
        self.resize(760, 480)
        self._task: EngineTask | None = None
        self._state = QLabel()
        self._state.setWordWrap(True)
        self._log = QTextEdit()
        self._log.setReadOnly(True)
        self._progress = QProgressBar()
        self._progress.setRange(0, 100)
        self._set_up = QPushButton(tr("Set up"))
        self._set_up.clicked.connect(self._start_set_up)
        self._check = QPushButton(tr("Check"))
        self._check.clicked.connect(self._start_check)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.clicked.connect(self._cancel_task)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.close)

        buttons = QHBoxLayout()
        buttons.addWidget(self._set_up)
        buttons.addWidget(self._check)
        buttons.addStretch()
        buttons.addWidget(self._cancel)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self._explanation())
        layout.addWidget(self._state)
        layout.addWidget(self._log, 1)
        layout.addWidget(self._progress)
        layout.addLayout(buttons)
        self._show_state()

    def _explanation(self) -> QLabel:
        label = QLabel(
            tr(
                "Land cover is computed in a separate Python environment, so that its libraries do not conflict with "
                "those of QGIS. Setting it up downloads PyTorch, rasterio and shapely to {folder}. This takes a few "
                "minutes and up to {size} GB of disk space."
            ).format(size=NEEDED_MB / 1000, folder=engine_folder(profile_folder()))
        )
        label.setWordWrap(True)
        return label

    def _show_state(self) -> None:
        """Show the engine in use and enable the available buttons."""
        running = self._task is not None
        try:
            found = engine_interpreter()
            self._state.setText(
                "<b>"
                + tr("Engine in use: {path} (from {origin})").format(
                    path=escape(found.path), origin=escape(found.origin)
                )
                + "</b>"
                + self._update_note()
            )
            self._check.setEnabled(not running)
        except LandCoverError as error:
            self._state.setText(f"<b>{escape(error.message)}</b>")
            self._check.setEnabled(False)
        self._set_up.setEnabled(not running)
        self._cancel.setEnabled(running)

    def _update_note(self) -> str:
        """Return a sentence where this version of the plugin has newer libraries; empty otherwise."""
        folder = profile_folder()
        outdated = is_outdated(folder, requirements_folder())
        self._set_up.setText(tr("Update") if outdated else tr("Set up"))
        if not outdated:
            return ""
        return "<br>" + tr("This version of the plugin comes with other versions of its libraries: press Update.")

    def _start_set_up(self) -> None:
        folder, requirements = profile_folder(), requirements_folder()
        if installed_engine(folder) is not None and not self._is_confirmed():
            return
        self._start(tr("Set up the land-cover engine"), lambda monitor: install_engine(folder, requirements, monitor))

    def _is_confirmed(self) -> bool:
        """Ask before an engine that works is replaced."""
        answer = QMessageBox.question(
            self,
            self.windowTitle(),
            tr(
                "There is an engine already. Build a new one? The present one stays in use until the new one is ready "
                "and tested; if that fails, it is kept."
            ),
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _start_check(self) -> None:
        try:
            python = engine_interpreter().path
        except LandCoverError as error:
            self._append("warning", str(error))
            return
        self._start(tr("Check the land-cover engine"), lambda monitor: run_task(python, "doctor", {}, monitor))

    def _start(self, title: str, work: Callable[[Monitor], Any]) -> None:
        self._log.clear()
        self._progress.setValue(0)
        self._task = EngineTask(title, work)
        self._task.message.connect(self._append)
        self._task.ended.connect(self._end)
        self._task.progressChanged.connect(lambda percent: self._progress.setValue(int(percent)))
        QgsApplication.taskManager().addTask(self._task)
        self._show_state()

    def _append(self, level: str, text: str) -> None:
        shown = escape(text).replace("\n", "<br>")
        self._log.append(f'<span style="color:#b35900">{shown}</span>' if level == "warning" else shown)

    def _end(self, succeeded: bool) -> None:
        """Show the outcome of the task."""
        task, self._task = self._task, None
        if task is not None and succeeded:
            self._progress.setValue(100)
            if isinstance(task.value, dict):
                self._show_report(task.value)
            self._log.append(f"<b>{tr('Done.')}</b>")
        elif task is not None:
            self._progress.setValue(0)
            self._append("warning", task.error or tr("Cancelled."))
        self._show_state()

    def _show_report(self, report: dict[str, Any]) -> None:
        """Show the engine's versions, device, models and problems."""
        for name, version in report.get("versions", {}).items():
            self._append("info", f"{name} {version}")
        self._append("info", tr("Device: {name}").format(name=report.get("device", "")))
        models = [
            model.get("name", "") if isinstance(model, dict) else str(model) for model in report.get("models", [])
        ]
        self._append("info", tr("Models: {names}").format(names=", ".join(models) or tr("none")))
        for problem in report.get("problems", []):
            self._append("warning", str(problem))

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Cancel a running task and close the dialog."""
        self._cancel_task()
        super().closeEvent(event)
