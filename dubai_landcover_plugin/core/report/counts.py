"""Counts of pixels by class and confidence, for the raster and for zones, made strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.confidence import UNKNOWN

PERCENTS = UNKNOWN + 1
BLOCK_M = 100.0
"""Side of the squares within which pixels of a class are taken as right or wrong together, m (px without a CRS)."""

_LEAST_BLOCK = 8  # px; coarse pixels form larger blocks, which makes ranges wider, not narrower
_STRIP_PIXELS = 1 << 21  # in memory at once, in a few arrays of 4 and 8 bytes per pixel

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """Squares of ``height`` × ``width`` px that start at the raster's first pixel."""

    height: int
    width: int

    @classmethod
    def on(cls, grid: Grid) -> Blocks:
        """Return blocks of ``BLOCK_M`` on a raster."""
        across, down = grid.pixel_size_m() or (1.0, 1.0)
        side = (max(round(BLOCK_M / size), _LEAST_BLOCK) for size in (down, across))
        return cls(*(min(length, limit) for length, limit in zip(side, (grid.height, grid.width), strict=True)))

    def strips(self, rows: int, width: int) -> Iterator[tuple[int, int, bool]]:
        """Yield first row, last row (excluded) and whether a row of blocks ends there.

        A strip holds whole rows of blocks, or a part of one, and about ``_STRIP_PIXELS`` at most.
        """
        most = max(_STRIP_PIXELS // width, 1)
        step = most // self.height * self.height or self.height
        for start in range(0, rows, step):
            end = min(start + step, rows)
            for first in range(start, end, most):
                last = min(first + most, end)
                yield first, last, last == end


@dataclass(frozen=True)
class Strip:
    """Rows of the raster, prepared for counting.

    Args:
        first: First row.
        keys: (R, W) int32, ``slot * PERCENTS + percent``; slot 0 is nodata, then the classes of the scheme.
        areas: (R,) area of a pixel in each row, m² (px without a CRS).
        constant: Whether these are all equal.
        blocks: Of the raster; None without confidence, where there is nothing to sum in them.
        ends: Whether a row of blocks ends with this strip.
    """

    first: int
    keys: npt.NDArray[np.int32]
    areas: Numbers
    constant: bool
    blocks: Blocks | None
    ends: bool


class ClassCounts:
    """Pixels of one area, the raster or a zone, by class and confidence.

    Args:
        slots: Number of classes, plus one for nodata.
    """

    def __init__(self, slots: int) -> None:
        self.pixels: Integers = np.zeros((slots, PERCENTS), np.int64)
        """Pixels, by slot and percent."""
        self.areas: Numbers = np.zeros((slots, PERCENTS))
        """m² (px without a CRS), by slot and percent."""
        self.variance: Numbers = np.zeros(slots)
        """Variance of the wrong area of each slot, m⁴, if the pixels of a class in a block are right or wrong together.

        For pixels with probabilities p, no correlation within a block gives more than A² p̄ (1 - p̄), with A the area of
        the class in the block and p̄ its mean probability. Blocks are independent, so their variances add up.
        """
        self._open: tuple[Numbers, Numbers] | None = None  # pixels and percents, (slots, blocks), of unfinished blocks

    def add(self, strip: Strip, top: int = 0, left: int = 0, mask: Mask | None = None) -> None:
        """Count the pixels of a strip, or those under ``mask``, (h, w), with its corner at ``top``, ``left``."""
        whole = mask is None
        height, width = strip.keys.shape if mask is None else mask.shape
        keys = strip.keys[top : top + height, left : left + width]
        if strip.constant:
            counts = self._counts(keys if whole else keys[mask])
            self.areas += counts * strip.areas[0]
            self.pixels += counts
        else:
            for row, area in enumerate(strip.areas[top : top + height]):
                counts = self._counts(keys[row] if mask is None else keys[row][mask[row]])
                self.areas += counts * area
                self.pixels += counts
        if strip.blocks is not None:
            self._add_to_blocks(strip.blocks, strip.first + top, left, keys, mask)

    def end_blocks(self, area: float) -> None:
        """Add the variance of the finished blocks; ``area`` is that of a pixel there."""
        if self._open is not None:
            pixels, percents = self._open
            share = np.divide(percents, 100 * pixels, out=np.zeros_like(pixels), where=pixels > 0)  # p̄
            self.variance += ((pixels * area) ** 2 * share * (1 - share)).sum(axis=1)
            self._open = None

    def _counts(self, keys: npt.NDArray[np.int32]) -> Integers:
        return np.bincount(keys.ravel(), minlength=self.pixels.size).reshape(self.pixels.shape)

    def _add_to_blocks(
        self, blocks: Blocks, top: int, left: int, keys: npt.NDArray[np.int32], mask: Mask | None
    ) -> None:
        # Block of each pixel, numbered within the blocks that the window touches.
        rows = (top + np.arange(keys.shape[0])) // blocks.height
        cols = (left + np.arange(keys.shape[1])) // blocks.width
        across = cols[-1] - cols[0] + 1
        count = (rows[-1] - rows[0] + 1) * across
        where = ((rows - rows[0])[:, None] * across + (cols - cols[0])).astype(np.int32)
        where = where.ravel() if mask is None else where[mask]
        # Pixels and the sum of percents by slot and block; pixels without a confidence go to slot 0.
        slots, percents = np.divmod(keys.ravel() if mask is None else keys[mask], PERCENTS)
        slots[percents == UNKNOWN] = 0
        where += slots * np.int32(count)
        shape, least = (len(self.variance), int(count)), len(self.variance) * int(count)
        pixels: Numbers = np.bincount(where, minlength=least).reshape(shape).astype(np.float64)
        sums: Numbers = np.bincount(where, percents, least).reshape(shape).astype(np.float64)
        if self._open is not None:  # the strip before this one held another part of the same row of blocks
            pixels, sums = pixels + self._open[0], sums + self._open[1]
        self._open = pixels, sums
