"""Estimates the shift between two classified rasters, by cross-correlation of their class edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from dubai_landcover_plugin.core.change.change_codes import Indices
from dubai_landcover_plugin.core.change.registration import register
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.translation import tr

_SIDE, _MIN_SIDE = 512, 48  # px, of a sample window
_PER_AXIS = 5  # sample windows along each axis, at most
_MIN_VALID = 0.25  # fraction of a sample with classes in both dates
_MIN_EDGES = 64  # px
_UPSAMPLING = 20  # steps per pixel
_AGREE_PX = 1.0
_MIN_AGREEMENT = 0.5  # fraction of samples; the offsets of unrelated maps scatter over the whole window
_FEW_SAMPLES, _MAX_ERROR = 4, 0.85  # few samples could agree by chance, so each must match well

ReadPair = Callable[[Window], tuple[Indices, Indices]]


_DIRECTIONS = {
    "across": ("{pixels:.1f} px left", "{pixels:.1f} px right"),
    "down": ("{pixels:.1f} px up", "{pixels:.1f} px down"),
}
"""A shift along each axis in words: towards the first pixel, and away from it."""


@dataclass(frozen=True)
class Shift:
    """Shift of the later map relative to the earlier one.

    Args:
        cols: Columns to the right, px.
        rows: Rows down, px.
        metres: Length on the ground, m; None without a CRS.
        samples: Number of windows in which it was measured.
        agreement: Fraction of them that agree within a pixel, 0..1.
    """

    cols: float
    rows: float
    metres: float | None
    samples: int
    agreement: float

    @property
    def pixels(self) -> float:
        """Length, px."""
        return math.hypot(self.cols, self.rows)

    @property
    def rounded(self) -> tuple[int, int]:
        """Columns and rows in whole pixels."""
        return round(self.cols), round(self.rows)

    @property
    def text(self) -> str:
        """The shift for messages, such as ``2.0 px right and 1.5 px up (2.50 m)``."""
        parts = [
            tr(_DIRECTIONS[axis][value > 0], pixels=abs(value))
            for value, axis in ((self.cols, "across"), (self.rows, "down"))
            if abs(value) >= 0.05
        ]
        on_ground = "" if self.metres is None else f" ({self.metres:.2f} {tr('m')})"
        return f"{tr(' and ').join(parts)}{on_ground}" if parts else f"0.0 {tr('px')}"


def estimate_shift(read: ReadPair, grid: Grid) -> Shift | None:
    """Estimate the shift between two classified rasters.

    The class edges of sample windows, spread over the raster, are registered by upsampled cross-correlation to a
    twentieth of a pixel; the result is the median of the windows that agree. One window is in memory at a time.

    Args:
        read: Returns the class indices of both dates in a window, (h, w) int16 each.
        grid: Grid of the common area.

    Returns:
        The shift; None if there are too few edges or the windows do not agree.
    """
    found = [offset for window in _sample_windows(grid) if (offset := _register(*read(window))) is not None]
    if not found:
        return None
    offsets = np.array([offset for offset, _ in found])  # (N, 2) rows, columns
    # Keep the windows that agree with the median; reject the estimate if too few do.
    median = np.median(offsets, axis=0)
    agreeing = np.hypot(*(offsets - median).T) <= _AGREE_PX
    errors = np.array([error for _, error in found])
    if agreeing.mean() < _MIN_AGREEMENT or (len(found) < _FEW_SAMPLES and np.median(errors) > _MAX_ERROR):
        return None
    rows, cols = np.median(offsets[agreeing], axis=0) + 0.0  # turns -0.0 into 0.0
    size = grid.pixel_size_m()
    metres = None if size is None else round(math.hypot(cols * size[0], rows * size[1]), 3)
    return Shift(round(float(cols), 2), round(float(rows), 2), metres, len(found), round(float(agreeing.mean()), 3))


def _sample_windows(grid: Grid) -> Iterator[Window]:
    """Yield windows that are spread evenly over a grid; they overlap on small grids only."""
    shorter = min(grid.height, grid.width)
    side = min(max(shorter // 3, _MIN_SIDE), _SIDE, shorter)
    if side < _MIN_SIDE:
        return
    starts = [
        np.linspace(0, length - side, min(max(length // side, 1), _PER_AXIS)).astype(int).tolist()
        for length in (grid.height, grid.width)
    ]
    for row in starts[0]:
        for col in starts[1]:
            yield Window(row, col, side, side)


def _register(earlier: Indices, later: Indices) -> tuple[npt.NDArray[np.float64], float] | None:
    """Register one sample window.

    Returns:
        (2,) rows and columns of the later map's shift, px, and the registration error, 0..1; None if there are too few
        valid pixels or edges.
    """
    valid = (earlier >= 0) & (later >= 0)  # the border of the valid area would act as an edge that does not move
    if valid.mean() < _MIN_VALID:
        return None
    first, second = _edges(earlier, valid), _edges(later, valid)
    if min(first.sum(), second.sum()) < _MIN_EDGES:
        return None
    smoothed = [gaussian_filter(edges, 1.0) for edges in (first, second)]
    offset, error = register(smoothed[0] - smoothed[0].mean(), smoothed[1] - smoothed[1].mean(), _UPSAMPLING)
    return -offset, error


def _edges(indices: Indices, valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the class edges, (H, W) float64: 1 at pixels whose left or upper neighbour has another class, else 0."""
    edges = np.zeros(indices.shape, np.float64)
    edges[:, 1:] = (indices[:, 1:] != indices[:, :-1]) & valid[:, 1:] & valid[:, :-1]
    below = (indices[1:] != indices[:-1]) & valid[1:] & valid[:-1]
    edges[1:] = np.maximum(edges[1:], below)
    return edges
