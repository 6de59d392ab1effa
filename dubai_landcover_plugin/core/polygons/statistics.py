"""Areas and lengths on the ground, and how sure the classes of polygons are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.io.confidence import CERTAIN, UNKNOWN
from dubai_landcover_plugin.core.polygons.rings import Rings

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_PERCENT = CERTAIN + 1


class Scale:
    """Sizes of pixels on the ground by row, m; px without a CRS.

    Args:
        grid: Place of the raster.
    """

    def __init__(self, grid: Grid) -> None:
        self._ground = GroundScale(grid)
        self._middle = grid.height / 2
        #: (H,) area of the pixels of each row, m² or px.
        self.pixel_areas = self._ground.pixel_areas(0, grid.height)
        self._below = np.concatenate([[0.0], np.cumsum(self.pixel_areas)])
        self._corners = np.arange(grid.height + 1)

    def side(self) -> float:
        """Return the side of a square pixel in the middle of the raster, m or px."""
        return float(np.sqrt(self._ground.sizes(np.array([self._middle])).prod()))

    def areas(self, rings: Rings) -> Floats:
        """Return the area of each ring, (R,), m² or px; negative for holes.

        By Green's theorem the area is the sum over the edges of what a column has above them.
        """
        here, there = rings.points, rings.following
        ends, middles, next_ends = (
            np.interp(rows, self._corners, self._below)
            for rows in (here[:, 1], (here[:, 1] + there[:, 1]) / 2, there[:, 1])
        )
        parts = (here[:, 0] - there[:, 0]) * (ends + 4 * middles + next_ends) / 6
        return _sums(parts, rings.begins)

    def perimeters(self, rings: Rings) -> Floats:
        """Return the length of each ring, (R,), m or px."""
        here, there = rings.points, rings.following
        across, down = self._ground.sizes((here[:, 1] + there[:, 1]) / 2.0)
        steps = there - here
        return _sums(np.hypot(steps[:, 0] * across, steps[:, 1] * down), rings.begins)


def _sums(values: Floats, begins: Indices) -> Floats:
    sums: Floats = np.add.reduceat(values, begins) if len(begins) else np.empty(0)
    return sums


@dataclass(frozen=True)
class Sureness:
    """How sure the class is, percent, (F,); NaN where nothing is known.

    Args:
        mean: Mean over the pixels.
        tenth: 10th percentile.
    """

    mean: Floats
    tenth: Floats


class ConfidenceTally:
    """Collects the confidence of features strip by strip, in the memory of those that are not finished.

    Args:
        features: How many there are.
    """

    def __init__(self, features: int) -> None:
        self._slot = np.full(features, -1, np.int32)  # row of the table of each open feature
        self._table = np.zeros((0, _PERCENT), np.int64)

    def add(self, features: npt.NDArray[np.int32], confidence: npt.NDArray[np.uint8]) -> None:
        """Count a strip.

        Args:
            features: (h, W) feature of each pixel, -1 for none.
            confidence: (h, W) percent; ``UNKNOWN`` where nothing is known.
        """
        counted = (features >= 0) & (confidence != UNKNOWN)
        own = features[counted]
        marked = np.zeros(len(self._slot), bool)
        marked[own] = True
        present = np.flatnonzero(marked)
        local = np.cumsum(marked, dtype=np.int32) - 1
        index = local[own].astype(np.int64) * _PERCENT + confidence[counted]
        counts = np.bincount(index, minlength=len(present) * _PERCENT).reshape(-1, _PERCENT)
        new = present[self._slot[present] < 0]
        self._slot[new] = len(self._table) + np.arange(len(new))
        self._table = np.concatenate([self._table, np.zeros((len(new), _PERCENT), np.int64)])
        self._table[self._slot[present]] += counts

    def take(self, features: Indices) -> Sureness:
        """Return what is known of finished features, (F,) ascending, and forget it."""
        slots = self._slot[features]
        known = slots >= 0
        counts = np.zeros((len(features), _PERCENT), np.int64)
        counts[known] = self._table[slots[known]]
        kept = np.ones(len(self._table), bool)
        kept[slots[known]] = False
        self._slot[features] = -1
        open_features = np.flatnonzero(self._slot >= 0)
        renumbered = np.cumsum(kept, dtype=np.int32) - 1
        self._slot[open_features] = renumbered[self._slot[open_features]]
        self._table = self._table[kept]
        return _sureness(counts)


def _sureness(counts: npt.NDArray[np.int64]) -> Sureness:
    total = counts.sum(axis=1)
    some = total > 0
    mean = np.full(len(counts), np.nan)
    mean[some] = (counts[some] @ np.arange(_PERCENT)) / total[some]
    tenth = np.full(len(counts), np.nan)
    tenth[some] = (counts[some].cumsum(axis=1) >= 0.1 * total[some, None]).argmax(axis=1)
    return Sureness(mean, tenth)
