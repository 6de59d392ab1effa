"""One progress for all steps of a run: raster, polygons, buildings and roads.

Progress is time: the time spent, as a share of that and the time that is probably left. It never goes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import marked, tr

CLASSIFYING, CHECKING, EDITING = marked("Classifying"), marked("Checking the raster"), marked("Editing")
POLYGONS, BUILDINGS = marked("Drawing polygons"), marked("Straightening buildings")
ROADS, REPORT = marked("Tracing roads"), marked("Writing the report")
"""Names of the steps, as users read them."""

_SECONDS_PER_MPX = {CHECKING: 0.05, POLYGONS: 0.2, BUILDINGS: 0.15, ROADS: 0.3, REPORT: 0.05}
"""Times of a mosaic of 28.6 Mpx on two cores, with a margin; finished steps of the run correct them."""
_SECONDS = {CHECKING: 0.2, POLYGONS: 1.0, BUILDINGS: 0.5, ROADS: 1.5, REPORT: 0.5}
"""Further times of the same steps, whatever the raster: most of them load libraries."""
_LEAST = 0.01  # share of a step from which its speed is known
_SLOWNESS = 0.2, 50.0  # times of this computer, relative to those above
_STEPS = 1000


class RunProgress:
    """Monitor of a run of several steps.

    Args:
        monitor: Receives one progress for the whole run, and all messages.
        steps: Names of the steps, in order; :meth:`enter` begins each of them.
        clock: Returns seconds.
    """

    def __init__(self, monitor: Monitor, steps: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._monitor, self._clock = monitor, clock
        self._waiting = list(steps)
        self._expected = dict.fromkeys(steps, 0.0)
        self._step, self._first = "", 0.0
        self._started = self._entered = clock()
        self._slowness, self._share = 1.0, 0.0

    def measure(self, pixels: int, beside: str = "") -> None:
        """Set the size of the raster, on which the times of the steps depend.

        Args:
            pixels: Number of pixels.
            beside: A step that another process computes meanwhile.
        """
        self._expected = {
            name: _SECONDS.get(name, 0.0) + _SECONDS_PER_MPX.get(name, 0.0) * pixels / 1e6 for name in self._expected
        }
        if beside:
            self._expected[beside] = max(self._expected[beside] - sum(map(self._time, self._waiting)), 0.0)

    def enter(self, step: str) -> None:
        """Begin a step; those before it are finished."""
        now = self._clock()
        if expected := self._time(self._step):
            low, high = _SLOWNESS
            self._slowness = min(max((now - self._entered) / expected, low), high)
        self._waiting = self._waiting[self._waiting.index(step) + 1 :] if step in self._waiting else self._waiting
        self._step, self._entered, self._first = step, now, -1.0
        self._show(0.0)

    def report(self, done: int, total: int, text: str = "") -> None:
        """Receive the progress of the step, see :class:`.Monitor`; its text is that of the step."""
        fraction = min(done / total, 1.0) if total > 0 else 0.0
        if self._first < 0:
            self._first = fraction  # not 0 where an interrupted run resumes
            if not self._time(self._step):  # time before the first window, such as trials of runtimes, says nothing
                self._entered = self._clock()
        self._show(fraction)

    def _show(self, fraction: float) -> None:
        """Report the progress of the run."""
        now = self._clock()
        left = self._left(fraction, now)
        if left is not None:
            spent = now - self._started
            self._share = max(self._share, spent / max(spent + left, 1e-9))
        self._monitor.report(min(int(_STEPS * self._share), _STEPS - 1), _STEPS, tr(self._step))

    def finish(self) -> None:
        """Report the end of the run."""
        self._monitor.report(_STEPS, _STEPS, "")

    def log(self, level: str, text: str) -> None:
        """See :class:`.Monitor`."""
        self._monitor.log(level, text)

    def cancelled(self) -> bool:
        """See :class:`.Monitor`."""
        return self._monitor.cancelled()

    def _left(self, fraction: float, now: float) -> float | None:
        """Return the seconds that are left of the run; None where nothing is known yet."""
        later = self._slowness * sum(map(self._time, self._waiting))
        made = fraction - max(self._first, 0.0)
        if made >= _LEAST:
            return later + (now - self._entered) * (1 - fraction) / made
        expected = self._time(self._step)
        if not expected:
            return None
        return later + max(self._slowness * expected - (now - self._entered), 0.0)

    def _time(self, step: str) -> float:
        """Return the seconds that a step takes, on the computer of the table; 0 where it is not in it."""
        return self._expected.get(step, 0.0)
