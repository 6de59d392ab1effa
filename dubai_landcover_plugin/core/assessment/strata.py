"""Strata of an assessment: pixels and areas of the classes of a map, counted strip by strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.io.class_map import Ids
from dubai_landcover_plugin.protocol.classes import ClassScheme

_BLOCK_ROWS = 512  # px, height of a block of the GeoTIFFs that this package writes
_STRIP_PIXELS = 1 << 21  # in memory at a time
NO_CLASS = -1
Indices = npt.NDArray[np.int16]
"""Class indices of pixels; int16 to save memory."""


@dataclass(frozen=True)
class Strata:
    """Size of each class of a map.

    Args:
        pixels: (256,) int64 by class id; index 0 is nodata.
        areas: (256,) float64, m², or px without a CRS.
    """

    pixels: npt.NDArray[np.int64]
    areas: npt.NDArray[np.float64]

    def of(self, scheme: ClassScheme) -> Strata:
        """Return pixels and areas, (K,) each, in the order of ``scheme.entries``."""
        ids = [entry.id for entry in scheme.entries]
        return Strata(self.pixels[ids], self.areas[ids])


class StrataCounter:
    """Counts the pixels and areas of classes in strips of rows."""

    def __init__(self, grid: Grid) -> None:
        self._grid, self._scale = grid, GroundScale(grid)
        self._pixels = np.zeros(256, np.int64)
        self._areas = np.zeros(256)

    def add(self, first: int, ids: Ids) -> npt.NDArray[np.int64]:
        """Count the rows from ``first``, (h, W); return their pixels by class id, (256,)."""
        if self._grid.has_constant_scale:
            counts = np.bincount(ids.ravel(), minlength=256)
            self._areas += counts * self._scale.pixel_areas(first, first + 1)[0]
        else:
            counts_of_rows = np.stack([np.bincount(row, minlength=256) for row in ids])
            counts = counts_of_rows.sum(axis=0)
            self._areas += self._scale.pixel_areas(first, first + len(ids)) @ counts_of_rows
        self._pixels += counts
        return counts

    def strata(self) -> Strata:
        """Return the sums of all strips so far."""
        return Strata(self._pixels.copy(), self._areas.copy())


def strip_rows(grid: Grid) -> int:
    """Return the height of the strips that are read at a time, px."""
    return max(min(_BLOCK_ROWS, _STRIP_PIXELS // grid.width), 1)


def class_indices(scheme: ClassScheme) -> Indices:
    """Return the index in ``scheme.entries`` of each class id, (256,) int16; ``NO_CLASS`` for other ids."""
    indices = np.full(256, NO_CLASS, np.int16)
    indices[[entry.id for entry in scheme.entries]] = np.arange(len(scheme.entries))
    return indices
