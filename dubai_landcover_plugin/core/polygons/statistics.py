"""Areas and perimeters of rings on the ground, and confidence statistics of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.io.confidence import CERTAIN
from dubai_landcover_plugin.core.polygons.area_budget import EdgeAreas
from dubai_landcover_plugin.core.polygons.rings import Rings

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_BINS = CERTAIN + 1  # 0 to 100 percent


class RingGeometry:
    """Measures rings in pixel coordinates on the ground, m; px without a CRS.

    Args:
        grid: Grid of the raster.
    """

    def __init__(self, grid: Grid) -> None:
        self._ground = GroundScale(grid)
        self._middle = grid.height / 2
        #: (H,) area of a pixel of each row, m² or px.
        self.pixel_areas = self._ground.pixel_areas(0, grid.height)
        self._edge_areas = EdgeAreas(self.pixel_areas)

    def pixel_side(self) -> float:
        """Return the side of a square with the area of a pixel in the middle of the raster, m or px."""
        return float(np.sqrt(self._ground.sizes(np.array([self._middle])).prod()))

    def areas(self, rings: Rings) -> Floats:
        """Return the area of each ring, (R,), m² or px; negative for holes."""
        if self._edge_areas.constant is not None:
            return rings.pixel_areas * self._edge_areas.constant
        here, there = rings.points, rings.next_points
        return _sum_by_ring(self._edge_areas.between(*here.T, *there.T), rings.starts)

    def perimeters(self, rings: Rings) -> Floats:
        """Return the length of each ring, (R,), m or px."""
        here, there = rings.points, rings.next_points
        across, down = self._ground.vectors(there - here, (here[:, 1] + there[:, 1]) / 2.0).T
        return _sum_by_ring(np.hypot(across, down), rings.starts)


def _sum_by_ring(values: Floats, starts: Indices) -> Floats:
    sums: Floats = np.add.reduceat(values, starts) if len(starts) else np.empty(0)
    return sums


@dataclass(frozen=True)
class ConfidenceStats:
    """Confidence of features, percent; NaN where no pixel has a confidence.

    Args:
        mean: (F,) mean over the pixels.
        p10: (F,) 10th percentile.
    """

    mean: Floats
    p10: Floats


class ConfidenceHistogram:
    """Histograms of the confidence of features, filled strip by strip, in the memory of the unfinished features.

    Args:
        features: Number of features.
    """

    def __init__(self, features: int) -> None:
        self._slot = np.full(features, -1, np.int32)  # row of the table of each open feature
        self._table = np.zeros((0, _BINS), np.int64)

    def add(self, features: npt.NDArray[np.int32], confidence: npt.NDArray[np.uint8]) -> None:
        """Count the pixels of a strip.

        Args:
            features: (h, W) feature of each pixel, -1 for none.
            confidence: (h, W) percent; ``UNKNOWN`` where there is none.
        """
        # Number the features that are present, from 1; the last place, index -1, is that of nodata.
        marked = np.zeros(len(self._slot) + 1, bool)
        marked[features] = True
        marked[-1] = False
        present = np.flatnonzero(marked)
        local = np.cumsum(marked) * marked
        # Count (feature, percent) pairs; the last bin is that of UNKNOWN.
        index = (local * (_BINS + 1))[features]
        index += confidence
        counts = np.bincount(index.ravel(), minlength=(len(present) + 1) * (_BINS + 1))
        counts = counts.reshape(-1, _BINS + 1)[1:, :_BINS]
        # Append rows to the table for features that are new.
        new = present[self._slot[present] < 0]
        self._slot[new] = len(self._table) + np.arange(len(new))
        self._table = np.concatenate([self._table, np.zeros((len(new), _BINS), np.int64)])
        self._table[self._slot[present]] += counts

    def pop(self, features: Indices) -> ConfidenceStats:
        """Remove finished features, (F,) ascending, and return their statistics."""
        slots = self._slot[features]
        known = slots >= 0
        counts = np.zeros((len(features), _BINS), np.int64)
        counts[known] = self._table[slots[known]]
        # Drop their rows and renumber those that are left.
        kept = np.ones(len(self._table), bool)
        kept[slots[known]] = False
        self._slot[features] = -1
        open_features = np.flatnonzero(self._slot >= 0)
        renumbered = np.cumsum(kept, dtype=np.int32) - 1
        self._slot[open_features] = renumbered[self._slot[open_features]]
        self._table = self._table[kept]
        return _stats(counts)


def _stats(counts: npt.NDArray[np.int64]) -> ConfidenceStats:
    """Return the statistics of histograms, (F, 101)."""
    total = counts.sum(axis=1)
    known = total > 0
    mean = np.full(len(counts), np.nan)
    mean[known] = (counts[known] @ np.arange(_BINS)) / total[known]
    p10 = np.full(len(counts), np.nan)
    p10[known] = (counts[known].cumsum(axis=1) >= 0.1 * total[known, None]).argmax(axis=1)
    return ConfidenceStats(mean, p10)
