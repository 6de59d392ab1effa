"""The polygons of a classified raster, measured and in their place, as strips complete them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import place
from dubai_landcover_plugin.core.polygons.conservation import Conservation, CoverageProof
from dubai_landcover_plugin.core.polygons.regions import sum_by
from dubai_landcover_plugin.core.polygons.statistics import ConfidenceTally, Scale, Sureness
from dubai_landcover_plugin.core.polygons.tracer import IDS, Batch, RowSource, Tracing
from dubai_landcover_plugin.protocol.monitor import Monitor

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """How polygons are drawn; see :class:`PolygonizeRequest`."""

    min_area: float = 20.0
    simplify: float = 2.0
    corners: bool = False
    confidence: str | None = None


@dataclass(frozen=True)
class Polygons:
    """Polygons that a strip completed.

    Args:
        geometries: (N,) in the CRS; multipolygons where corners join.
        class_ids: (N,) raster ids.
        areas: (N,) m², or px without a CRS.
        perimeters: (N,) m, or px without a CRS; holes count.
        pixels: (N,) area in pixels.
        sureness: Of the classes, or None.
    """

    geometries: Geometries
    class_ids: npt.NDArray[np.uint16]
    areas: Floats
    perimeters: Floats
    pixels: Floats
    sureness: Sureness | None

    @property
    def compactness(self) -> Floats:
        """(N,) 1 for a circle, less for what is long or frayed (Polsby and Popper 1991)."""
        compactness: Floats = 4 * np.pi * self.areas / np.maximum(self.perimeters, 1e-12) ** 2
        return compactness


class ClassRows(RowSource, Protocol):
    """Class ids with their place."""

    @property
    def grid(self) -> Grid:
        """Where they lie."""


class Percents(Protocol):
    """Where confidence comes from."""

    def read(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Return rows ``first`` to ``last`` (excluded), percent, or ``UNKNOWN``."""


class PolygonMaker:
    """Makes the polygons of a class map.

    Args:
        source: The map, such as a :class:`.ClassifiedSource`.
        shape: How they are drawn.
        confidence: Its confidence, such as a :class:`.ConfidenceSource`, or None.
        rows: Height of strips; None takes what suits the raster.
        monitor: Told about progress; may cancel.
    """

    def __init__(
        self,
        source: ClassRows,
        shape: Shape,
        confidence: Percents | None = None,
        rows: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        grid = source.grid
        self._grid, self._shape, self._confidence = grid, shape, confidence
        self._scale = Scale(grid)
        areas = self._scale.pixel_areas
        tolerance = shape.simplify / self._scale.side()
        self._tracing = Tracing(source, areas, grid.width, shape.min_area, tolerance, shape.corners, rows, monitor)
        self._proof = CoverageProof(grid.width + 1)
        self._areas = np.zeros(IDS)

    def __iter__(self) -> Iterator[Polygons]:
        tracing = self._tracing
        tally = ConfidenceTally(len(tracing.features.class_ids)) if self._confidence else None
        for batch, strip in tracing.batches():
            if tally is not None and self._confidence is not None:
                rows = self._confidence.read(strip.first_row, strip.first_row + len(strip.features))
                tally.add(strip.features, rows)
            self._proof.add_border(batch.border)
            yield self._measured(batch, tally)
        self._proof.check(tracing.valid_pixels)

    def conservation(self) -> Conservation:
        """Return the areas before and after, once all polygons are made."""
        return Conservation(self._tracing.raster_areas, self._tracing.merged_areas, self._areas)

    def _measured(self, batch: Batch, tally: ConfidenceTally | None) -> Polygons:
        rings = batch.rings
        pixels, _ = rings.polygons()
        self._proof.add_polygons(rings, pixels)
        features, of_ring = np.unique(batch.features, return_inverse=True)
        areas = sum_by(of_ring, self._scale.areas(rings), len(features))
        perimeters = sum_by(of_ring, self._scale.perimeters(rings), len(features))
        pixel_counts = sum_by(of_ring, rings.pixel_areas, len(features))
        class_ids = batch.class_ids[features]
        self._areas += np.bincount(class_ids, areas, IDS)
        placed = place(pixels, self._grid)
        if self._shape.corners:
            order = np.argsort(batch.features[rings.outer], kind="stable")
            _, owners = np.unique(batch.features[rings.outer][order], return_inverse=True)
            placed = shapely.multipolygons(placed[order], indices=owners) if len(placed) else placed
        else:  # one part each, in the order of parts
            order = np.argsort(batch.features[rings.outer], kind="stable")
            placed = placed[order]
        return Polygons(
            placed, class_ids, areas, perimeters, pixel_counts, None if tally is None else tally.take(features)
        )
