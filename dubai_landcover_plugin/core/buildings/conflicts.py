"""Overlaps that regular outlines would bring, and how they are taken back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.local_frame import Frame
from dubai_landcover_plugin.core.buildings.outlines import largest_polygon, overlap_ratio, polygons_only
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

Polygons = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]

_SLIVER = 1e-6
"""Overlaps below this part of the smaller building are rounding."""
_ATTEMPTS = 3
"""How often a building may retreat before its given outline is kept."""
_MARGIN = 1e-3
"""How far it retreats behind what it met, tolerances."""


@dataclass
class Outlines:
    """Outlines of buildings; the arrays are changed in place.

    Args:
        given: (N,) valid polygons in the CRS.
        current: (N,) what becomes of them.
        frames: N frames along their walls.
        ious: (N,) intersection over union of both; 1 where the given outline is kept.
        regular: (N,) whether the current outline is a regular one.
    """

    given: Polygons
    current: Polygons
    frames: list[Frame]
    ious: npt.NDArray[np.float64]
    regular: npt.NDArray[np.bool_]

    def keep_given(self, index: int) -> None:
        """Take a regular outline back."""
        self.current[index], self.ious[index], self.regular[index] = self.given[index], 1.0, False


def part_from_obstacles(outlines: Outlines, obstacles: Polygons, tolerance: float, min_iou: float) -> None:
    """Let buildings retreat from obstacles that they did not overlap before, or keep their given outlines.

    Args:
        outlines: The buildings.
        obstacles: (M,) valid polygons in their CRS.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU of an outline that has retreated.
    """
    moved = np.flatnonzero(outlines.regular)
    buildings, met = shapely.STRtree(obstacles).query(outlines.current[moved], "intersects")
    buildings = moved[buildings]
    around = shapely.total_bounds  # of both outlines: what lies farther away is never met
    boxes = [shapely.box(*around([outlines.given[index], outlines.current[index]])) for index in buildings]
    near = shapely.intersection(obstacles[met], np.array(boxes, object))  # roads may be one large polygon
    near = np.array([polygons_only(part) for part in near], object)
    for attempt in range(_ATTEMPTS + 1):
        given, current = outlines.given[buildings], outlines.current[buildings]
        more = _introduced(outlines, buildings, current, near, given, near)
        for building in np.unique(buildings[more]).tolist():
            if attempt == _ATTEMPTS:
                outlines.keep_given(building)
                continue
            against = near[more & (buildings == building)]
            _retreat(outlines, building, [(part, part) for part in against], tolerance, min_iou)


def part_from_each_other(outlines: Outlines, tolerance: float, min_iou: float, monitor: Monitor) -> None:
    """Take back overlaps of buildings that were not there before.

    Of each two, the one that is less like its given outline retreats; where that changes it too much, or again and
    again, its given outline is kept. The rounds end when no two overlap more than they did.

    Args:
        outlines: The buildings.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU of an outline that has retreated.
        monitor: Asked between the rounds whether to stop.
    """
    attempts = np.zeros(len(outlines.given), np.int64)
    changed = outlines.regular.copy()
    while changed.any():
        raise_if_cancelled(monitor)
        pairs = _overlapping(outlines, changed)
        worse: dict[int, list[int]] = {}
        for one, other in pairs.tolist():
            first, second = (one, other) if _is_worse(outlines, one, other) else (other, one)
            worse.setdefault(first, []).append(second)
        changed[:] = False
        for building, others in worse.items():
            attempts[building] += 1
            against = [(outlines.current[other], outlines.given[other]) for other in others]
            if attempts[building] > _ATTEMPTS:
                outlines.keep_given(building)
            else:
                _retreat(outlines, building, against, tolerance, min_iou)
            changed[building] = True


def _is_worse(outlines: Outlines, one: int, other: int) -> bool:
    """Return whether the first of two is the one to retreat; one whose given outline is kept never does."""
    if outlines.regular[one] != outlines.regular[other]:
        return bool(outlines.regular[one])
    return bool(outlines.ious[one] < outlines.ious[other])


def _overlapping(outlines: Outlines, changed: npt.NDArray[np.bool_]) -> Indices:
    """Return the pairs, (K, 2), with one that has changed, that overlap more than they did."""
    asked = np.flatnonzero(changed)
    ones, others = shapely.STRtree(outlines.current).query(outlines.current[asked], "intersects")
    pairs = np.unique(np.sort(np.column_stack([asked[ones], others]), axis=1), axis=0)
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & outlines.regular[pairs].any(axis=1)]
    a, b = pairs.T
    more = _introduced(outlines, a, outlines.current[a], outlines.current[b], outlines.given[a], outlines.given[b])
    found: Indices = pairs[more]
    return found


def _introduced(
    outlines: Outlines, buildings: Indices, one: Polygons, other: Polygons, given_one: Polygons, given_other: Polygons
) -> npt.NDArray[np.bool_]:
    """Return which pairs overlap more than they did, beyond rounding."""
    now = shapely.area(shapely.intersection(one, other))
    earlier = shapely.area(shapely.intersection(given_one, given_other))
    smallest = np.minimum(shapely.area(outlines.given[buildings]), shapely.area(other))
    more: npt.NDArray[np.bool_] = now > earlier + _SLIVER * smallest
    return more


def _retreat(
    outlines: Outlines,
    index: int,
    against: list[tuple[shapely.Polygon, shapely.Polygon]],
    tolerance: float,
    min_iou: float,
) -> None:
    """Cut what a building newly shares with others out of it, in rectangles along its axes.

    Args:
        outlines: The buildings.
        index: The one that retreats.
        against: Others, as they are and as they were given.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU that is left.
    """
    frame = outlines.frames[index]
    own = shapely.transform(outlines.current[index], frame.into)
    given = shapely.transform(outlines.given[index], frame.into)
    boxes = []
    for current, earlier in against:
        shared = polygons_only(shapely.intersection(own, shapely.transform(current, frame.into)))
        old = polygons_only(shapely.intersection(given, shapely.transform(earlier, frame.into)))
        boxes += [
            _box(own, part, tolerance) for part in shapely.get_parts(shapely.difference(shared, old)) if part.area
        ]
    left = largest_polygon(shapely.difference(own, shapely.union_all(boxes)))
    if left is not None and len(left.interiors) == len(own.interiors):
        left = shapely.simplify(left, 0)  # leaves out vertices on straight edges
        placed = shapely.transform(left, frame.back)
        iou = overlap_ratio(given, left)
        if iou >= min_iou and shapely.is_valid(placed):
            outlines.current[index], outlines.ious[index] = placed, iou
            return
    outlines.keep_given(index)


def _box(polygon: shapely.Polygon, part: shapely.Geometry, tolerance: float) -> shapely.Polygon:
    """Return the rectangle to cut out for a part, out to near corners of the polygon so that no short edge is left."""
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
