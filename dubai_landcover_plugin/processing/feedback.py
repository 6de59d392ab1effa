"""Progress and messages of the engine in QGIS."""

from __future__ import annotations

import time

from qgis.core import QgsProcessingFeedback

from dubai_landcover_plugin.protocol.remaining_time import RemainingTime
from dubai_landcover_plugin.protocol.translation import joined, tr

_SECONDS_BETWEEN_LINES = 5.0


def class_line(name: str, *, share: float | None = None, area: float | None = None, pixels: int | None = None) -> str:
    """Return a line of the log with the figures of a class, in the language of QGIS; its log keeps no columns.

    Args:
        name: The class, a pair of classes, or a code with its name.
        share: Its share of the whole, 0 to 1.
        area: Its area on the ground, m².
        pixels: Number of its pixels.
    """
    figures = [
        *([] if share is None else [tr("{share:.2f} %", share=100 * share)]),
        *([] if area is None else [tr("{area:,.2f} ha", area=area / 1e4)]),
        *([] if pixels is None else [tr("{pixels:,} px", pixels=pixels)]),
    ]
    return tr("{name}: {figures}", name=name, figures=joined(figures))


class FeedbackMonitor:
    """A run's monitor (see ``protocol.monitor``) on top of a Processing feedback.

    QGIS writes every progress text into the log, so they are thinned out.
    """

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self._last_line = 0.0
        self._last_stage = ""
        self._remaining = RemainingTime()

    def report(self, done: int, total: int, text: str = "") -> None:
        """Move the progress bar; show the step and the time left from time to time."""
        if total > 0:
            self._feedback.setProgress(100.0 * min(done / total, 1.0))
        left = self._remaining.words(done, total)
        text = joined(filter(None, (text, left)))
        now = time.monotonic()
        if text and text != self._last_stage and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line, self._last_stage = now, text
            self._feedback.setProgressText(text)

    def log(self, level: str, text: str) -> None:
        """Show a message."""
        if level == "warning":
            self._feedback.pushWarning(text)
        else:
            self._feedback.pushInfo(text)

    def cancelled(self) -> bool:
        """Return whether the user pressed Cancel."""
        return bool(self._feedback.isCanceled())
