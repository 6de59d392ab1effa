"""How far two class maps lie off each other, from the edges of their classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from dubai_landcover_plugin.core.change.change_codes import Indices
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window

_SIDE, _LEAST_SIDE = 512, 48  # px of a sample
_PER_AXIS = 5
_LEAST_VALID = 0.25  # share of a sample with classes in both dates
_LEAST_EDGES = 64  # px
_STEPS_PER_PX = 20
_AGREE_PX = 1.0
_LEAST_AGREEMENT = 0.5  # share of samples; those of unrelated maps scatter over the whole window
_FEW_SAMPLES, _LARGEST_ERROR = 4, 0.85  # where few samples could agree by chance, each must be good

ReadPair = Callable[[Window], tuple[Indices, Indices]]


@dataclass(frozen=True)
class Shift:
    """Where the later map lies in relation to the earlier one.

    Args:
        cols: Columns to the right, px.
        rows: Rows down, px.
        metres: Length on the ground; None without a CRS.
        samples: Windows in which it was measured.
        agreement: Share of them that agree within a pixel.
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
    def whole(self) -> tuple[int, int]:
        """Columns and rows rounded to whole pixels."""
        return round(self.cols), round(self.rows)

    @property
    def text(self) -> str:
        """The shift in words."""
        parts = [
            f"{abs(value):.1f} px {names[value > 0]}"
            for value, names in ((self.cols, ("left", "right")), (self.rows, ("up", "down")))
            if abs(value) >= 0.05
        ]
        on_ground = "" if self.metres is None else f" ({self.metres:.2f} m)"
        return f"{' and '.join(parts)}{on_ground}" if parts else "0.0 px"


def estimate_shift(read: ReadPair, grid: Grid) -> Shift | None:
    """Return the shift between two class maps; None where their edges do not tell.

    Samples all over the raster are compared by cross-correlation of their class edges, to a twentieth of a pixel; the
    median counts. Holds one sample at a time.

    Args:
        read: Returns the class indices of both dates in a window.
        grid: The common area.

    Source:
        Guizar-Sicairos, Thurman & Fienup 2008, Efficient subpixel image registration algorithms,
        https://doi.org/10.1364/OL.33.000156
    """
    found = [measured for window in _samples(grid) if (measured := _measure(*read(window))) is not None]
    if not found:
        return None
    offsets = np.array([offset for offset, _ in found])  # (N, 2) rows, columns
    middle = np.median(offsets, axis=0)
    agreeing = np.hypot(*(offsets - middle).T) <= _AGREE_PX
    errors = np.array([error for _, error in found])
    if agreeing.mean() < _LEAST_AGREEMENT or (len(found) < _FEW_SAMPLES and np.median(errors) > _LARGEST_ERROR):
        return None
    rows, cols = np.median(offsets[agreeing], axis=0) + 0.0  # no minus zero
    size = grid.pixel_size_m()
    metres = None if size is None else round(math.hypot(cols * size[0], rows * size[1]), 3)
    return Shift(round(float(cols), 2), round(float(rows), 2), metres, len(found), round(float(agreeing.mean()), 3))


def _samples(grid: Grid) -> Iterator[Window]:
    """Yield windows spread evenly over a grid; none overlap unless the grid is small."""
    shorter = min(grid.height, grid.width)
    side = min(max(shorter // 3, _LEAST_SIDE), _SIDE, shorter)
    if side < _LEAST_SIDE:
        return
    starts = [
        np.linspace(0, length - side, min(max(length // side, 1), _PER_AXIS)).astype(int).tolist()
        for length in (grid.height, grid.width)
    ]
    for row in starts[0]:
        for col in starts[1]:
            yield Window(row, col, side, side)


def _measure(earlier: Indices, later: Indices) -> tuple[npt.NDArray[np.float64], float] | None:
    """Return rows and columns by which one sample is off, and how unlike its edges are (0..1); None without edges."""
    valid = (earlier >= 0) & (later >= 0)  # the rim of the data would look like an edge that never moves
    if valid.mean() < _LEAST_VALID:
        return None
    first, second = _edges(earlier, valid), _edges(later, valid)
    if min(first.sum(), second.sum()) < _LEAST_EDGES:
        return None
    smooth = [gaussian_filter(edges, 1.0) for edges in (first, second)]
    offset, error, _ = phase_cross_correlation(
        smooth[0] - smooth[0].mean(), smooth[1] - smooth[1].mean(), upsample_factor=_STEPS_PER_PX, normalization=None
    )
    return -np.asarray(offset, np.float64), float(error)


def _edges(indices: Indices, valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return 1 right of and below each border between two classes, (H, W); 0 elsewhere."""
    edges = np.zeros(indices.shape, np.float64)
    edges[:, 1:] = (indices[:, 1:] != indices[:, :-1]) & valid[:, 1:] & valid[:, :-1]
    below = (indices[1:] != indices[:-1]) & valid[1:] & valid[:-1]
    edges[1:] = np.maximum(edges[1:], below)
    return edges
