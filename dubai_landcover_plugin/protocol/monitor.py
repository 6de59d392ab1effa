"""Where a run reports what it does and learns that it is no longer wanted."""

from __future__ import annotations

from typing import Protocol

from dubai_landcover_plugin.protocol.errors import RunCancelled


class Monitor(Protocol):
    """Receives progress and messages of a run; may ask it to stop."""

    def report(self, done: int, total: int, text: str = "") -> None:
        """Tell how far the run is; ``text`` is a short throughput or stage note."""

    def log(self, level: str, text: str) -> None:
        """Pass on one message; ``level`` is ``info`` or ``warning``."""

    def cancelled(self) -> bool:
        """Return whether the run should stop as soon as it can."""


class SilentMonitor:
    """A monitor that hears everything and says nothing."""

    def report(self, done: int, total: int, text: str = "") -> None:
        """Ignore progress."""

    def log(self, level: str, text: str) -> None:
        """Ignore a message."""

    def cancelled(self) -> bool:
        """Never ask to stop."""
        return False


def raise_if_cancelled(monitor: Monitor) -> None:
    """Stop the run if the user asked for it.

    Raises:
        RunCancelled: if ``monitor.cancelled()`` is true.
    """
    if monitor.cancelled():
        raise RunCancelled("The run was cancelled; nothing was written.")
