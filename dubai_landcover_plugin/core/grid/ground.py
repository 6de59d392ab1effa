"""Sizes of pixels on the ground, row by row, and the way from pixels to the map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid

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


def pixels_to_crs(geometries: Geometries, grid: Grid) -> Geometries:
    """Transform geometries, (N,), from pixel coordinates to the CRS by the grid's affine transform."""
    t = grid.transform
    matrix = np.array([[t.a, t.d], [t.b, t.e]])
    transformed: Geometries = shapely.transform(geometries, lambda points: points @ matrix + (t.c, t.f))
    return transformed


Points = npt.NDArray[np.float64]  # (N, 2) x, y: pixels from the raster's upper-left corner
Values = npt.NDArray[np.float32]  # (N,)


class Metric:
    """Size of pixels on the ground, by row.

    Args:
        grid: Where the pixels lie. Without a CRS a pixel counts 1.
    """

    def __init__(self, grid: Grid) -> None:
        self._scale = GroundScale(grid)
        self.unit = "px" if grid.crs is None else "m"
        middle = self.sizes(grid.height / 2)
        self.gsd = math.sqrt(middle[0] * middle[1])
        """Ground sampling distance at the centre."""

    def sizes(self, row: float) -> tuple[float, float]:
        """Return the width and the height of a pixel at ``row``."""
        across, down = self._scale.sizes(np.array([row])).ravel().tolist()
        return across, down

    def ground(self, vectors: Points, rows: npt.NDArray[np.float64]) -> Points:
        """Return pixel vectors, (N, 2), at ``rows``, (N,), as vectors on the ground."""
        scaled: Points = vectors * self._scale.sizes(rows).T
        return scaled

    def steps(self, points: Points) -> npt.NDArray[np.float64]:
        """Return the lengths of a line's segments, (N - 1,)."""
        vectors = self.ground(np.diff(points, axis=0), (points[1:, 1] + points[:-1, 1]) / 2)
        lengths: npt.NDArray[np.float64] = np.hypot(vectors[:, 0], vectors[:, 1])
        return lengths

    def length(self, points: Points) -> float:
        """Return the length of a line."""
        return float(self.steps(points).sum())

    def vector(self, start: Points, end: Points) -> Points:
        """Return the way from one point to another, (2,), on the ground."""
        way: Points = self.ground((end - start)[None], np.array([(start[1] + end[1]) / 2]))[0]
        return way

    def pixels(self, vector: Points, row: float) -> Points:
        """Return a vector on the ground, (2,), in pixels."""
        moved: Points = vector / np.array(self.sizes(row))
        return moved
