"""Polygons of a classified raster with their measures, as strips complete them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import pixels_to_crs
from dubai_landcover_plugin.core.polygons.coverage import Conservation, CoverageCheck
from dubai_landcover_plugin.core.polygons.regions import sum_by_label
from dubai_landcover_plugin.core.polygons.statistics import ConfidenceHistogram, ConfidenceStats, RingGeometry
from dubai_landcover_plugin.core.polygons.tracer import ID_COUNT, PolygonTracer, RowSource, TracedFeatures
from dubai_landcover_plugin.protocol.monitor import Monitor

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PolygonOptions:
    """Options of polygonization, see :class:`.PolygonizeRequest`.

    Args:
        min_area: Minimum mapping unit, m² (px without a CRS).
        simplify: Simplification tolerance, m (px without a CRS).
        corners: Whether pixels that touch at corners are one feature.
        confidence: Path of the confidence raster, or None.
    """

    min_area: float = 20.0
    simplify: float = 2.0
    corners: bool = False
    confidence: str | None = None


@dataclass(frozen=True)
class Polygons:
    """Polygons with their measures.

    Args:
        geometries: (N,) Polygons in the CRS; MultiPolygons where contact at corners counts.
        class_ids: (N,) uint16.
        areas: (N,) m², or px without a CRS.
        perimeters: (N,) m, or px without a CRS; holes included.
        pixels: (N,) area in pixels.
        confidence: Confidence statistics, or None.
    """

    geometries: Geometries
    class_ids: npt.NDArray[np.uint16]
    areas: Floats
    perimeters: Floats
    pixels: Floats
    confidence: ConfidenceStats | None

    @property
    def compactness(self) -> Floats:
        """(N,) Polsby–Popper compactness, 4π area / perimeter²: 1 for a circle, less for long or ragged shapes.

        Source:
            D. D. Polsby, R. D. Popper 1991, The third criterion: compactness as a procedural safeguard against
            partisan gerrymandering, Yale Law & Policy Review 9(2)
        """
        compactness: Floats = 4 * np.pi * self.areas / np.maximum(self.perimeters, 1e-12) ** 2
        return compactness


class ClassRows(RowSource, Protocol):
    """Class ids by rows, with their grid."""

    @property
    def grid(self) -> Grid:
        """Grid of the class ids."""


class ConfidenceRows(Protocol):
    """Confidence by rows."""

    def read(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Return rows ``first`` to ``last`` (excluded), (last - first, W) percent, or ``UNKNOWN``."""


class Polygonizer:
    """Iterates over the polygons of a classified raster, in batches: one for each strip of rows.

    Args:
        source: The classified raster, such as a :class:`.ClassifiedSource`.
        options: See :class:`PolygonOptions`.
        confidence: Its confidence, such as a :class:`.ConfidenceSource`, or None.
        rows: Height of strips; None for :func:`.strip_rows`.
        monitor: Receives progress; may cancel.

    Raises:
        OutputError: by the iterator at its end, if the polygons do not cover the raster, see :class:`.CoverageCheck`.
    """

    def __init__(
        self,
        source: ClassRows,
        options: PolygonOptions,
        confidence: ConfidenceRows | None = None,
        rows: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        grid = source.grid
        self._grid, self._options, self._confidence = grid, options, confidence
        self._geometry = RingGeometry(grid)
        tolerance = options.simplify / self._geometry.pixel_side()
        self._tracer = PolygonTracer(
            source,
            self._geometry.pixel_areas,
            grid.width,
            options.min_area,
            tolerance,
            options.corners,
            rows,
            monitor,
        )
        self._coverage = CoverageCheck(grid.width + 1)
        self._areas = np.zeros(ID_COUNT)

    def __iter__(self) -> Iterator[Polygons]:
        tracer = self._tracer
        histogram = ConfidenceHistogram(len(tracer.features.class_ids)) if self._confidence else None
        for traced, strip in tracer.trace():
            if histogram is not None and self._confidence is not None:
                rows = self._confidence.read(strip.first_row, strip.first_row + len(strip.faces))
                histogram.add(strip.features, rows)
            self._coverage.add_nodata_boundary(traced.nodata_boundary)
            yield self._measure(traced, histogram)
        self._coverage.check(tracer.valid_pixels)

    def conservation(self) -> Conservation:
        """Return the area of each class at each step; that of the polygons counts those yielded so far."""
        return Conservation(self._tracer.raster_areas, self._tracer.merged_areas, self._areas)

    def _measure(self, traced: TracedFeatures, histogram: ConfidenceHistogram | None) -> Polygons:
        """Build polygons from rings, measure them and transform them to the CRS."""
        rings = traced.rings
        pixel_polygons, _ = rings.polygons()
        self._coverage.add_polygons(rings, pixel_polygons)
        # Sum the rings of each feature; holes have negative areas.
        features, feature_of_ring = np.unique(traced.features, return_inverse=True)
        areas = sum_by_label(feature_of_ring, self._geometry.areas(rings), len(features))
        perimeters = sum_by_label(feature_of_ring, self._geometry.perimeters(rings), len(features))
        pixels = sum_by_label(feature_of_ring, rings.pixel_areas, len(features))
        class_ids = traced.class_ids[features]
        self._areas += np.bincount(class_ids, areas, ID_COUNT)
        # One polygon for each face, sorted by feature.
        feature_of_polygon = traced.features[rings.is_exterior]
        order = np.argsort(feature_of_polygon, kind="stable")
        geometries = pixels_to_crs(pixel_polygons, self._grid)[order]
        if self._options.corners and len(geometries):
            _, owners = np.unique(feature_of_polygon[order], return_inverse=True)
            geometries = shapely.multipolygons(geometries, indices=owners)
        confidence = None if histogram is None else histogram.pop(features)
        return Polygons(geometries, class_ids, areas, perimeters, pixels, confidence)
