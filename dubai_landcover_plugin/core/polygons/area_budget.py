"""The minimum mapping unit during simplification: no feature may lose more area than it can spare."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.regions import ROUNDING, sum_by_label

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class EdgeAreas:
    """Areas of polygons between pixel corners, on the ground.

    Green's theorem: the area is the sum over the edges of their extent in columns times the mean area of a pixel column
    above them, here by Simpson's rule at both ends and the middle of each edge.

    Args:
        pixel_areas: (H,) area of a pixel of each row, m² or px.
    """

    def __init__(self, pixel_areas: Floats) -> None:
        #: Area of every pixel; None where it depends on the row.
        self.constant = float(pixel_areas[0]) if len(pixel_areas) and np.ptp(pixel_areas) == 0 else None
        columns = np.concatenate([[0.0], np.cumsum(pixel_areas)])  # area of a pixel column above each corner
        self._half_rows = np.interp(np.arange(2 * len(pixel_areas) + 1) / 2, np.arange(len(columns)), columns)

    def between(self, x0: Indices, y0: Indices, x1: Indices, y1: Indices) -> Floats:
        """Return the terms of the sum for edges between corners, (N,); positive rings run clockwise on the screen."""
        at_start, at_middle, at_end = self._half_rows[2 * y0], self._half_rows[y0 + y1], self._half_rows[2 * y1]
        areas: Floats = (x0 - x1) * (at_start + 4 * at_middle + at_end) / 6
        return areas


class AreaBudget:
    """Area that each feature can lose until it is as small as the minimum mapping unit.

    Areas are counted in pixels where all pixels have the same area, so that sums are exact.

    Args:
        areas: (F,) area of each feature along pixel edges, in the unit of ``min_area``.
        min_area: Minimum mapping unit.
        feature_of_face: (P,) int64, feature of each face, counted from 0.
        pixel_areas: (H,) area of a pixel of each row, in the same unit.
    """

    def __init__(self, areas: Floats, min_area: float, feature_of_face: Indices, pixel_areas: Floats) -> None:
        edge_areas = EdgeAreas(pixel_areas)
        if edge_areas.constant:
            areas = np.rint(areas / edge_areas.constant)
            min_area = min_area / edge_areas.constant * (1 - ROUNDING)
            edge_areas = EdgeAreas(np.ones(len(pixel_areas)))
        self._edge_areas = edge_areas
        self._spare = np.append(areas - min_area, np.inf)  # (F + 1,), the last one for nodata
        self._feature = np.append(len(areas), feature_of_face)  # by face, of which 0 is nodata

    def changes(
        self, before: npt.NDArray[Any], vertex: npt.NDArray[Any], after: npt.NDArray[Any], faces: Indices
    ) -> tuple[Indices, Indices, Floats]:
        """Return how the removal of vertices changes the areas of the features on both sides.

        Args:
            before: (2, N) int64, column and row of the vertex before each one.
            vertex: (2, N) int64, of the vertex.
            after: (2, N) int64, of the vertex after it.
            faces: (N, 2) int64, faces on the left and on the right of the way from ``before`` to ``after``.

        Returns:
            (N,) feature that loses area, (N,) feature that gains it, (N,) area.
        """
        between = self._edge_areas.between
        area = between(*before, *vertex) + between(*vertex, *after) + between(*after, *before)
        # The triangle is on the right, where y points down, if it runs clockwise on the screen.
        left, right = self._feature[faces.T]
        clockwise = area > 0
        return np.where(clockwise, right, left), np.where(clockwise, left, right), np.abs(area)

    def affords(self, losing: Indices, area: Floats) -> Flags:
        """Return for which changes, each by itself, the feature can spare the area, (N,)."""
        affordable: Flags = area <= self._spare[losing]
        return affordable

    def take(self, losing: Indices, gaining: Indices, area: Floats, order: Indices) -> Flags:
        """Move area between features as far as they can spare it; return which changes were made, (N,).

        Args:
            losing: (N,) feature that loses area.
            gaining: (N,) feature that gains it.
            area: (N,) area.
            order: (N,) int64, smallest first.
        """
        by_feature = np.lexsort((order, losing))
        lost = area[by_feature]
        # Running sum of the losses of each feature.
        total = np.cumsum(lost)
        features = losing[by_feature]
        starts = np.flatnonzero(np.append(True, features[1:] != features[:-1])[: len(features)])
        lengths = np.diff(starts, append=len(features))
        total -= np.repeat(total[starts] - lost[starts], lengths)
        made = np.zeros(len(losing), bool)
        made[by_feature] = total <= self._spare[features]
        # Areas gained in the same round count from the next one on.
        count = len(self._spare)
        self._spare -= sum_by_label(losing[made], area[made], count)
        self._spare += sum_by_label(gaining[made], area[made], count)
        return made
