"""Runs that are in progress, so that the plugin can end them before it is unloaded.

QGIS deletes the provider with the plugin; an algorithm that still runs would use it afterwards, and QGIS would crash.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from qgis.core import QgsApplication, QgsFeedback, QgsProcessingAlgRunnerTask
from qgis.PyQt.QtCore import QCoreApplication

_RUNNING: list[QgsFeedback] = []
_POLL = 0.02  # s


@contextmanager
def running(feedback: QgsFeedback) -> Iterator[None]:
    """Count a run as in progress while the block runs.

    Args:
        feedback: Cancels it.
    """
    _RUNNING.append(feedback)
    try:
        yield
    finally:
        _RUNNING.remove(feedback)


def stop_runs(seconds: float = 20.0) -> bool:
    """Cancel all runs and wait until they have ended; return whether they have. To be called in the main thread.

    Args:
        seconds: Longest time to wait.
    """
    tasks = _tasks() if _RUNNING else []
    for feedback in list(_RUNNING):
        feedback.cancel()
    end = time.monotonic() + seconds
    while (_RUNNING or any(task in tasks for task in _tasks())) and time.monotonic() < end:
        QCoreApplication.processEvents()  # tasks end in the main thread
        time.sleep(_POLL)
    if tasks:
        QCoreApplication.processEvents()
    return not _RUNNING


def _tasks() -> list[QgsProcessingAlgRunnerTask]:
    """Return the tasks of Processing that are active."""
    return [one for one in QgsApplication.taskManager().activeTasks() if isinstance(one, QgsProcessingAlgRunnerTask)]
