"""Removes the overlaps that regularization introduces, between buildings and with obstacles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame
from dubai_landcover_plugin.core.buildings.outlines import intersection_over_union, largest_polygon, polygons_only
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

Polygons = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]

_SLIVER = 1e-6
"""Overlaps below this fraction of the smaller building's area are rounding errors."""
_ATTEMPTS = 3
"""How often a building is cut back before its original outline is kept."""
_MARGIN = 1e-3
"""Gap that is left to the other outline, tolerances."""


@dataclass
class Outlines:
    """Outlines of buildings before and after regularization; the arrays are changed in place.

    Args:
        original: (N,) valid polygons in the CRS.
        current: (N,) regularized polygons, or the original ones.
        frames: N frames along their walls.
        ious: (N,) intersection over union of both; 1 where the original outline is kept.
        regular: (N,) bool, whether the current outline is regularized.
    """

    original: Polygons
    current: Polygons
    frames: list[LocalFrame]
    ious: npt.NDArray[np.float64]
    regular: npt.NDArray[np.bool_]

    def restore_original(self, index: int) -> None:
        """Replace a regularized outline by the original one."""
        self.current[index], self.ious[index], self.regular[index] = self.original[index], 1.0, False


def resolve_obstacle_overlaps(outlines: Outlines, obstacles: Polygons, tolerance: float, min_iou: float) -> None:
    """Cut buildings back from obstacles that they newly overlap, or keep their original outlines.

    Args:
        outlines: The buildings.
        obstacles: (M,) valid polygons in their CRS.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU of an outline that was cut back.
    """
    moved = np.flatnonzero(outlines.regular)
    buildings, met = shapely.STRtree(obstacles).query(outlines.current[moved], "intersects")
    buildings = moved[buildings]
    # Clip each obstacle to the bounds of the building's outlines: a road network may be one large polygon.
    bounds = shapely.total_bounds
    boxes = [shapely.box(*bounds([outlines.original[index], outlines.current[index]])) for index in buildings]
    near = shapely.intersection(obstacles[met], np.array(boxes, object))
    near = np.array([polygons_only(part) for part in near], object)
    for attempt in range(_ATTEMPTS + 1):
        original, current = outlines.original[buildings], outlines.current[buildings]
        overlaps = _overlaps_newly(outlines, buildings, current, near, original, near)
        for building in np.unique(buildings[overlaps]).tolist():
            if attempt == _ATTEMPTS:
                outlines.restore_original(building)
                continue
            against = near[overlaps & (buildings == building)]
            _cut_back(outlines, building, [(part, part) for part in against], tolerance, min_iou)


def resolve_mutual_overlaps(outlines: Outlines, tolerance: float, min_iou: float, monitor: Monitor) -> None:
    """Remove overlaps between buildings that are larger than those of their original outlines.

    Of each pair, the building with the lower IoU is cut back. Where that changes it too much, or after three attempts,
    its original outline is kept. Rounds are repeated until no pair overlaps more than originally; original outlines
    are never cut, so this ends.

    Args:
        outlines: The buildings.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU of an outline that was cut back.
        monitor: May cancel between the rounds.
    """
    attempts = np.zeros(len(outlines.original), np.int64)
    changed = outlines.regular.copy()
    while changed.any():
        raise_if_cancelled(monitor)
        pairs = _new_overlaps(outlines, changed)
        to_cut: dict[int, list[int]] = {}
        for one, other in pairs.tolist():
            first, second = (one, other) if _yields(outlines, one, other) else (other, one)
            to_cut.setdefault(first, []).append(second)
        changed[:] = False
        for building, others in to_cut.items():
            attempts[building] += 1
            against = [(outlines.current[other], outlines.original[other]) for other in others]
            if attempts[building] > _ATTEMPTS:
                outlines.restore_original(building)
            else:
                _cut_back(outlines, building, against, tolerance, min_iou)
            changed[building] = True


def _yields(outlines: Outlines, one: int, other: int) -> bool:
    """Return whether the first of two buildings is cut back: the only regularized one, else the one of lower IoU."""
    if outlines.regular[one] != outlines.regular[other]:
        return bool(outlines.regular[one])
    return bool(outlines.ious[one] < outlines.ious[other])


