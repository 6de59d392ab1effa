"""Window that sets up and checks the engine."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import qgis.utils
from qgis.core import QgsApplication
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
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
from dubai_landcover_plugin.gui.sample_image import try_sample_image
from dubai_landcover_plugin.gui.set_up_message import tell_outcome, withdraw_offers
from dubai_landcover_plugin.gui.uninstallation import is_removal_confirmed
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import direction, joined, tr
from dubai_landcover_plugin.runner.administration import set_up_is_allowed, sources, wheels_folder
from dubai_landcover_plugin.runner.downloads import fetch
from dubai_landcover_plugin.runner.engine_removal import engine_parts, remove_engine
from dubai_landcover_plugin.runner.installer import (
    CPU_TORCH,
    CUDA_TORCH,
    FORMATS,
    KINDS,
    STANDARD,
    SetUp,
    adds_to_engine,
    install_engine,
    installed_kind,
    is_outdated,
)
from dubai_landcover_plugin.runner.interpreter import engine_folder, installed_engine
from dubai_landcover_plugin.runner.run import run_task
from dubai_landcover_plugin.runner.settings import data_folder, engine_interpreter, profile_folder

_WIDTH, _LOG_HEIGHT = 680, 220  # px
_WAIT = 20.0  # s, for the end of a task when the plugin is unloaded


def requirements_folder() -> Path:
    """Return the folder of the locked requirements: inside the installed plugin, or beside the package in a clone."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "requirements"
    return inside if inside.is_dir() else package.parent / "requirements"


