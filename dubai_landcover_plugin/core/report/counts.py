"""Counts pixels by class and confidence, for the raster and for zones, from bands of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.confidence import UNKNOWN

PERCENTS = UNKNOWN + 1
BLOCK_M = 100.0
"""Side of the squares in which pixels of a class are taken as right or wrong together, m (px without a CRS)."""

_LEAST_BLOCK = 8  # px; coarser pixels form larger blocks, which errs on the wide side
_BAND_PIXELS = 1 << 21  # held at once: a few arrays of 4 and 8 bytes each

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """Squares of ``height`` × ``width`` px, counted from the raster's first pixel."""

    height: int
    width: int

    @classmethod
    def on(cls, grid: Grid) -> Blocks:
        """Return blocks of ``BLOCK_M`` on a raster."""
        across, down = grid.pixel_size_m() or (1.0, 1.0)
        side = (max(round(BLOCK_M / size), _LEAST_BLOCK) for size in (down, across))
        return cls(*(min(length, limit) for length, limit in zip(side, (grid.height, grid.width), strict=True)))

    def bands(self, rows: int, width: int) -> Iterator[tuple[int, int, bool]]:
        """Yield first row, last row (excluded) and whether a row of blocks ends there.

        A band holds whole rows of blocks, or a part of one, and about ``_BAND_PIXELS`` at most.
        """
        most = max(_BAND_PIXELS // width, 1)
        step = most // self.height * self.height or self.height
        for start in range(0, rows, step):
            end = min(start + step, rows)
            for first in range(start, end, most):
                last = min(first + most, end)
                yield first, last, last == end


@dataclass(frozen=True)
class Band:
    """Rows of the raster, ready to be counted.

    Args:
        first: First row.
        keys: (R, W) int32, ``slot * PERCENTS + percent``; slot 0 is no data, then the classes of the scheme.
        areas: (R,) area of a pixel in each row, m² (px without a CRS).
        constant: Whether these are all alike.
        blocks: Of the raster; None where no confidence is known, which leaves nothing to sum in them.
        ends: Whether a row of blocks ends with this band.
    """

    first: int
    keys: npt.NDArray[np.int32]
    areas: Numbers
    constant: bool
    blocks: Blocks | None
    ends: bool


class Tally:
    """Counts of one area: the raster, or a zone.

    Args:
        slots: Classes and one more, for no data.
    """

    def __init__(self, slots: int) -> None:
        self.pixels: Integers = np.zeros((slots, PERCENTS), np.int64)
        self.areas: Numbers = np.zeros((slots, PERCENTS))
        """m² (px without a CRS), by slot and percent."""
        self.scatter: Numbers = np.zeros(slots)
        """Variance of the wrong area of each slot, m⁴, if the pixels of a class in a block are right or wrong together.

        For pixels with probabilities p, no dependence within a block gives more than A² p̄ (1 - p̄), A the area of the
        class there and p̄ its mean; blocks are independent, so that the sum goes over blocks.
        """
        self._open: tuple[Numbers, Numbers] | None = None  # pixels and percents, (slots, blocks), of unfinished blocks

    def add(self, band: Band, top: int = 0, left: int = 0, mask: Mask | None = None) -> None:
        """Count the pixels of a band, or those under ``mask``, (h, w), whose corner is at ``top``, ``left`` of it."""
        whole = mask is None
        height, width = band.keys.shape if mask is None else mask.shape
        keys = band.keys[top : top + height, left : left + width]
        if band.constant:
            counts = self._counts(keys if whole else keys[mask])
            self.areas += counts * band.areas[0]
            self.pixels += counts
        else:
            for row, area in enumerate(band.areas[top : top + height]):
                counts = self._counts(keys[row] if mask is None else keys[row][mask[row]])
                self.areas += counts * area
                self.pixels += counts
        if band.blocks is not None:
            self._add_to_blocks(band.blocks, band.first + top, left, keys, mask)

    def end_blocks(self, area: float) -> None:
        """Take in the blocks that are finished; ``area`` is that of a pixel there."""
        if self._open is not None:
            pixels, percents = self._open
            share = np.divide(percents, 100 * pixels, out=np.zeros_like(pixels), where=pixels > 0)
            self.scatter += ((pixels * area) ** 2 * share * (1 - share)).sum(axis=1)
            self._open = None

    def _counts(self, keys: npt.NDArray[np.int32]) -> Integers:
        return np.bincount(keys.ravel(), minlength=self.pixels.size).reshape(self.pixels.shape)

    def _add_to_blocks(
        self, blocks: Blocks, top: int, left: int, keys: npt.NDArray[np.int32], mask: Mask | None
    ) -> None:
        rows = (top + np.arange(keys.shape[0])) // blocks.height
        cols = (left + np.arange(keys.shape[1])) // blocks.width
        across = cols[-1] - cols[0] + 1
        count = (rows[-1] - rows[0] + 1) * across
        where = ((rows - rows[0])[:, None] * across + (cols - cols[0])).astype(np.int32)
        where = where.ravel() if mask is None else where[mask]
        slots, percents = np.divmod(keys.ravel() if mask is None else keys[mask], PERCENTS)
        slots[percents == UNKNOWN] = 0
        where += slots * np.int32(count)
        shape, least = (len(self.scatter), int(count)), len(self.scatter) * int(count)
        pixels: Numbers = np.bincount(where, minlength=least).reshape(shape).astype(np.float64)
        sums: Numbers = np.bincount(where, percents, least).reshape(shape).astype(np.float64)
        if self._open is not None:  # the band before this one held another part of the same row of blocks
            pixels, sums = pixels + self._open[0], sums + self._open[1]
        self._open = pixels, sums
