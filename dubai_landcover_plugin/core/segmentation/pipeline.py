"""Reads, computes, blends and writes the windows of a plan; the four steps run concurrently."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.runtimes.predictor import Batch, Predictor
from dubai_landcover_plugin.core.segmentation.blending import Floats, TileRowBlender
from dubai_landcover_plugin.core.segmentation.class_rows import ClassMaps
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.core.segmentation.window_reader import WindowData, WindowReader
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled


class Pipeline:
    """Runs windows of a plan through the network.

    Args:
        plan: The windows.
        reader: Reads the windows.
        predictor: Computes probabilities.
        maps: Receives blended probabilities.
        metadata: Metadata of the model.
        monitor: Receives progress; may cancel the run.
        finished: Callback after each tile row, with the number of tile rows finished and the number of windows with
            valid pixels that this pipeline has computed.
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
        self._blender = TileRowBlender(plan.tiles, metadata.spec.classes, metadata.receptive_radius)
        self._computed = 0

    def run(self, first: int, last: int, batch: int) -> int:
        """Compute the rows of tile rows ``first`` to ``last`` (excluded).

        The result is bit-identical to that of a run over the whole raster: tile rows above ``first`` are computed too
        where their windows contribute to the rows of ``first``.

        Args:
            first: First tile row.
            last: End of the range of tile rows, excluded.
            batch: Number of windows with valid pixels in a forward pass.

        Returns:
            The number of windows with valid pixels in these tile rows.

        Raises:
            LandCoverError: if reading, computing or writing fails.
            RunCancelled: if the monitor cancels the run.
        """
        tiles = self._plan.tiles
        start = self._first_to_compute(first)
        windows = tiles.windows_of(start, last)
        meter = _Meter(self._monitor, first * len(tiles.col_starts), len(tiles))
        with ThreadPoolExecutor(1, "writer") as writer:
            # At most one batch is being blended and written; ``in_flight`` batches are being computed.
            written: Future[None] | None = None
            started: deque[tuple[list[WindowData], Batch | None]] = deque()

            def finish_one() -> None:
                """Wait for the oldest batch and hand it to the writer thread."""
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
    def carry(self) -> Floats:
        """Sums for the rows below the last tile row: see :attr:`TileRowBlender.carry`."""
        return self._blender.carry

    def _first_to_compute(self, first: int) -> int:
        """Return the first tile row with windows that contribute to the rows of tile row ``first``."""
        tiles = self._plan.tiles
        needed = self._maps.first_needed()
        start = first
        while start > 0 and tiles.row_starts[start - 1] + tiles.window_shape[0] > needed:
            start -= 1
        return start

    def _pixels_per_window(self) -> float:
        """Return the number of raster pixels for each window, overlaps counted once."""
        work = self._plan.work
        scale = work.scale[0] * work.scale[1]
        return work.height * work.width * scale / len(self._plan.tiles)

    def _blend(self, items: list[WindowData], probabilities: npt.NDArray[np.float32], first: int) -> None:
        """Blend the windows of a batch and pass on the blocks that are complete; runs in the writer thread."""
        computed = iter(probabilities)
        tiles = self._plan.tiles
        for item in items:
            self._maps.set_validity(item.window, item.valid)
            tile_row = tiles.row_starts.index(item.window.row)
            self._computed += item.chip is not None and tile_row >= first
            for block in self._blender.add(item.window, next(computed) if item.chip is not None else None):
                self._maps.add_block(block)
            if item.window.cols.stop == tiles.width and tile_row >= first:  # last window of the tile row
                self._finished(tile_row + 1, self._computed)


class _Meter:
    """Reports progress.

    Args:
        monitor: Receives the progress.
        before: Windows finished before this run.
        total: Windows of the whole plan.
    """

    def __init__(self, monitor: Monitor, before: int, total: int) -> None:
        self._monitor, self._before, self._total = monitor, before, total
        self._done = 0
        monitor.report(self._before, self._total, "")

    def add(self, windows: int) -> None:
        """Count finished windows."""
        self._done += windows
        self._monitor.report(min(self._before + self._done, self._total), self._total, "")