class EngineDialog(QDialog):
    """Shows the engine in use, sets one up and checks it; a task goes on when the window is closed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Dubai Land Cover: engine"))
        self.resize(_WIDTH, 0)
        self._task: EngineTask | None = None
        self._state = _wrapped()
        self._step = _wrapped()
        self._step.linkActivated.connect(self._try_sample)
        self._sets_up = False
        self._kind = QComboBox()
        for value, text in (
            (STANDARD, tr("Standard: the shipped models and all tools (200 MB to download, 0.6 GB on disk)")),
            (
                FORMATS,
                tr("More formats: also GeoParquet, FlatGeobuf and ONNX Runtime (280 MB to download, 0.8 GB on disk)"),
            ),
            (
                CPU_TORCH,
                tr(
                    "With training: also PyTorch, teaching and models without graphs (0.6 GB to download, "
                    "1.9 GB on disk)"
                ),
            ),
            (CUDA_TORCH, tr("With training on NVIDIA graphics cards (several GB)")),
        ):
            self._kind.addItem(text, value)
        self._log = QTextEdit()
        self._log.setReadOnly(True)
        self._log.setMinimumHeight(_LOG_HEIGHT)
        self._log.hide()
        self._progress = QProgressBar()
        self._progress.setRange(0, 100)
        self._set_up = self._button(tr("Set up"), self.set_up)
        self._folder = self._button(tr("Set up from a folder…"), self._start_from_folder)
        self._check = self._button(tr("Check"), self._start_check)
        self._remove = self._button(tr("Remove engine…"), self._start_removal)
        self._show_log = self._button(tr("Show log"), self._toggle_log)
        self._cancel = self._button(tr("Cancel"), self._cancel_task)
        close = self._button(tr("Close"), self.close)

        above, below = QHBoxLayout(), QHBoxLayout()
        for button in (self._set_up, self._folder, self._check, self._remove):
            above.addWidget(button)
        above.addStretch()
        below.addWidget(self._show_log)
        below.addStretch()
        below.addWidget(self._cancel)
        below.addWidget(close)
        layout = QVBoxLayout(self)
        for widget in (self._explanation(), self._state, self._kind):
            layout.addWidget(widget)
        layout.addLayout(above)
        for widget in (self._step, self._progress, self._log):
            layout.addWidget(widget)
        layout.setStretchFactor(self._log, 100)
        layout.addStretch(1)
        layout.addLayout(below)
        self._show_state()

    @property
    def is_busy(self) -> bool:
        """Whether a task is running."""
        return self._task is not None

    def stop(self) -> None:
        """Cancel a task and wait for its end, before the plugin is unloaded."""
        if self._task is not None:
            self._task.cancel()
        if self._task is not None:  # one that had not started has ended at once
            self._task.waitForFinished(int(_WAIT * 1000))
        self._task = None
        self.close()
        self.deleteLater()

    def _button(self, text: str, called: Callable[[], Any]) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(called)
        return button

    def _explanation(self) -> QLabel:
        label = _wrapped()
        label.setText(
            tr(
                "Land cover is computed in a separate Python environment, so that its libraries do not conflict with "
                "those of QGIS. It is put into {folder}. You can close this window and go on working meanwhile.",
                folder=engine_folder(data_folder()).parent,
            )
        )
        return label

    def _show_state(self) -> None:
        """Show the engine in use and enable the available buttons."""
        try:
            found = engine_interpreter()
            text = tr("Engine in use: {path} (from {origin})", path=found.path, origin=found.origin)
            self._state.setText(f"<b>{escape(text, quote=False)}</b>{self._update_note()}")
            self._check.setEnabled(not self.is_busy)
        except LandCoverError as error:
            self._state.setText(f"<b>{escape(error.message, quote=False)}</b>")
            self._check.setEnabled(False)
        for widget in (self._set_up, self._folder, self._kind):
            widget.setEnabled(not self.is_busy and set_up_is_allowed())
        self._remove.setEnabled(not self.is_busy and bool(engine_parts(data_folder(), profile_folder())))
        if not set_up_is_allowed():
            self._step.setText(tr("Your administrator provides the engine: it is not set up here."))
        self._cancel.setEnabled(self.is_busy)
        self._fit()

    def _fit(self, freed: int = 0) -> None:
        """Make the window as high as its texts need, and ``freed`` px lower if it is higher."""
        layout = self.layout()
        layout.activate()
        self.resize(self.width(), max(layout.totalHeightForWidth(self.width()), self.height() - freed))

    def _update_note(self) -> str:
        """Return a sentence where this version of the plugin has newer libraries; empty otherwise."""
        outdated = is_outdated(data_folder(), requirements_folder())
        self._set_up.setText(tr("Update") if outdated else tr("Set up"))
        if not self.is_busy:
            self._kind.setCurrentIndex(max(KINDS.index(installed_kind(data_folder())), self._kind.currentIndex()))
        if not outdated:
            return ""
        return "<br>" + tr("This version of the plugin comes with other versions of its libraries: press Update.")

    def set_up(self) -> None:
        """Start a set-up of the kind that is chosen, unless a task is running."""
        if not self.is_busy:
            self._begin_set_up(wheels_folder())

    def _begin_set_up(self, wheels: Path | None) -> None:
        base, requirements, kind = data_folder(), requirements_folder(), self._kind.currentData()
        adds = adds_to_engine(base, requirements, kind)
        if installed_engine(base) is not None and not adds and not self._is_confirmed():
            return
        withdraw_offers()
        wanted = SetUp(kind, wheels, fetch, profile_folder(), sources())
        self._start(
            tr("Set up the land-cover engine"), lambda monitor: install_engine(base, requirements, monitor, wanted)
        )
        self._sets_up = True

    def _start_from_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder that make landcover-wheels has written"))
        if folder:
            self._begin_set_up(Path(folder))

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

    def _start_removal(self) -> None:
        if is_removal_confirmed(self):
            base, profile = data_folder(), profile_folder()
            self._start(tr("Remove the land-cover engine"), lambda monitor: remove_engine(base, profile, monitor))

    def _start_check(self) -> None:
        try:
            python = engine_interpreter().path
        except LandCoverError as error:
            self._step.setText(escape(str(error), quote=False))
            return
        if self._log.isHidden():
            self._toggle_log()
        self._start(tr("Check the land-cover engine"), lambda monitor: run_task(python, "doctor", {}, monitor))

    def _start(self, title: str, work: Callable[[Monitor], Any]) -> None:
        self._sets_up = False
        self._log.clear()
        self._progress.setValue(0)
        self._step.setText(title)
        self._task = EngineTask(title, work)
        self._task.message.connect(self._append)
        self._task.step.connect(self._step.setText)
        self._task.ended.connect(self._end)
        self._task.progressChanged.connect(lambda percent: self._progress.setValue(int(percent)))
        QgsApplication.taskManager().addTask(self._task)
        self._show_state()

    def _append(self, level: str, text: str) -> None:
        shown = escape(text, quote=False).replace("\n", "<br>")
        colour = "color:#b35900" if level == "warning" else ""
        self._log.append(f'<div dir="{direction()}" style="{colour}">{shown}</div>')

    def _end(self, succeeded: bool) -> None:
        """Show the outcome of the task."""
        task, self._task = self._task, None
        if task is not None and succeeded:
            self._progress.setValue(100)
            if isinstance(task.value, dict):
                self._show_report(task.value)
            self._log.append(f"<b>{tr('Done.')}</b>")
            self._step.setText(f"<b>{tr('Done.')}</b>")
            if self._sets_up:
                self._step.setText(f'<b>{tr("The engine is ready.")}</b> <a href="#">{tr("Try a sample image…")}</a>')
        elif task is not None:
            self._progress.setValue(0)
            self._append("warning", task.error or tr("Cancelled."))
            self._step.setText(f"<b>{escape(task.error, quote=False) or tr('Cancelled.')}</b>")
        if task is not None and self._sets_up and not self.isVisible() and not task.isCanceled():
            tell_outcome(qgis.utils.iface.messageBar(), task.error, self.show, self._try_sample)
        self._show_state()

    def _try_sample(self) -> None:
        self.close()
        try_sample_image(qgis.utils.iface)

    def _show_report(self, report: dict[str, Any]) -> None:
        """Show the engine's versions, device, models and problems."""
        for name, version in report.get("versions", {}).items():
            self._append("info", f"{name} {version}")
        self._append("info", tr("Device: {name}", name=report.get("device", "")))
        models = [
            model.get("name", "") if isinstance(model, dict) else str(model) for model in report.get("models", [])
        ]
        self._append("info", tr("Models: {names}", names=joined(models) or tr("none")))
        for problem in report.get("problems", []):
            self._append("warning", str(problem))

    def _toggle_log(self) -> None:
        shown = self._log.isHidden()
        freed = 0 if shown else self._log.height()
        self._log.setVisible(shown)
        self._show_log.setText(tr("Hide log") if shown else tr("Show log"))
        self._fit(freed)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _wrapped() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label


def is_update_due() -> bool:
    """Return whether the engine in use was set up by the plugin, with other libraries than those of this version."""
    try:
        python = Path(engine_interpreter().path)
    except LandCoverError:
        return False
    own = installed_engine(data_folder())
    return own is not None and own in python.parents and is_outdated(data_folder(), requirements_folder())


_OPEN: list[EngineDialog] = []
"""The window, which stays alive when it is closed: its task goes on."""


def show_engine_dialog(parent: QWidget | None = None) -> EngineDialog:
    """Show the window of the set-up; there is one.

    Args:
        parent: QGIS's main window.
    """
    if not _OPEN:
        _OPEN.append(EngineDialog(parent))
    dialog = _OPEN[0]
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
    return dialog


def close_engine_dialog() -> None:
    """Remove the window, before the plugin is unloaded."""
    while _OPEN:
        _OPEN.pop().stop()
