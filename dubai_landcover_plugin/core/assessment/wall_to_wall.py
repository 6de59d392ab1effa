"""Assessment with a reference that covers ground, a raster or polygons: pixels are counted, not estimated."""

from __future__ import annotations

import numpy as np

from dubai_landcover_plugin.core.assessment.confusion import Confusion
from dubai_landcover_plugin.core.assessment.estimate import Figure
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, Indices
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import GeoreferenceError


class Census:
    """Counts of pairs of classes, and their areas, as bands of rows come."""

    def __init__(self, grid: Grid, scheme: ClassScheme) -> None:
        self._grid, self._scale = grid, GroundScale(grid)
        self._classes = len(scheme.entries)
        self.counts = np.zeros((self._classes, self._classes), np.int64)
        self.areas = np.zeros((self._classes, self._classes))

    def add(self, first: int, mapped: Indices, reference: Indices) -> None:
        """Count rows from ``first`` on, (n, W) class indices each; pixels where either is ``NO_CLASS`` are left out."""
        where = (mapped != NO_CLASS) & (reference != NO_CLASS)
        cells = mapped[where].astype(np.int32) * self._classes + reference[where]
        shape = self.counts.shape
        counts = np.bincount(cells, minlength=self.counts.size).reshape(shape)
        self.counts += counts
        areas = self._scale.pixel_areas(first, first + len(mapped))
        if self._grid.has_constant_scale:
            self.areas += counts * areas[0]
        else:
            weights = np.repeat(areas, where.sum(axis=1))
            self.areas += np.bincount(cells, weights, self.counts.size).reshape(shape)


def counted(
    kind: str,
    scheme: ClassScheme,
    census: Census,
    unit: str,
    facts: dict[str, int],
    method: list[str],
    warnings: list[str],
) -> Assessment:
    """Return the figures of a census, without intervals.

    Raises:
        GeoreferenceError: if no pixel was counted.
    """
    confusion = Confusion(census.counts.T)
    pixels = int(census.counts.sum())
    if not pixels:
        raise GeoreferenceError(
            "No pixel has a class in both the map and the reference.", "Check that they cover the same place."
        )
    named = int(census.counts[:-1].sum())
    return Assessment(
        kind=kind,
        scheme=scheme,
        counts=census.counts,
        shares=census.areas / census.areas.sum(),
        overall=Figure(confusion.accuracy),
        classified=Figure(np.trace(census.counts) / named) if 0 < named < pixels else None,
        users=[Figure(float(value)) for value in confusion.precision],
        producers=[Figure(float(value)) for value in confusion.recall],
        mapped=census.areas.sum(axis=1),
        areas=[Figure(float(area)) for area in census.areas.sum(axis=0)],
        unit=unit,
        facts={"pixels": pixels, **facts},
        method=method,
        warnings=warnings,
    )
