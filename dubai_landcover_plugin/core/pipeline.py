"""Every window on its way: read, computed, blended, written; the four go on at the same time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.blending import BandBlender
from dubai_landcover_plugin.core.class_maps import ClassMaps, MapOutputs
from dubai_landcover_plugin.core.journal import Journal
from dubai_landcover_plugin.core.model_spec import BundleMetadata
from dubai_landcover_plugin.core.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.core.plan import Plan
from dubai_landcover_plugin.core.predictor import Batch, Predictor
from dubai_landcover_plugin.core.raster import RasterSource
from dubai_landcover_plugin.core.windows import Window

_AHEAD = 2  # batches that are read before they are needed
_SAMPLED = (0.5, 0.25, 0.75, 0.0, 0.99)  # where along the windows one is looked for to try the runtimes on


@dataclass(frozen=True)
class Item:
    """One window on its way: its chip, (C, H, W) uint8, or None where no pixel is valid."""

    window: Window
    valid: npt.NDArray[np.bool_]
    chip: npt.NDArray[np.uint8] | None


class Pipeline:
    """Takes all windows of a plan through the network.

    Args:
        plan: The windows.
        source: Where they are read.
        predictor: The network.
        maps: Where finished probabilities go.
        outputs: Where ``maps`` writes its rows.
        metadata: Of the model.
        monitor: Where progress goes; may cancel the run.
        journal: Where finished rows are kept, and perhaps have been by a run that was killed.
    """

    def __init__(
        self,
        plan: Plan,
        source: RasterSource,
        predictor: Predictor,
        maps: ClassMaps,
        outputs: MapOutputs,
        metadata: BundleMetadata,
        monitor: Monitor,
        journal: Journal,
    ) -> None:
        self._plan, self._source, self._predictor, self._maps = plan, source, predictor, maps
        self._outputs, self._monitor, self._journal = outputs, monitor, journal
        self._blender = BandBlender(plan.tiles, metadata.spec.classes, metadata.receptive_radius)
        self._fill = _fill(metadata)
        self._computed = 0  # windows whose sums are in the blender

    def run(self, batch: int) -> int:
        """Compute every window, ``batch`` at once, and return how many held data.

        Raises:
            LandCoverError: whatever stops the run.
        """
        done = self._go_on()
        meter = _Meter(self._monitor, len(self._plan.tiles), self._source.grid.height * self._source.grid.width, done)
        with ThreadPoolExecutor(1, "reader") as reader, ThreadPoolExecutor(1, "writer") as writer:
            written: Future[None] | None = None
            started: deque[tuple[list[Item], Batch | None]] = deque()

            def finish_one() -> None:
                nonlocal written
                items, begun = started.popleft()
                probabilities = self._predictor.finish(begun) if begun is not None else np.empty((0,), np.float32)
                if written is not None:
                    written.result()
                written = writer.submit(self._blend, items, probabilities)
                meter.add(len(items))

            for items in _ahead(reader, self._batches(done, batch)):
                raise_if_cancelled(self._monitor)
                chips = [item.chip for item in items if item.chip is not None]
                started.append((items, self._predictor.start(np.stack(chips)) if chips else None))
                if len(started) > self._predictor.in_flight:
                    finish_one()
            while started:
                raise_if_cancelled(self._monitor)
                finish_one()
            if written is not None:
                written.result()
        raise_if_cancelled(self._monitor)
        return self._computed

    def _go_on(self) -> int:
        """Take over what the same run has left behind; return how many windows that were."""
        state = self._journal.load()
        if state is None:
            self._journal.remove()
            self._outputs.journal = self._journal
            return 0
        for labels, confidence in self._journal.rows():
            self._outputs.write_rows(labels, confidence)
        self._blender.restore(state)
        self._maps.restore(state)
        self._computed = int(state["computed"])
        self._outputs.journal = self._journal
        done = int(state["windows"])
        self._monitor.log(
            "info",
            f"An earlier run had finished {done} of {len(self._plan.tiles)} windows; this one goes on from there.",
        )
        return done

    def _batches(self, done: int, batch: int) -> Iterator[list[Item]]:
        """Yield windows in the grid's order; each list has at most ``batch`` that hold data."""
        items: list[Item] = []
        full = 0
        for window in islice(self._plan.tiles, done, None):
            item = _read(self._plan, self._source, window, self._fill)
            items.append(item)
            full += item.chip is not None
            if full == batch or len(items) == 4 * batch:
                yield items
                items, full = [], 0
        if items:
            yield items

    def _blend(self, items: list[Item], probabilities: npt.NDArray[np.float32]) -> None:
        each = iter(probabilities)
        for item in items:
            self._maps.saw(item.window, item.valid)
            self._computed += item.chip is not None
            for block in self._blender.add(item.window, next(each) if item.chip is not None else None):
                self._maps.put(block)
            if item.window.cols.stop == self._plan.tiles.width and self._journal.is_due():
                self._save(item.window)

    def _save(self, last: Window) -> None:
        """Keep what is finished up to a band's last window."""
        tiles = self._plan.tiles
        done = (tiles.row_starts.index(last.row) + 1) * len(tiles.col_starts)
        counts = {"windows": np.array(done), "computed": np.array(self._computed)}
        try:
            self._journal.save({**counts, **self._blender.state(), **self._maps.state()})
        except OSError as error:
            self._monitor.log("warning", f"What is finished so far could not be kept: {error}.")


