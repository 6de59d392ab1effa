"""Features of the windows of a plan, computed on demand and kept in memory up to a limit."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.segmentation.blending import Floats, axis_weights, trim_width
from dubai_landcover_plugin.core.segmentation.executor import Job
from dubai_landcover_plugin.core.segmentation.window_reader import read_window
from dubai_landcover_plugin.core.teaching.features import FeatureRuntime, Levels
from dubai_landcover_plugin.core.teaching.head import features_at
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import tr

ANCHORS = 400
"""Pixels of each window whose features are kept as anchors, see :class:`Anchors`."""
_MOST_WINDOWS = 128  # with anchors: 64 MB for 320 features


@dataclass(frozen=True)
class WindowFeatures:
    """Features of one window.

    Args:
        window: The window.
        valid: (H, W) true where the raster has data.
        levels: Features of each decoder level, of the window padded to the network's stride; None if no pixel is valid.
    """

    window: Window
    valid: npt.NDArray[np.bool_]
    levels: Levels | None

    @property
    def size(self) -> int:
        """Size in memory, bytes."""
        return self.valid.nbytes + sum(level.nbytes for level in self.levels or ())


@dataclass(frozen=True)
class Anchors:
    """Random valid pixels of a window, which represent the map that should stay as it is.

    Args:
        cells: (N, 2) rows and columns of the working grid.
        features: (N, C) float32.
    """

    cells: npt.NDArray[np.intp]
    features: Floats


class WindowWeights:
    """Blending weights of the windows along both axes, those of a run.

    Args:
        tiles: The windows.
        receptive_radius: Receptive radius of the network, px; None if unlimited.
    """

    def __init__(self, tiles: TileGrid, receptive_radius: int | None) -> None:
        trim = trim_width(tiles.overlap, receptive_radius)
        height, width = tiles.window_shape
        self.rows = axis_weights(tiles.height, tiles.row_starts, height, tiles.overlap, trim)
        self.cols = axis_weights(tiles.width, tiles.col_starts, width, tiles.overlap, trim)
        self._best_row = _heaviest(tiles.height, tiles.row_starts, self.rows)
        self._best_col = _heaviest(tiles.width, tiles.col_starts, self.cols)
        self._columns = len(tiles.col_starts)

    def window_of(self, cells: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the index of the window with the largest weight at each of (N, 2) working pixels, (N,)."""
        found: npt.NDArray[np.intp] = self._best_row[cells[:, 0]] * self._columns + self._best_col[cells[:, 1]]
        return found


def _heaviest(length: int, starts: list[int], weights: list[Floats]) -> npt.NDArray[np.intp]:
    """Return the index of the window with the largest weight at each position of an axis, (length,)."""
    best, highest = np.zeros(length, np.intp), np.zeros(length, np.float32)
    for index, (start, weight) in enumerate(zip(starts, weights, strict=True)):
        part = slice(start, start + len(weight))
        better = weight > highest[part]
        best[part][better] = index
        highest[part][better] = weight[better]
    return best


class FeatureStore:
    """Computes and keeps features of windows; the least recently used ones are dropped.

    Args:
        job: The raster, the model and the plan of its windows.
        runtime: The network.
        limit: Memory for features, bytes; at least one window is kept.
        anchors: Anchors by index of the window, kept when a store is replaced.
    """

    def __init__(self, job: Job, runtime: FeatureRuntime, limit: int, anchors: dict[int, Anchors]) -> None:
        self._job, self._runtime, self._limit = job, runtime, limit
        self._held: OrderedDict[int, WindowFeatures] = OrderedDict()
        self._size = 0
        self.anchors = anchors
        self.computed = 0

    def windows(self, indices: Sequence[int], monitor: Monitor) -> Iterator[WindowFeatures]:
        """Yield the features of some windows in order, computing those that are not in memory.

        Raises:
            RunCancelled: if the monitor cancels.
            LandCoverError: if reading or computing fails.
        """
        missing = [index for index in indices if index not in self._held]
        started: deque[tuple[int, WindowFeatures, Future[Levels] | None]] = deque()
        waiting = iter(missing)
        for index in indices:
            raise_if_cancelled(monitor)
            found = self._held.get(index)
            if found is not None:
                self._held.move_to_end(index)
                yield found
                continue
            while len(started) <= self._runtime.in_flight and (ahead := next(waiting, None)) is not None:
                started.append((ahead, *self._start(ahead)))
            if not started or started[0][0] != index:  # dropped from memory since the start
                started.appendleft((index, *self._start(index)))
            _, empty, future = started.popleft()
            found = empty if future is None else WindowFeatures(empty.window, empty.valid, future.result())
            self._keep(index, found)
            self.computed += 1
            monitor.report(missing.index(index) + 1 if index in missing else len(missing), len(missing), "")
            yield found

    def add_anchors(self, index: int) -> None:
        """Compute the anchors of a window, unless they are there; its features are not kept.

        Raises:
            LandCoverError: if reading or computing fails.
        """
        if index in self.anchors:
            return
        empty, future = self._start(index)
        if future is not None:
            self._draw_anchors(index, self._checked(WindowFeatures(empty.window, empty.valid, future.result())))
        self.computed += 1

    @property
    def held(self) -> list[int]:
        """The windows whose features are in memory, in the order of their last use."""
        return list(self._held)

    def clear(self) -> None:
        """Release the features and the network; anchors are kept."""
        self._held.clear()
        self._size = 0
        self._runtime.close()

    def _start(self, index: int) -> tuple[WindowFeatures, Future[Levels] | None]:
        job = self._job
        item = read_window(job.plan, job.source, job.plan.tiles[index], job.bundle.metadata.mean)
        empty = WindowFeatures(item.window, item.valid, None)
        if item.chip is None:
            return empty, None
        stride = job.bundle.metadata.stride
        below, right = (-length % stride for length in item.chip.shape[1:])
        # repeated edge pixels, as in a run
        return empty, self._runtime.submit(np.pad(item.chip, ((0, 0), (0, below), (0, right)), "edge"))

    def _checked(self, found: WindowFeatures) -> WindowFeatures:
        """Return features as they are.

        Raises:
            BundleError: if they are not finite.
        """
        if found.levels is not None and not np.isfinite(found.levels[-1].sum()):
            raise BundleError(
                tr("The network returned NaN or infinite features in {precision}.", precision=self._runtime.precision),
                tr("Choose precision float32."),
            )
        return found

    def _keep(self, index: int, found: WindowFeatures) -> None:
        self._held[index] = self._checked(found)
        self._size += found.size
        while self._size > self._limit and len(self._held) > 1:
            self._size -= self._held.popitem(last=False)[1].size
        self._draw_anchors(index, found)

    def _draw_anchors(self, index: int, found: WindowFeatures) -> None:
        if index not in self.anchors and found.levels is not None:
            self.anchors[index] = _draw_anchors(index, found)
            while len(self.anchors) > _MOST_WINDOWS:
                self.anchors.pop(next(iter(self.anchors)))


def _draw_anchors(index: int, found: WindowFeatures) -> Anchors:
    """Return random valid pixels of a window; they depend on the window alone."""
    rows, cols = np.nonzero(found.valid)
    picked = np.random.default_rng(index).permutation(len(rows))[:ANCHORS]
    rows, cols = rows[picked], cols[picked]
    features = features_at(found.levels or [], rows, cols)
    return Anchors(np.column_stack([rows + found.window.row, cols + found.window.col]), features)
