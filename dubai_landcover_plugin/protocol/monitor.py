"""Progress, messages and cancellation of a run."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.translation import tr

LOGGER = "dubai_landcover_plugin"
"""Name of the logger that :class:`LoggingMonitor` writes to."""


class Monitor(Protocol):
    """Receives progress and messages of a run; may cancel it."""

    def report(self, done: int, total: int, text: str = "") -> None:
        """Receive progress.

        Args:
            done: Steps done.
            total: All steps.
            text: Stage or throughput.
        """

    def log(self, level: str, text: str) -> None:
        """Receive one message; ``level`` is ``info`` or ``warning``."""

    def cancelled(self) -> bool:
        """Return whether the run should stop as soon as it can."""


class LoggingMonitor:
    """Logs messages and progress to the logger :data:`LOGGER` and never cancels; the default of every tool.

    Messages are logged at ``INFO`` or ``WARNING``, progress at ``INFO``. Progress is logged at most once in
    ``interval`` seconds; the end of a stage is always logged.

    Args:
        interval: Minimum time between two logs of progress, s.
    """

    def __init__(self, interval: float = 5.0) -> None:
        self._logger = logging.getLogger(LOGGER)
        self._interval = interval
        self._logged: float | None = None
        self._complete = False

    def report(self, done: int, total: int, text: str = "") -> None:
        """Log the progress in percent, unless it was logged less than ``interval`` seconds ago."""
        now = time.monotonic()
        complete = total > 0 and done >= total
        is_due = self._logged is None or now - self._logged >= self._interval
        if is_due or (complete and not self._complete):
            self._logged = now
            self._logger.info("%s", f"{100 * done // max(total, 1)} % {text}".rstrip())
        self._complete = complete

    def log(self, level: str, text: str) -> None:
        """Log a message at ``INFO`` or ``WARNING``."""
        self._logger.log(logging.WARNING if level == "warning" else logging.INFO, text)

    def cancelled(self) -> bool:
        """Never cancel."""
        return False


class SilentMonitor:
    """Ignores all messages and never cancels."""

    def report(self, done: int, total: int, text: str = "") -> None:
        """Ignore progress."""

    def log(self, level: str, text: str) -> None:
        """Ignore a message."""

    def cancelled(self) -> bool:
        """Never cancel."""
        return False


def raise_if_cancelled(monitor: Monitor) -> None:
    """Stop the run if the monitor has cancelled it.

    Raises:
        RunCancelled: if ``monitor.cancelled()`` is true.
    """
    if monitor.cancelled():
        raise RunCancelled(tr("The run was cancelled; unfinished files were removed."))
