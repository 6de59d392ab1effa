"""Progress, messages and cancellation of a run."""

from __future__ import annotations

import logging
from typing import Protocol

from dubai_landcover_plugin.protocol.errors import RunCancelled

LOGGER = "dubai_landcover_plugin"
"""Name of the logger that :class:`LoggingMonitor` writes to."""


class Monitor(Protocol):
    """Receives progress and messages of a run; may cancel it."""

    def report(self, done: int, total: int, text: str = "") -> None:
        """Receive progress: ``done`` of ``total`` steps, and the stage or the throughput as a short text."""

    def log(self, level: str, text: str) -> None:
        """Receive one message; ``level`` is ``info`` or ``warning``."""

    def cancelled(self) -> bool:
        """Return whether the run should stop as soon as it can."""


class LoggingMonitor:
    """Sends messages and progress to :mod:`logging` and never cancels; the default of every tool.

    Messages have their own level. Progress has the level ``INFO`` and is logged once for each tenth of a stage.
    """

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)
        self._tenth = -1

    def report(self, done: int, total: int, text: str = "") -> None:
        """Log the progress where a new tenth begins."""
        tenth = 10 * done // max(total, 1)
        if tenth != self._tenth:
            self._tenth = tenth
            self._logger.info("%s", f"{10 * tenth} % {text}".rstrip())

    def log(self, level: str, text: str) -> None:
        """Log a message at its level."""
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
    """Stop the run if the monitor cancels it.

    Raises:
        RunCancelled: if ``monitor.cancelled()`` is true.
    """
    if monitor.cancelled():
        raise RunCancelled("The run was cancelled; nothing was written.")
