"""Background tasks of the engine dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgis.core import QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.monitor import Monitor


class EngineTask(QgsTask):
    """Runs a function in the background, as its monitor, and emits its messages as signals.

    Args:
        title: Title in QGIS's list of tasks.
        work: Called with this task as its :class:`~dubai_landcover_plugin.protocol.monitor.Monitor`.
    """

    message = pyqtSignal(str, str)
    """Level and text of a message."""

    step = pyqtSignal(str)
    """What is being done."""

    ended = pyqtSignal(bool)
    """Whether the work succeeded; emitted in the main thread."""

    def __init__(self, title: str, work: Callable[[Monitor], Any]) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._work = work
        self.value: Any = None
        self.error = ""

    def run(self) -> bool:
        """Call the function; QGIS calls this in a background thread."""
        try:
            self.value = self._work(self)
        except Exception as error:  # shown in the dialog; QGIS would only print it
            self.error = str(explained(error))
            return False
        return True

    def finished(self, result: bool) -> None:
        """Emit :attr:`ended`; QGIS calls this in the main thread."""
        self.ended.emit(result)

    def report(self, done: int, total: int, text: str = "") -> None:
        """Move the progress bar."""
        self.setProgress(100.0 * done / max(total, 1))
        if text:
            self.step.emit(text)

    def log(self, level: str, text: str) -> None:
        """Emit a message."""
        self.message.emit(level, text)

    def cancelled(self) -> bool:
        """Return whether the user pressed Cancel."""
        return bool(self.isCanceled())
