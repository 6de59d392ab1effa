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

from dubai_landcover_plugin.core.windows import TileGrid, Window

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
    """Adds windows in the order of the grid and hands out what is finished.

    Memory: one window, and one overlap's rows across the raster, whatever its height.

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
        self._open = np.zeros((classes, height, width), np.float32)
        deepest = max((row + height - self._next_row[row] for row in rows), default=0)
        self._carry = np.zeros((classes, deepest, grid.width), np.float32)
        self._carried = 0  # rows of the carry that hold sums of the band above

    def add(self, window: Window, probabilities: Floats | None) -> Iterator[FinishedBlock]:
        """Add one window, (K, height, width), or None for one that was skipped; yield what is finished.

        A finished block is a view: use it before the next call.
        """
        if window.col == 0:
            self._open[:] = 0.0
            self._open[:, : self._carried] = self._carry[:, : self._carried, : window.width]
        if probabilities is not None:
            weight = np.outer(self._row_weights[window.row], self._col_weights[window.col])
            self._open += probabilities * weight
        rows = self._next_row[window.row] - window.row
        cols = self._next_col[window.col] - window.col
        yield FinishedBlock(window.row, window.col, self._open[:, :rows, :cols])
        self._close(window, rows, cols)

    def _close(self, window: Window, rows: int, cols: int) -> None:
        """Keep the unfinished rows for the next band and move the open columns to the next window."""
        left, right = window.col, window.col + cols
        rest = window.height - rows
        ahead = self._carry[:, : self._carried, left + window.width : right + window.width].copy()
        self._carry[:, :rest, left:right] = self._open[:, rows:, :cols]
        if right == self._carry.shape[2]:  # the band is complete
            self._carried = rest
            return
        kept = window.width - cols
        self._open[:, :, :kept] = self._open[:, :, cols:].copy()
        self._open[:, :, kept:] = 0.0
        self._open[:, : self._carried, kept:] = ahead
