"""Parts of layers that the engine cannot open, such as web layers, as files that it can."""

from __future__ import annotations

from contextlib import suppress
from typing import Callable

from qgis.core import QgsApplication, QgsProcessingFeedback, QgsProject, QgsRectangle, QgsTask
from qgis.PyQt.QtCore import QObject, pyqtSignal

from dubai_landcover_plugin.processing.raster_copies import RasterInput, draw_to_file, remove_copy
from dubai_landcover_plugin.protocol.translation import tr

_RUNNING: set[_DrawTask] = set()
"""Keeps the Python half of tasks while QGIS runs them."""


class _DrawTask(QgsTask):
    """Draws a part of a layer to a file; web layers take seconds.

    Args:
        source: The layer.
        area: The part, in its CRS.
        gsd: Resolution of layers without one, m/px.
        done: Called with the task in the main thread, unless it was cancelled.
    """

    def __init__(self, source: RasterInput, area: QgsRectangle, gsd: float, done: Callable[[_DrawTask], None]) -> None:
        super().__init__(tr("Drawing the view"), QgsTask.Flag.CanCancel)
        self._source, self.area, self._gsd, self._done = source, area, gsd, done
        self._context = QgsProject.instance().transformContext()
        self._feedback = QgsProcessingFeedback(False)
        self.path = ""
        self.problem = ""
        """Why there is no file; empty if there is one."""

    def start(self) -> None:
        """Draw as soon as QGIS has a thread."""
        _RUNNING.add(self)
        QgsApplication.taskManager().addTask(self)

    def cancel(self) -> None:
        """Stop drawing."""
        self._feedback.cancel()
        super().cancel()

    def run(self) -> bool:
        """Draw, in a thread of QGIS."""
        try:
            self.path = draw_to_file(self._source, self.area, self._gsd, self._context, self._feedback)
        except Exception as error:  # an exception that leaves the thread ends QGIS
            self.problem = str(error)
        return bool(self.path)

    def finished(self, result: bool) -> None:
        """Report, in the main thread."""
        _RUNNING.discard(self)
        if not self.isCanceled():
            self._done(self)
        elif self.path:
            _remove(self.path)


class DrawnView(QObject):
    """The part of a layer that was drawn last. Files are removed when they are replaced."""

    ready = pyqtSignal()
    """A part was drawn."""
    failed = pyqtSignal(str)
    """Why it was not."""

    def __init__(self) -> None:
        super().__init__()
        self._task: _DrawTask | None = None
        self._area = QgsRectangle()
        self._paths: list[str] = []  # the engine may still have the last but one

    @property
    def path(self) -> str:
        """The file; empty without one."""
        return self._paths[-1] if self._paths else ""

    def covers(self, area: QgsRectangle) -> bool:
        """Return whether an area of the layer is in the file."""
        return bool(self._paths) and self._area.contains(area)

    def draw(self, source: RasterInput, area: QgsRectangle, gsd: float) -> None:
        """Draw another part, in the background; one that is being drawn is dropped.

        Args:
            source: The layer.
            area: The part, in its CRS.
            gsd: Resolution of layers without one, m/px.
        """
        self.stop()
        self._task = _DrawTask(source, area, gsd, self._take)
        self._task.start()

    def stop(self) -> None:
        """Draw no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def clear(self) -> None:
        """Stop and remove all files."""
        self.stop()
        while self._paths:
            _remove(self._paths.pop())
        self._area = QgsRectangle()

    def _take(self, task: _DrawTask) -> None:
        if task is not self._task:
            return
        self._task = None
        if task.problem:
            self.failed.emit(task.problem)
            return
        self._area = task.area
        self._paths.append(task.path)
        while len(self._paths) > 2:
            _remove(self._paths.pop(0))
        self.ready.emit()


def _remove(path: str) -> None:
    with suppress(OSError):  # Windows does not delete files that are open; QGIS empties its folder at its end
        remove_copy(path)
