"""Sizes of pixels on the ground, row by row, and the way from pixels to the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.raster import Grid

_SAMPLES = 1025  # rows at which pixels are measured; where their size changes, it does so with the row

Floats = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]


class GroundScale:
    """Sizes of pixels by row, m; 1 px without a CRS. Measured once, where it is made.

    Args:
        grid: Where the pixels lie.
    """

    def __init__(self, grid: Grid) -> None:
        self._rows: Floats = np.linspace(0.0, grid.height, 1 if grid.has_constant_scale else _SAMPLES)
        sizes = np.array([grid.pixel_size_m(row) or (1.0, 1.0) for row in self._rows])
        self._across, self._down = sizes[:, 0], sizes[:, 1]

    def sizes(self, rows: npt.NDArray[np.floating[Any]]) -> Floats:
        """Return the sizes along columns and along rows, (2, N), at ``rows``; the middle of row r is r + 0.5."""
        return np.stack([np.interp(rows, self._rows, self._across), np.interp(rows, self._rows, self._down)])

    def pixel_areas(self, first: int, last: int) -> Floats:
        """Return the area of a pixel in rows ``first`` to ``last`` (excluded), (n,) m²."""
        areas: Floats = self.sizes(np.arange(first, last) + 0.5).prod(axis=0)
        return areas


def place(pixels: Geometries, grid: Grid) -> Geometries:
    """Move geometries from pixel coordinates to the CRS."""
    t = grid.transform
    matrix = np.array([[t.a, t.d], [t.b, t.e]])
    placed: Geometries = shapely.transform(pixels, lambda points: points @ matrix + (t.c, t.f))
    return placed