def sample_window(plan: Plan, source: RasterSource, metadata: BundleMetadata) -> npt.NDArray[np.uint8] | None:
    """Return a window that holds data as (1, C, H, W), the middle one if it does; None if no tried one does."""
    tiles = list(plan.tiles)
    for share in _SAMPLED:
        item = _read(plan, source, tiles[int(share * len(tiles))], _fill(metadata))
        if item.chip is not None and item.valid.mean() > 0.5:
            return item.chip[None]
    return None


def _fill(metadata: BundleMetadata) -> npt.NDArray[np.uint8]:
    """Return the colour that stands for pixels without data."""
    colour: npt.NDArray[np.uint8] = np.rint(np.array(metadata.mean) * 255).astype(np.uint8)
    return colour


def _read(plan: Plan, source: RasterSource, window: Window, fill: npt.NDArray[np.uint8]) -> Item:
    """Read a window as the network sees it."""
    shape = None if plan.work.is_native else (plan.work.height, plan.work.width)
    chip = source.read(window, shape, plan.work.scale)
    if not chip.valid.any():
        return Item(window, chip.valid, None)
    values = plan.stretch(chip.values)
    if not chip.valid.all():
        values = np.where(chip.valid, values, fill[:, None, None])
    return Item(window, chip.valid, values)


def _ahead(reader: ThreadPoolExecutor, batches: Iterator[list[Item]]) -> Iterable[list[Item]]:
    """Yield batches, reading the next ones meanwhile."""
    coming = deque(reader.submit(next, batches, None) for _ in range(_AHEAD))
    while (items := coming.popleft().result()) is not None:
        coming.append(reader.submit(next, batches, None))
        yield items


class _Meter:
    """Turns finished windows into progress and throughput."""

    def __init__(self, monitor: Monitor, windows: int, pixels: int, done: int) -> None:
        self._monitor, self._windows, self._pixels = monitor, windows, pixels
        self._first = self._done = done
        self._started = time.perf_counter()
        monitor.report(done, windows, "")

    def add(self, windows: int) -> None:
        """Count windows and report."""
        self._done += windows
        elapsed = max(time.perf_counter() - self._started, 1e-9)
        new = self._done - self._first
        rate = self._pixels * new / self._windows / elapsed / 1e6
        left = elapsed * (self._windows - self._done) / new
        self._monitor.report(self._done, self._windows, f"{rate:.2f} Mpx/s, {left:.0f} s left")
