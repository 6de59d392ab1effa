"""Ground size of pixels by row, and the transformation of geometries from pixel coordinates to the CRS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid

_SAMPLES = 1025  # rows at which the ground size is computed; it depends on the row only and is interpolated between

Floats = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]


class GroundScale:
    """Ground size of pixels by row, m; 1 without a CRS.

    Args:
        grid: Grid of the raster.
    """

    def __init__(self, grid: Grid) -> None:
        self._rows: Floats = np.linspace(0.0, grid.height, 1 if grid.has_constant_scale else _SAMPLES)
        sizes = np.array(grid.pixel_sizes_m(self._rows.tolist()))
        self._across, self._down = sizes[:, 0], sizes[:, 1]
        self._cosines: Floats = np.array(grid.pixel_cosines(self._rows.tolist()))
        #: (2,) pixel width and height where they are constant and at right angles; else None.
        self.constant = sizes[0] if len(sizes) == 1 and not self._cosines.any() else None

    def sizes(self, rows: npt.NDArray[np.floating[Any]]) -> Floats:
        """Return pixel widths and heights, (2, N) m, at ``rows``, (N,) in pixel coordinates (row centres are at .5)."""
        return np.stack([np.interp(rows, self._rows, self._across), np.interp(rows, self._rows, self._down)])

    def vectors(self, steps: npt.NDArray[Any], rows: Floats) -> Floats:
        """Return steps in pixels, (N, 2), as vectors on the ground, (N, 2) m, at ``rows``, (N,).

        The first axis is that of the rows. Where the sides of pixels are not at right angles on the ground, as in
        Mollweide's projection far from its meridian, the second axis is at right angles to it nevertheless.
        """
        if self.constant is not None:  # much faster for single vectors
            return np.asarray(steps * self.constant, np.float64)
        scaled: Floats = steps * self.sizes(rows).T
        cosines = np.interp(rows, self._rows, self._cosines)
        if not cosines.any():
            return scaled
        sines = np.sqrt(1 - cosines**2)
        across, down = (scaled / np.sqrt(sines)[:, None]).T  # sizes are shortened to have the pixel's area
        return np.column_stack([across + down * cosines, down * sines])

    def steps(self, vectors: Floats, rows: Floats) -> Floats:
        """Return vectors on the ground, (N, 2) m, as steps in pixels, (N, 2): the inverse of :meth:`vectors`."""
        if self.constant is not None:
            constant: Floats = vectors / self.constant
            return constant
        cosines = np.interp(rows, self._rows, self._cosines)
        if cosines.any():
            sines = np.sqrt(1 - cosines**2)
            down = vectors[:, 1] / sines
            vectors = np.column_stack([vectors[:, 0] - down * cosines, down]) * np.sqrt(sines)[:, None]
        steps: Floats = vectors / self.sizes(rows).T
        return steps

    def pixel_areas(self, first: int, last: int) -> Floats:
        """Return the pixel areas of rows ``first`` to ``last`` (excluded), (n,) m²."""
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
    """Ground lengths of lines in pixel coordinates.

    Attributes:
        unit: ``m``, or ``px`` without a CRS.
        gsd: Ground sampling distance at the centre, in that unit.

    Args:
        grid: Grid of the raster.
    """

    def __init__(self, grid: Grid) -> None:
        self._scale = GroundScale(grid)
        self.unit = "px" if grid.crs is None else "m"
        middle = self.sizes(grid.height / 2)
        self.gsd = math.sqrt(middle[0] * middle[1])

    def sizes(self, row: float) -> tuple[float, float]:
        """Return width and height of a pixel at ``row``."""
        across, down = self._scale.sizes(np.array([row])).ravel().tolist()
        return across, down

    def ground(self, vectors: Points, rows: npt.NDArray[np.float64]) -> Points:
        """Return ground vectors, (N, 2), for vectors in pixels, (N, 2), at ``rows``, (N,)."""
        return self._scale.vectors(vectors, rows)

    def steps(self, points: Points) -> npt.NDArray[np.float64]:
        """Return the ground lengths of a line's segments, (N - 1,), for its vertices, (N, 2)."""
        vectors = points[1:] - points[:-1]
        if self._scale.constant is None:
            vectors = self.ground(vectors, (points[1:, 1] + points[:-1, 1]) / 2)
        else:
            vectors *= self._scale.constant
        lengths: npt.NDArray[np.float64] = np.hypot(vectors[:, 0], vectors[:, 1])
        return lengths

    def length(self, points: Points) -> float:
        """Return the ground length of a line with vertices (N, 2)."""
        return float(self.steps(points).sum())

    def vector(self, start: Points, end: Points) -> Points:
        """Return the ground vector from one point to another, (2,)."""
        difference: Points = end - start
        if self._scale.constant is not None:  # much faster
            difference *= self._scale.constant
        else:
            difference = self.ground(difference[None], np.array([(start[1] + end[1]) / 2]))[0]
        return difference

    def pixels(self, vector: Points, row: float) -> Points:
        """Return a ground vector, (2,), in pixels at ``row``."""
        return self.all_pixels(vector[None], np.array([row]))[0]  # type: ignore[no-any-return]

    def all_pixels(self, vectors: Points, rows: npt.NDArray[np.float64]) -> Points:
        """Return ground vectors, (N, 2), in pixels at ``rows``, (N,): the inverse of :meth:`ground`."""
        return self._scale.steps(vectors, rows)
