"""Removes the overlaps that regularization introduces, between buildings and with obstacles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame
from dubai_landcover_plugin.core.buildings.outlines import intersection_over_union, polygons_only, reaches
from dubai_landcover_plugin.core.buildings.retreat import retreat
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
        smallest: (N,) area that a regularized outline must not fall below, m²; None sets no limit.
    """

    original: Polygons
    current: Polygons
    frames: list[LocalFrame]
    ious: npt.NDArray[np.float64]
    regular: npt.NDArray[np.bool_]
    smallest: npt.NDArray[np.float64] | None = None

    def restore_original(self, index: int) -> None:
        """Replace a regularized outline by the original one."""
        self.current[index], self.ious[index], self.regular[index] = self.original[index], 1.0, False


def resolve_obstacle_overlaps(outlines: Outlines, obstacles: Polygons, tolerance: float, min_iou: float) -> None:
    """Move walls of buildings back from obstacles that they newly overlap, or keep their original outlines.

    Args:
        outlines: The buildings.
        obstacles: (M,) valid polygons in their CRS.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU of an outline that was moved back.
    """
    pieces = subdivide(obstacles)
    tree = shapely.STRtree(pieces)
    pending = np.flatnonzero(outlines.regular)
    # Most buildings are nowhere near an obstacle.
    pending = pending[np.unique(tree.query(outlines.current[pending], "intersects")[0])]
    for attempt in range(_ATTEMPTS + 1):
        buildings, met = tree.query(outlines.current[pending], "intersects")
        inside = shapely.intersection(outlines.current[pending[buildings]], pieces[met])
        # Where the original outline is in the obstacle, too, it may stay.
        new = shapely.difference(inside, outlines.original[pending[buildings]])
        buildings = pending[buildings]
        sums = np.bincount(buildings, shapely.area(new), len(outlines.original))
        pending = np.flatnonzero(sums > _SLIVER * shapely.area(outlines.original))
        for building in pending.tolist():
            if attempt == _ATTEMPTS:
                outlines.restore_original(building)
            else:
                _move_back(outlines, building, new[buildings == building], tolerance, min_iou)


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
            if attempts[building] > _ATTEMPTS:
                outlines.restore_original(building)
            else:
                overlaps = shapely.difference(
                    shapely.intersection(outlines.current[building], outlines.current[others]),
                    shapely.intersection(outlines.original[building], outlines.original[others]),
                )
                _move_back(outlines, building, overlaps, tolerance, min_iou)
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


def _move_back(outlines: Outlines, index: int, overlaps: Polygons, tolerance: float, min_iou: float) -> None:
    """Move walls of a building inwards until they leave new overlaps, so that angles and number of walls stay.

    If the result is invalid or too different, the original outline is restored.

    Args:
        outlines: The buildings.
        index: The building.
        overlaps: (K,) areas to leave, in the CRS.
        tolerance: Shortest edge, m.
        min_iou: Smallest IoU with the original outline.
    """
    frame = outlines.frames[index]
    current = shapely.transform(outlines.current[index], frame.to_local)
    original = shapely.transform(outlines.original[index], frame.to_local)
    parts = shapely.get_parts(overlaps)
    parts = shapely.transform(parts[shapely.area(parts) > 0], frame.to_local)
    moved = retreat(current, parts, _MARGIN * tolerance)
    if moved is not None:
        outline = shapely.transform(moved, frame.to_crs)
        iou = intersection_over_union(original, moved)
        is_large = outlines.smallest is None or reaches(moved, outlines.smallest[index])
        if iou >= min_iou and is_large and shapely.is_valid(outline):
            outlines.current[index], outlines.ious[index] = outline, iou
            return
    outlines.restore_original(index)


def subdivide(polygons: Polygons, largest: int = 256) -> Polygons:
    """Return the polygons, those with many vertices cut into pieces: overlays with a large one are slow.

    Args:
        polygons: (N,) valid polygons.
        largest: Number of vertices up to which a polygon stays whole.
    """
    done = [polygons[shapely.get_num_coordinates(polygons) <= largest]]
    waiting = polygons[shapely.get_num_coordinates(polygons) > largest].tolist()
    while waiting:
        polygon = waiting.pop()
        west, south, east, north = polygon.bounds
        x, y = (west + east) / 2, (south + north) / 2
        wide = east - west >= north - south
        first, second = ((west, south, x, north), (x, south, east, north)) if wide else (
            (west, south, east, y), (west, y, east, north)
        )  # fmt: skip
        for box in (first, second):
            parts = shapely.get_parts(polygons_only(shapely.clip_by_rect(polygon, *box)))
            small = shapely.get_num_coordinates(parts) <= largest
            done.append(parts[small])
            waiting += parts[~small].tolist()
    pieces = np.concatenate(done)
    invalid = ~shapely.is_valid(pieces)  # clipping may leave touching edges
    if invalid.any():
        repaired = [polygons_only(shapely.make_valid(piece)) for piece in pieces[invalid]]
        pieces = np.concatenate([pieces[~invalid], shapely.get_parts(repaired)])
    return pieces
