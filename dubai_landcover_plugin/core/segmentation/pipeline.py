"""Every window on its way: read, computed, blended, written; the four go on at the same time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.runtimes.predictor import Batch, Predictor
from dubai_landcover_plugin.core.segmentation.blending import BandBlender
from dubai_landcover_plugin.core.segmentation.class_rows import ClassMaps
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.core.segmentation.window_reader import Item, WindowReader
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled


class Pipeline:
    """Takes windows of a plan through the network.

    Args:
        plan: The windows.
        reader: Where they come from.
        predictor: The network.
        maps: Where finished probabilities go.
        metadata: Of the model.
        monitor: Where progress goes; may cancel the run.
        finished: Told after each band of windows how many bands are finished, and how many windows of those that this
            pipeline computed held data.
    """

    def __init__(
        self,
        plan: Plan,
        reader: WindowReader,
        predictor: Predictor,
        maps: ClassMaps,
        metadata: BundleMetadata,
        monitor: Monitor,
        finished: Callable[[int, int], None],
    ) -> None:
        self._plan, self._reader, self._predictor, self._maps = plan, reader, predictor, maps
        self._monitor, self._finished = monitor, finished
        self._blender = BandBlender(plan.tiles, metadata.spec.classes, metadata.receptive_radius)
        self._computed = 0

    def run(self, first: int, last: int, batch: int) -> int:
        """Compute bands of windows, ``batch`` windows at once.

        The rows that come out are those of the whole raster, bit for bit: where they need sums from bands above, these
        are computed too.

        Args:
            first: The first band whose rows are wanted.
            last: The band after the last one.
            batch: Windows with data in a forward pass.

        Returns:
            How many windows of these bands held data.

        Raises:
            LandCoverError: whatever stops the run.
        """
        tiles = self._plan.tiles
        start = self._first_to_compute(first)
        windows = tiles.bands(start, last)
        count = (last - start) * len(tiles.col_starts)
        meter = _Meter(self._monitor, (first * len(tiles.col_starts), len(tiles)), count, self._pixels_per_window())
        with ThreadPoolExecutor(1, "writer") as writer:
            written: Future[None] | None = None
            started: deque[tuple[list[Item], Batch | None]] = deque()

            def finish_one() -> None:
                nonlocal written
                items, begun = started.popleft()
                probabilities = self._predictor.finish(begun) if begun is not None else np.empty((0,), np.float32)
                if written is not None:
                    written.result()
                written = writer.submit(self._blend, items, probabilities, first)
                meter.add(len(items))

            for items in self._reader.batches(windows, batch):
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

    @property
    def rest(self) -> npt.NDArray[np.float32]:
        """What the last band knows of the rows below it: see :attr:`BandBlender.rest`."""
        return self._blender.rest

    def _first_to_compute(self, first: int) -> int:
        """Return the first band that has to be computed for the rows of band ``first`` to be whole."""
        tiles = self._plan.tiles
        needed = self._maps.first_needed()
        start = first
        while start > 0 and tiles.row_starts[start - 1] + tiles.window_shape[0] > needed:
            start -= 1
        return start

    def _pixels_per_window(self) -> float:
        work = self._plan.work
        scale = work.scale[0] * work.scale[1]
        return work.height * work.width * scale / len(self._plan.tiles)

    def _blend(self, items: list[Item], probabilities: npt.NDArray[np.float32], first: int) -> None:
        each = iter(probabilities)
        tiles = self._plan.tiles
        for item in items:
            self._maps.saw(item.window, item.valid)
            band = tiles.row_starts.index(item.window.row)
            self._computed += item.chip is not None and band >= first
            for block in self._blender.add(item.window, next(each) if item.chip is not None else None):
                self._maps.put(block)
            if item.window.cols.stop == tiles.width and band >= first:
                self._finished(band + 1, self._computed)


class _Meter:
    """Turns finished windows into progress and throughput.

    Args:
        monitor: Where progress goes.
        place: Windows that are done already, and all that there are.
        count: Windows to come.
        pixels: Of the raster, for each window.
    """

    def __init__(self, monitor: Monitor, place: tuple[int, int], count: int, pixels: float) -> None:
        self._monitor, self._count, self._pixels = monitor, count, pixels
        self._before, self._all = place
        self._done = 0
        self._started = time.perf_counter()
        monitor.report(self._before, self._all, "")

    def add(self, windows: int) -> None:
        """Count windows and report."""
        self._done += windows
        elapsed = max(time.perf_counter() - self._started, 1e-9)
        rate = self._pixels * self._done / elapsed / 1e6
        left = elapsed * (self._count - self._done) / self._done
        done = min(self._before + self._done, self._all)
        self._monitor.report(done, self._all, f"{rate:.2f} Mpx/s, {left:.0f} s left")
