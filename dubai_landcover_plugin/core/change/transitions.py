"""From–to matrix: pixels and areas of each transition between classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.change_codes import MISSING, Indices
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassChange:
    """Change of one class; areas in m², or px without a CRS.

    Args:
        name: The class.
        before: Area in the earlier date, certain pixels only.
        after: Area in the later date.
        gain: Area of other classes that became this class.
        loss: Area of this class that became another one.
    """

    name: str
    before: float
    after: float
    gain: float
    loss: float

    @property
    def net(self) -> float:
        """Gain minus loss."""
        return self.gain - self.loss

    @property
    def swap(self) -> float:
        """Area that was lost in one place and gained in another: twice the smaller of gain and loss.

        Source:
            Pontius, Shusas & McEachern 2004, Detecting important categorical land changes,
            https://doi.org/10.1016/j.agee.2003.09.008
        """
        return 2 * min(self.gain, self.loss)


class TransitionMatrix:
    """From–to matrix (a contingency table) of two dates with K classes, accumulated over strips of rows.

    Attributes:
        pixels: (K, K) int64, certain pixels; rows are the earlier class, columns the later one.
        areas: (K, K) float64, their areas, m², or px without a CRS.
        uncertain_pixels: (K, K) int64, pixels below the minimum confidence.
        uncertain_areas: (K, K) float64, their areas.
        unlabeled_pixels: Pixels that are Unlabeled in either date.
        unlabeled_area: Their area.
    """

    def __init__(self, count: int, grid: Grid) -> None:
        self._grid, self._count = grid, count
        self._scale = GroundScale(grid)
        self.pixels = np.zeros((count, count), np.int64)
        self.areas: Matrix = np.zeros((count, count))
        self.uncertain_pixels = np.zeros((count, count), np.int64)
        self.uncertain_areas: Matrix = np.zeros((count, count))
        self.unlabeled_pixels = 0
        self.unlabeled_area = 0.0

    def add(self, first: int, earlier: Indices, later: Indices, certain: npt.NDArray[np.bool_]) -> None:
        """Count a strip.

        Args:
            first: First row of the strip.
            earlier: (h, W) int16, class indices.
            later: (h, W) int16, class indices.
            certain: (h, W) bool, where both classes are known and reach the minimum confidence.
        """
        areas = np.broadcast_to(self._scale.pixel_areas(first, first + len(earlier))[:, None], earlier.shape)
        known = (earlier >= 0) & (later >= 0)
        self._sum(self.pixels, self.areas, earlier, later, areas, certain)
        if np.count_nonzero(certain) == earlier.size:
            return
        self._sum(self.uncertain_pixels, self.uncertain_areas, earlier, later, areas, known & ~certain)
        unlabeled = (earlier != MISSING) & (later != MISSING) & ~known
        self.unlabeled_pixels += int(np.count_nonzero(unlabeled))
        self.unlabeled_area += float(areas[unlabeled].sum())

    def _sum(
        self,
        pixels: npt.NDArray[np.int64],
        totals: Matrix,
        earlier: Indices,
        later: Indices,
        areas: npt.NDArray[np.float64],
        chosen: npt.NDArray[np.bool_],
    ) -> None:
        # Index of the cell of each pixel in the flattened matrix.
        pairs = earlier[chosen].astype(np.int32) * self._count + later[chosen]
        counts = np.bincount(pairs, minlength=self._count**2)
        pixels += counts.reshape(pixels.shape)
        if self._grid.has_constant_scale:
            sums = counts * areas[0, 0]
        else:
            sums = np.bincount(pairs, areas[chosen], self._count**2)
        totals += sums.reshape(totals.shape)

    @property
    def unit(self) -> str:
        """Unit of the areas: ``m²``, or ``px`` without a CRS."""
        return "px" if self._grid.crs is None else "m²"

    @property
    def compared(self) -> float:
        """Area of all pixels with data in both dates."""
        return float(self.areas.sum()) + self.uncertain

    @property
    def unchanged(self) -> float:
        """Area of certain pixels that kept their class."""
        return float(np.trace(self.areas))

    @property
    def changed(self) -> float:
        """Area of certain pixels that changed their class."""
        return float(self.areas.sum()) - self.unchanged

    @property
    def uncertain(self) -> float:
        """Area of pixels that are Unlabeled or below the minimum confidence, in either date."""
        return float(self.uncertain_areas.sum()) + self.unlabeled_area

    @property
    def all_pixels(self) -> int:
        """Pixels with data in both dates."""
        return int(self.pixels.sum() + self.uncertain_pixels.sum()) + self.unlabeled_pixels

    def by_class(self, names: list[str]) -> list[ClassChange]:
        """Return the gains and losses of each class; ``names`` are those of the K classes."""
        before, after, kept = self.areas.sum(axis=1), self.areas.sum(axis=0), np.diag(self.areas)
        return [
            ClassChange(name, float(was), float(now), max(float(now - same), 0.0), max(float(was - same), 0.0))
            for name, was, now, same in zip(names, before, after, kept, strict=True)
        ]