def _new_overlaps(outlines: Outlines, changed: npt.NDArray[np.bool_]) -> Indices:
    """Return the pairs, (K, 2), that overlap more than originally, of which at least one has changed."""
    queried = np.flatnonzero(changed)
    ones, others = shapely.STRtree(outlines.current).query(outlines.current[queried], "intersects")
    pairs = np.unique(np.sort(np.column_stack([queried[ones], others]), axis=1), axis=0)
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & outlines.regular[pairs].any(axis=1)]
    a, b = pairs.T
    overlaps = _overlaps_newly(
        outlines, a, outlines.current[a], outlines.current[b], outlines.original[a], outlines.original[b]
    )
    overlapping: Indices = pairs[overlaps]
    return overlapping


def _overlaps_newly(
    outlines: Outlines,
    buildings: Indices,
    one: Polygons,
    other: Polygons,
    original_one: Polygons,
    original_other: Polygons,
) -> npt.NDArray[np.bool_]:
    """Return which pairs, (K,), overlap more than their original outlines, beyond rounding errors."""
    now = shapely.area(shapely.intersection(one, other))
    before = shapely.area(shapely.intersection(original_one, original_other))
    smallest = np.minimum(shapely.area(outlines.original[buildings]), shapely.area(other))
    larger: npt.NDArray[np.bool_] = now > before + _SLIVER * smallest
    return larger


def _cut_back(
    outlines: Outlines,
    index: int,
    against: list[tuple[shapely.Polygon, shapely.Polygon]],
    tolerance: float,
    min_iou: float,
) -> None:
    """Cut new overlaps out of a building, as rectangles along its axes, so that its angles stay right.

    If the result has another number of holes, is invalid or too different, the original outline is restored.

    Args:
        outlines: The buildings.
        index: The building that is cut.
        against: Current and original outline of each of the others.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU with the original outline.
    """
    frame = outlines.frames[index]
    current = shapely.transform(outlines.current[index], frame.to_local)
    original = shapely.transform(outlines.original[index], frame.to_local)
    # New overlap: the current one without the original one.
    cutouts = []
    for other, other_original in against:
        now = polygons_only(shapely.intersection(current, shapely.transform(other, frame.to_local)))
        before = polygons_only(shapely.intersection(original, shapely.transform(other_original, frame.to_local)))
        cutouts += [
            _cutout(current, part, tolerance)
            for part in shapely.get_parts(shapely.difference(now, before))
            if part.area
        ]
    remainder = largest_polygon(shapely.difference(current, shapely.union_all(cutouts)))
    if remainder is not None and len(remainder.interiors) == len(current.interiors):
        remainder = shapely.simplify(remainder, 0)  # removes vertices on straight edges
        outline = shapely.transform(remainder, frame.to_crs)
        iou = intersection_over_union(original, remainder)
        if iou >= min_iou and shapely.is_valid(outline):
            outlines.current[index], outlines.ious[index] = outline, iou
            return
    outlines.restore_original(index)


def _cutout(polygon: shapely.Polygon, part: shapely.Geometry, tolerance: float) -> shapely.Polygon:
    """Return the rectangle to cut out of a polygon for an overlap.

    Each side is moved outwards to the farthest vertex of the polygon within a tolerance, so that no short edge is left.
    """
    margin = _MARGIN * tolerance
    low = shapely.bounds(part)[:2] - margin
    high = shapely.bounds(part)[2:] + margin
    corners = shapely.get_coordinates(polygon)
    low, high = low.copy(), high.copy()
    for axis in (0, 1):
        near_low = corners[(corners[:, axis] <= low[axis]) & (corners[:, axis] > low[axis] - tolerance), axis]
        near_high = corners[(corners[:, axis] >= high[axis]) & (corners[:, axis] < high[axis] + tolerance), axis]
        low[axis] = near_low.min(initial=low[axis])
        high[axis] = near_high.max(initial=high[axis])
    return shapely.box(*low, *high)
