"""The time that is left, from the progress alone, in words."""

from __future__ import annotations

import time
from typing import Callable

from dubai_landcover_plugin.protocol.translation import tr

_LEAST_SHARE, _LEAST_SECONDS = 0.01, 2.0  # from which an estimate means something
_MINUTE, _HOUR = 60, 3600


class RemainingTime:
    """Estimates the time left of a run whose progress is proportional to time.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None
        self._last = 0.0

    def seconds(self, done: int, total: int) -> float | None:
        """Return the seconds left; None where they are not known, and at the end."""
        share, now = (done / total if total > 0 else 0.0), self._clock()
        if self._first is None or share < self._last:
            self._first = now, share
        self._last = share
        started, before = self._first
        made, spent = share - before, now - started
        if share >= 1 or made < _LEAST_SHARE or spent < _LEAST_SECONDS:
            return None
        return spent * (1 - share) / made

    def words(self, done: int, total: int) -> str:
        """Return the time left in words, such as ``about 3 minutes left``; empty where it is not known."""
        seconds = self.seconds(done, total)
        return "" if seconds is None else tr("about {time} left", time=in_words(seconds))


def in_words(seconds: float) -> str:
    """Return a time in words, no more exact than an estimate is: ``20 seconds``, ``3 minutes``, ``2 hours``."""
    if seconds < 8:
        return tr("{seconds} seconds", seconds=5)
    if seconds < 55:
        return tr("{seconds} seconds", seconds=10 * max(round(seconds / 10), 1))
    if seconds < 55 * _MINUTE:
        minutes = max(round(seconds / _MINUTE), 1)
        return tr("1 minute") if minutes == 1 else tr("{minutes} minutes", minutes=minutes)
    hours = seconds / _HOUR
    if hours < 1.25:
        return tr("1 hour")
    return tr("{hours:.1f} hours", hours=hours) if hours < 5 else tr("{hours:.0f} hours", hours=hours)
