"""Ground lengths of what is given in pixel coordinates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.ground import GroundScale
from dubai_landcover_plugin.core.raster import Grid

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
