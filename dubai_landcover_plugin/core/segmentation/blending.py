"""Blends the probabilities of overlapping windows, one tile row at a time.

Near a cut edge a network sees only one side of the surroundings. The outermost ``trim`` pixels of a window therefore
get weight 0 where a neighbouring window covers them; over the rest of the overlap the weight rises linearly to 1. At
the raster's own border the weight stays 1. At every pixel the weights of all windows add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window

Floats = npt.NDArray[np.float32]


def trim_width(overlap: int, receptive_radius: int | None) -> int:
    """Return the number of pixels with weight 0 at a cut edge: the receptive radius, at most half the overlap.

    Args:
        overlap: Overlap of neighbouring windows, px.
        receptive_radius: Receptive radius of the network, px; None if unlimited, which gives a quarter of the overlap.
    """
    if receptive_radius is None:
        return overlap // 4
    return min(receptive_radius, overlap // 2)


def axis_weights(length: int, starts: list[int], size: int, overlap: int, trim: int) -> list[Floats]:
    """Return the blending weights of each window along one axis, (size,) each; they add up to 1 at each pixel.

    Args:
        length: Length of the axis, px.
        starts: Offset of each window, px.
        size: Length of a window, px.
        overlap: Minimum overlap of neighbouring windows, px.
        trim: Pixels with weight 0 at a cut edge, at most half the overlap.
    """
    # Weight at a cut edge: 0 over the trimmed pixels, then a linear ramp sampled at pixel centres, then 1.
    ramp = max(overlap - 2 * trim, 0)
    distance = np.arange(size, dtype=np.float64) - trim + 0.5
    rising = np.clip(distance / ramp, 0.0, 1.0) if ramp else (distance > 0).astype(np.float64)
    weights = []
    total = np.zeros(length)
    for start in starts:
        weight = np.ones(size)
        if start > 0:  # cut at the near side; the raster's border is not a cut edge
            weight *= rising
        if start + size < length:  # cut at the far side
            weight *= rising[::-1]
        weights.append(weight)
        total[start : start + size] += weight
    # Windows may overlap by more than ``overlap``, and more than two may meet: dividing by the sum normalizes.
    return [
        (weight / total[start : start + size]).astype(np.float32) for weight, start in zip(weights, starts, strict=True)
    ]


@dataclass(frozen=True)
class FinishedBlock:
    """Final probabilities, (K, height, width), with their upper-left pixel at ``row``, ``col`` of the working grid."""

    row: int
    col: int
    probabilities: Floats


class TileRowBlender:
    """Adds windows in the order of the grid, starting at any tile row, and yields the blocks that are complete.

    Only the pixels that windows share are weighted and summed; all others pass unchanged. Memory: the rows of one
    overlap across the raster, and the columns of one overlap of a window, independent of the raster's height.

    Args:
        grid: The windows, to be added row by row.
        classes: Channels K of the probabilities.
        receptive_radius: Receptive radius of the network, px; None if unlimited.
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
        self._below = np.zeros((classes, deepest, grid.width), np.float32)  # sums of rows shared with the next tile row
        self._beside = np.zeros((classes, height, 0), np.float32)  # sums of columns shared with the next window
        self._depth = 0  # rows shared with the tile row above

    def add(self, window: Window, probabilities: Floats | None) -> Iterator[FinishedBlock]:
        """Add one window and yield its complete block.

        Args:
            window: The next window of the grid.
            probabilities: (K, height, width) float32, changed in place; None for a skipped window.

        Yields:
            Views of the pixels that no further window covers; valid until the next call.
        """
        # 1. Weight the window. A skipped window adds zeros.
        sums = np.zeros(self._shape, np.float32) if probabilities is None else probabilities
        if probabilities is not None:
            _weight(sums, self._row_weights[window.row], axis=1)
            _weight(sums, self._col_weights[window.col], axis=2)
        # 2. Add the columns shared with the window to the left.
        shared = self._beside.shape[2] if window.col else 0
        if shared:
            sums[:, :, :shared] += self._beside
        # 3. Columns up to the next window are complete along this tile row; add the rows shared with the one above.
        rows = self._next_row[window.row] - window.row
        cols = self._next_col[window.col] - window.col
        complete = sums[:, :, :cols]
        above = self._below[:, :, window.col : window.col + cols]
        if window.row:
            # Added last: a shard that starts at this tile row can add them afterwards with the same rounding.
            complete[:, : self._depth] += above[:, : self._depth]
        yield FinishedBlock(window.row, window.col, complete[:, :rows])
        # 4. Keep the rows shared with the tile row below and the columns shared with the next window.
        above[:, : window.height - rows] = complete[:, rows:]
        self._beside = sums[:, :, cols:].copy()
        if window.col + cols == self._below.shape[2]:  # last window of the tile row
            self._depth = window.height - rows

    @property
    def carry(self) -> Floats:
        """Sums for the rows shared with the next tile row, (K, n, W), after the last window of a tile row."""
        return self._below[:, : self._depth]


def _weight(values: Floats, weights: Floats, axis: int) -> None:
    """Multiply (K, height, width) in place by the weights along ``axis``, skipping the span of weights that are 1."""
    ones = np.flatnonzero(weights == 1)
    first, last = (ones[0], ones[-1] + 1) if ones.size else (len(weights), len(weights))
    for part in (slice(0, first), slice(last, None)):
        shape = (-1, 1) if axis == 1 else (1, -1)
        index = (slice(None), part) if axis == 1 else (slice(None), slice(None), part)
        values[index] *= weights[part].reshape(shape)
