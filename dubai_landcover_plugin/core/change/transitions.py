"""Counts pixels and areas of every transition."""

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
    """What happened to one class; areas in the unit of the tally.

    Args:
        name: The class.
        before: Its area in the earlier date, sure pixels alone.
        after: Its area in the later date.
        gain: What became this class.
        loss: What was this class.
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
        """What was lost in one place and gained in another.

        Source:
            Pontius, Shusas & McEachern 2004, Detecting important categorical land changes,
            https://doi.org/10.1016/j.agee.2003.09.008
        """
        return 2 * min(self.gain, self.loss)


class ChangeTally:
    """Sums over bands of rows.

    Attributes:
        pixels: (K, K) int64, sure pixels: rows are the earlier class, columns the later one.
        areas: (K, K) m², or px without a CRS.
        uncertain_pixels: (K, K) the same for pixels less sure than wanted.
        uncertain_areas: (K, K) their areas.
        unlabeled_pixels: Pixels Unlabeled in either date.
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

    def add(self, first: int, earlier: Indices, later: Indices, sure: npt.NDArray[np.bool_]) -> None:
        """Count a band.

        Args:
            first: Its first row.
            earlier: (h, W) class indices.
            later: (h, W) class indices.
            sure: (h, W) where both are known well enough; never where one is not known.
        """
        areas = np.broadcast_to(self._scale.pixel_areas(first, first + len(earlier))[:, None], earlier.shape)
        known = (earlier >= 0) & (later >= 0)
        self._sum(self.pixels, self.areas, earlier, later, areas, sure)
        if np.count_nonzero(sure) == earlier.size:
            return
        self._sum(self.uncertain_pixels, self.uncertain_areas, earlier, later, areas, known & ~sure)
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
        """Area that surely kept its class."""
        return float(np.trace(self.areas))

    @property
    def changed(self) -> float:
        """Area that surely changed its class."""
        return float(self.areas.sum()) - self.unchanged

    @property
    def uncertain(self) -> float:
        """Area of pixels Unlabeled or less sure than wanted, in either date."""
        return float(self.uncertain_areas.sum()) + self.unlabeled_area

    @property
    def all_pixels(self) -> int:
        """Pixels with data in both dates."""
        return int(self.pixels.sum() + self.uncertain_pixels.sum()) + self.unlabeled_pixels

    def by_class(self, names: list[str]) -> list[ClassChange]:
        """Return gains and losses of each class."""
        before, after, kept = self.areas.sum(axis=1), self.areas.sum(axis=0), np.diag(self.areas)
        return [
            ClassChange(name, float(was), float(now), max(float(now - same), 0.0), max(float(was - same), 0.0))
            for name, was, now, same in zip(names, before, after, kept, strict=True)
        ]
