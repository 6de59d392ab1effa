"""Joins the probabilities of overlapping windows without seams, one band of windows at a time.

Near a cut edge a network has seen only half of the surroundings. So the outermost ``trim`` pixels of a window count
nothing where a neighbour covers them, then the weight rises linearly through the rest of the overlap. The raster's own
border is no cut edge: the weight stays whole there. The weights of all windows at a pixel add up to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window

Floats = npt.NDArray[np.float32]


def trim_width(overlap: int, receptive_radius: int | None) -> int:
    """Return how many px at a cut edge count nothing: the receptive radius where the overlap allows it."""
    if receptive_radius is None:
        return overlap // 4
    return min(receptive_radius, overlap // 2)


def axis_weights(length: int, starts: list[int], size: int, overlap: int, trim: int) -> list[Floats]:
    """Return the weight of each window along one axis; at each pixel they add up to one.

    Args:
        length: Length of the axis, px.
        starts: Offset of each window, px.
        size: Length of a window, px.
        overlap: What neighbours share at least, px.
        trim: Weightless px at a cut edge, at most half the overlap.
    """
    ramp = max(overlap - 2 * trim, 0)
    distance = np.arange(size, dtype=np.float64) - trim + 0.5
    rising = np.clip(distance / ramp, 0.0, 1.0) if ramp else (distance > 0).astype(np.float64)
    weights = []
    total = np.zeros(length)
    for start in starts:
        weight = np.ones(size)
        if start > 0:
            weight *= rising
        if start + size < length:
            weight *= rising[::-1]
        weights.append(weight)
        total[start : start + size] += weight
    return [
        (weight / total[start : start + size]).astype(np.float32) for weight, start in zip(weights, starts, strict=True)
    ]


@dataclass(frozen=True)
class FinishedBlock:
    """Probabilities that no further window will change: (K, height, width) at ``row``, ``col`` of the raster."""

    row: int
    col: int
    probabilities: Floats


class BandBlender:
    """Adds windows in the order of the grid, from the start of any band on, and hands out what is finished.

    Only what windows share is weighted and added; the rest passes as it is. Memory: one overlap's rows across the
    raster and one overlap's columns of a window, whatever the raster's height.

    Args:
        grid: The windows that will come, all of them, row by row.
        classes: Channels K of the probabilities.
        receptive_radius: How far the model's answer for a pixel looks, px; None where everything counts.
    """

    def __init__(self, grid: TileGrid, classes: int, receptive_radius: int | None = None) -> None:
        trim = trim_width(grid.overlap, receptive_radius)
        height, width = grid.window_shape
        rows, cols = grid.row_starts, grid.col_starts
        row_weights = axis_weights(grid.height, rows, height, grid.overlap, trim)
        col_weights = axis_weights(grid.width, cols, width, grid.overlap, trim)
        self._row_weights = dict(zip(rows, row_weights, strict=True))
        self._col_weights = dict(zip(cols, col_weights, strict=True))
        self._next_row = dict(zip(rows, [*rows[1:], grid.height], strict=True))
        self._next_col = dict(zip(cols, [*cols[1:], grid.width], strict=True))
        self._shape = (classes, height, width)
        deepest = max((row + height - self._next_row[row] for row in rows), default=0)
        self._below = np.zeros((classes, deepest, grid.width), np.float32)  # sums of rows that the next band shares
        self._beside = np.zeros((classes, height, 0), np.float32)  # sums of columns that the next window shares
        self._depth = 0  # rows that this band shares with the one above

    def add(self, window: Window, probabilities: Floats | None) -> Iterator[FinishedBlock]:
        """Add one window, (K, height, width), or None for one that was skipped; yield what is finished.

        The array is changed in place. A finished block is a view: use it before the next call.
        """
        sums = np.zeros(self._shape, np.float32) if probabilities is None else probabilities
        if probabilities is not None:
            _weigh(sums, self._row_weights[window.row], axis=1)
            _weigh(sums, self._col_weights[window.col], axis=2)
        shared = self._beside.shape[2] if window.col else 0
        if shared:
            sums[:, :, :shared] += self._beside
        rows = self._next_row[window.row] - window.row
        cols = self._next_col[window.col] - window.col
        complete = sums[:, :, :cols]
        above = self._below[:, :, window.col : window.col + cols]
        if window.row:  # last, so that a shard that does without them can be given them afterwards
            complete[:, : self._depth] += above[:, : self._depth]
        yield FinishedBlock(window.row, window.col, complete[:, :rows])
        above[:, : window.height - rows] = complete[:, rows:]
        self._beside = sums[:, :, cols:].copy()
        if window.col + cols == self._below.shape[2]:  # the band is complete
            self._depth = window.height - rows

    @property
    def rest(self) -> Floats:
        """Sums that the next band shares, (K, n, W), after the last window of a band."""
        return self._below[:, : self._depth]


def _weigh(values: Floats, weights: Floats, axis: int) -> None:
    """Multiply (K, height, width) by the weights along an axis, where they are not one."""
    whole = np.flatnonzero(weights == 1)
    first, last = (whole[0], whole[-1] + 1) if whole.size else (len(weights), len(weights))
    for part in (slice(0, first), slice(last, None)):
        shape = (-1, 1) if axis == 1 else (1, -1)
        place = (slice(None), part) if axis == 1 else (slice(None), slice(None), part)
        values[place] *= weights[part].reshape(shape)
