"""One progress for all steps of a run."""

import numpy as np

from dubai_landcover_plugin.core.segmentation.run_progress import (
    BUILDINGS,
    CHECKING,
    CLASSIFYING,
    POLYGONS,
    ROADS,
    RunProgress,
)
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.remaining_time import RemainingTime
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from tests.factories import random_pixels, stub_bundle, write_raster

STEPS = (CLASSIFYING, CHECKING, POLYGONS, BUILDINGS, ROADS)


class Keeper:
    """Keeps the progress."""

    def __init__(self):
        self.reports, self.lines = [], []

    def report(self, done, total, text=""):
        self.reports.append((done / total, text))

    def log(self, level, text):
        self.lines.append(text)

    def cancelled(self):
        return False


class Run:
    """A run of steps of given times, with its progress and the times that a user is told."""

    def __init__(self, seconds, pixels=28_600_000, resumed=0.0):
        self.now, self.told = 0.0, []
        self.keeper, remaining = Keeper(), RemainingTime(lambda: self.now)
        progress = RunProgress(self.keeper, STEPS, lambda: self.now)
        progress.measure(pixels)
        for step, duration in zip(STEPS, seconds, strict=True):
            progress.enter(step)
            parts = 50
            begin = resumed if step == CLASSIFYING else 0.0
            for part in range(int(begin * parts), parts):
                progress.report(part, parts, "inner words")
                left = remaining.seconds(round(1e6 * self.keeper.reports[-1][0]), 1_000_000)
                self.told.append((self.now, left))
                self.now += duration / parts
            progress.report(parts, parts)
        progress.finish()


def test_it_never_goes_back_and_ends_once():
    run = Run([60, 2, 8, 5, 9])
    shares = [share for share, _ in run.keeper.reports]
    assert shares == sorted(shares)
    assert shares.count(1.0) == 1
    assert list(dict.fromkeys(text for _, text in run.keeper.reports)) == [*STEPS, ""]


def test_the_time_left_is_right_within_a_third_from_early_on():
    for scale in (1.0, 8.0):  # on a computer as that of the table, and on one that is eight times slower
        run = Run(np.array([60, 1.4, 5.7, 4.3, 8.6]) * scale)
        total = run.now
        for now, left in run.told:
            if left is not None and 0.2 * total < now < 0.9 * total:
                assert abs(left - (total - now)) < 0.33 * total, (scale, now, left)


def test_trials_of_runtimes_before_the_first_window_do_not_slow_the_estimate():
    now, keeper = 0.0, Keeper()
    progress = RunProgress(keeper, STEPS[:1], lambda: now)
    progress.measure(1_000_000)
    progress.enter(CLASSIFYING)
    remaining = RemainingTime(lambda: now)
    remaining.seconds(0, 1_000_000)
    now = 40.0  # trials
    for part in range(20):
        progress.report(part, 100)
        left = remaining.seconds(round(1e6 * keeper.reports[-1][0]), 1_000_000)
        assert left is None or abs(left - (100 - part) * 0.3) < 10
        now += 0.3
    assert left is not None


def test_fast_classification_does_not_promise_the_end_before_the_vectors():
    run = Run([3, 1.4, 5.7, 4.3, 8.6])  # classified by a graphics card
    shares = {text: share for share, text in reversed(run.keeper.reports) if text}
    assert shares[POLYGONS] < 0.4


def test_a_resumed_run_counts_the_time_of_its_own_rows():
    run = Run([60, 0, 0, 0, 0], pixels=0, resumed=0.5)
    later = [(now, left) for now, left in run.told if now > 5 and left is not None]
    assert len(later) > 15
    assert all(abs(left - (30 - now)) < 6 for now, left in later)  # the steps after it have least times


def test_a_run_with_all_vectors_is_one_progress(tmp_path):
    write_raster(tmp_path / "i.tif", random_pixels(60, 70))
    keeper = Keeper()
    names = {name: str(tmp_path / f"{name}.gpkg") for name in ("polygons", "buildings", "roads")}
    run_segmentation(
        SegmentationRequest(str(tmp_path / "i.tif"), str(tmp_path / "o.tif"), **names), keeper, stub_bundle()
    )
    shares = [share for share, _ in keeper.reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert list(dict.fromkeys(text for _, text in keeper.reports)) == [*STEPS, ""]
