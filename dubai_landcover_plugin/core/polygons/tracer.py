"""Polygons of a classified raster in pixel coordinates, strip by strip, in the memory of one strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.area_budget import AreaBudget
from dubai_landcover_plugin.core.polygons.half_edges import HalfEdges, HalfEdgeTracer
from dubai_landcover_plugin.core.polygons.regions import (
    Features,
    find_regions,
    label_runs,
    make_features,
    merge_small_regions,
    sum_by_label,
)
from dubai_landcover_plugin.core.polygons.rings import HalfEdgePool, Rings, assemble_rings
from dubai_landcover_plugin.core.polygons.runs import Runs
from dubai_landcover_plugin.protocol.monitor import Monitor, SilentMonitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import marked, tr

Indices = npt.NDArray[np.int64]
Ids = npt.NDArray[Any]  # uint8 or uint16
Faces = npt.NDArray[np.int32]

_STRIP_PIXELS = 1 << 22
ID_COUNT = 1 << 16
"""Number of possible class ids (uint16): the length of tables by class id."""
_MIN_STRIP_ROWS, _MAX_STRIP_ROWS = 16, 4096


class RowSource(Protocol):
    """Class ids by rows."""

    def read(self, first: int, last: int) -> Ids:
        """Return rows ``first`` to ``last`` (excluded), (last - first, W) uint8 or uint16; 0 is nodata."""


@dataclass(frozen=True)
class TracedFeatures:
    """Features whose last row is in a strip.

    Args:
        rings: Their rings, in pixel coordinates.
        features: (R,) int64, feature of each ring, ascending.
        class_ids: (F,) uint16, class id of each feature of the map.
        nodata_boundary: Half-edges of the strip whose face is nodata.
    """

    rings: Rings
    features: Indices
    class_ids: Ids
    nodata_boundary: HalfEdges


@dataclass(frozen=True)
class FeatureStrip:
    """Features of the pixels of a strip, for zonal statistics.

    Args:
        first_row: First row of the strip.
        faces: (h, W) int32, face of each pixel, counted from 1; 0 for nodata.
        feature_of_face: (P + 1,) int32, feature of each face; -1 for nodata.
    """

    first_row: int
    faces: Faces
    feature_of_face: npt.NDArray[np.int32]

    @property
    def features(self) -> npt.NDArray[np.int32]:
        """(h, W) int32, feature of each pixel; -1 for nodata."""
        return self.feature_of_face[self.faces]


def strip_rows(width: int) -> int:
    """Return the height of strips, px.

    It depends on the width of the raster alone, so that the polygons do not depend on the machine.
    """
    return min(max(_STRIP_PIXELS // max(width, 1), _MIN_STRIP_ROWS), _MAX_STRIP_ROWS)


class PolygonTracer:
    """Traces the polygons of a classified raster.

    Reads the map twice: first to label its regions and apply the minimum mapping unit, then to trace the boundaries.

    Args:
        source: Class ids.
        pixel_areas: (H,) area of a pixel of each row, in the unit of ``min_area``.
        width: Columns of the map.
        min_area: Minimum mapping unit, see :func:`.merge_small_regions`; simplification keeps it, too.
        tolerance: Simplification tolerance, px, see :class:`.BoundarySimplifier`; 0 keeps pixel edges.
        corners: Whether pixels of a class that touch at a corner are one feature (8-connected); else 4-connected.
        rows: Height of strips; None for :func:`strip_rows`.
        monitor: Receives progress; may cancel.
    """

    valid_pixels: int
    """Pixels with a class."""
    raster_areas: npt.NDArray[np.float64]
    """(ID_COUNT,) area of each class id."""
    merged_areas: npt.NDArray[np.float64]
    """(ID_COUNT,) area of each class id after the minimum mapping unit."""

    def __init__(
        self,
        source: RowSource,
        pixel_areas: npt.NDArray[np.float64],
        width: int,
        min_area: float = 0.0,
        tolerance: float = 0.0,
        corners: bool = False,
        rows: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self._source, self._height, self._width = source, len(pixel_areas), width
        self._tolerance, self._monitor = tolerance, monitor or SilentMonitor()
        self._pixel_areas, self._min_area = pixel_areas, min_area
        self._rows = rows or strip_rows(width)
        self.valid_pixels = 0
        regions, self._regions_of_strips = find_regions(self._read_and_count(), pixel_areas, corners)
        classes = merge_small_regions(regions, min_area) if min_area > 0 else regions.class_ids
        self.features: Features = make_features(regions, classes)
        self.raster_areas = sum_by_label(regions.class_ids, regions.areas, ID_COUNT)
        self.merged_areas = sum_by_label(classes, regions.areas, ID_COUNT)
        feature_of_region = self.features.feature_of_face[self.features.face_of_region]
        self._feature_areas = sum_by_label(feature_of_region, regions.areas, len(self.features.class_ids))

    def _read_and_count(self) -> Iterator[Ids]:
        for _, ids in self._read(marked("regions")):
            self.valid_pixels += int(np.count_nonzero(ids))
            yield ids

    def trace(self) -> Iterator[tuple[TracedFeatures, FeatureStrip]]:
        """Yield for each strip the features that end in it, and the features of its pixels."""
        features, budget = self.features, None
        if self._min_area > 0 and self._tolerance > 0:
            budget = AreaBudget(self._feature_areas, self._min_area, features.feature_of_face, self._pixel_areas)
        tracer = HalfEdgeTracer(self._width, self._tolerance, budget)
        pool = HalfEdgePool(np.append(0, features.feature_of_face), features.last_rows)
        margin = np.zeros((1, self._width + 2), np.int32)  # the row above and below the raster
        above, strip = margin, None
        # A strip is traced once the first row of the next one is known.
        for first, faces in self._faces():
            if strip is not None:
                traced = self._trace_strip(tracer, pool, above, strip, faces[:1])
                yield traced, self._feature_strip(first - len(strip), strip)
                above = strip[-1:]
            strip = faces
        if strip is not None:
            traced = self._trace_strip(tracer, pool, above, strip, margin, True)
            yield traced, self._feature_strip(self._height - len(strip), strip)

    def _trace_strip(
        self,
        tracer: HalfEdgeTracer,
        pool: HalfEdgePool,
        above: Faces,
        strip: Faces,
        below: Faces,
        bottom: bool = False,
    ) -> TracedFeatures:
        """Trace one strip, given the rows above and below it, and return the features that are complete."""
        half_edges = tracer.trace(np.concatenate([above, strip, below]), bottom)
        valid = half_edges.faces > 0
        complete = pool.add(half_edges.select(valid), self._height if bottom else tracer.row - 1)
        rings = assemble_rings(complete, self._width + 1)
        features = self.features.feature_of_face[rings.faces - 1]
        return TracedFeatures(rings, features, self.features.class_ids, half_edges.select(~valid))

    def _feature_strip(self, first: int, faces: Faces) -> FeatureStrip:
        feature_of_face = np.append(-1, self.features.feature_of_face).astype(np.int32)
        return FeatureStrip(first, faces[:, 1:-1], feature_of_face)

    def _faces(self) -> Iterator[tuple[int, Faces]]:
        """Yield first row and faces, (h, W + 2), of each strip: counted from 1, 0 for nodata and the margin columns."""
        face_of_region = self.features.face_of_region + 1
        for (first, ids), region_of_label in zip(self._read(marked("borders")), self._regions_of_strips, strict=True):
            runs = Runs.encode(ids)
            face_of_run = face_of_region[region_of_label[label_runs(runs)[0]]]
            face_of_run[runs.class_ids == 0] = 0
            faces = np.zeros((len(ids), self._width + 2), np.int32)
            faces[:, 1:-1] = np.repeat(face_of_run.astype(np.int32), runs.lengths).reshape(ids.shape)
            yield first, faces

    def _read(self, step: str) -> Iterator[tuple[int, Ids]]:
        """Yield first row and class ids of each strip; reports progress of the two passes over the map."""
        done = 0 if step == "regions" else self._height
        for first in range(0, self._height, self._rows):
            raise_if_cancelled(self._monitor)
            self._monitor.report(done + first, 2 * self._height, tr(step))
            yield first, self._source.read(first, min(first + self._rows, self._height))
