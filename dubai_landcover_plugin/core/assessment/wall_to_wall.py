"""Wall-to-wall assessment, with a reference raster or polygons: pixels are counted, not estimated."""

from __future__ import annotations

import numpy as np

from dubai_landcover_plugin.core.assessment.confusion import Confusion
from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, Indices
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import tr


class ContingencyTable:
    """Contingency table of map and reference, accumulated over strips of rows.

    Attributes:
        counts: (K, K) int64, pixels; rows are the map, columns the reference.
        areas: (K, K) float64, their areas, m², or px without a CRS.
    """

    def __init__(self, grid: Grid, scheme: ClassScheme) -> None:
        self._grid, self._scale = grid, GroundScale(grid)
        self._classes = len(scheme.entries)
        self.counts = np.zeros((self._classes, self._classes), np.int64)
        self.areas = np.zeros((self._classes, self._classes))

    def add(self, first: int, mapped: Indices, reference: Indices) -> None:
        """Count the rows from ``first``, (h, W) class indices each; pixels where either is ``NO_CLASS`` are skipped."""
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


def wall_to_wall_assessment(
    kind: str,
    scheme: ClassScheme,
    table: ContingencyTable,
    unit: str,
    facts: dict[str, int],
    method: list[str],
    warnings: list[str],
) -> Assessment:
    """Return the assessment of a contingency table, without intervals.

    Args:
        kind: Kind of the reference, ``polygons`` or ``raster``.
        scheme: Classes of the map.
        table: Contingency table.
        unit: Unit of its areas, ``m2`` or ``px``.
        facts: Further counts for the report.
        method: Sentences for the report.
        warnings: Warnings for the user.

    Raises:
        GeoreferenceError: if no pixel was counted.
    """
    confusion = Confusion(table.counts.T)
    pixels = int(table.counts.sum())
    if not pixels:
        raise GeoreferenceError(
            tr("No pixel has a class in both the map and the reference."), tr("Check that they cover the same area.")
        )
    named = int(table.counts[:-1].sum())
    return Assessment(
        kind=kind,
        scheme=scheme,
        counts=table.counts,
        shares=table.areas / table.areas.sum(),
        overall=IntervalEstimate(confusion.accuracy),
        classified=IntervalEstimate(np.trace(table.counts) / named) if 0 < named < pixels else None,
        users=[IntervalEstimate(float(value)) for value in confusion.precision],
        producers=[IntervalEstimate(float(value)) for value in confusion.recall],
        mapped=table.areas.sum(axis=1),
        areas=[IntervalEstimate(float(area)) for area in table.areas.sum(axis=0)],
        unit=unit,
        facts={"pixels": pixels, **facts},
        method=method,
        warnings=warnings,
    )
