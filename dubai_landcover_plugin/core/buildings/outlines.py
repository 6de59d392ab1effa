"""Regularizes outlines of buildings, within a limit on how much each may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.direction import main_direction
from dubai_landcover_plugin.core.buildings.linked_ring import rolled
from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame
from dubai_landcover_plugin.core.buildings.rings import (
    corner_indices,
    densify,
    equivalent_rectangle,
    from_corner,
    oblique_steps,
    rectilinear_ring,
)
from dubai_landcover_plugin.core.buildings.shared_area import shared_area
from dubai_landcover_plugin.core.buildings.wall_ring import wall_ring

Array = npt.NDArray[np.float64]
Fit = Callable[[Array, float, bool], "tuple[Array, float] | None"]

_LEVELS = (1.0, 0.7, 0.5, 0.35)
"""Tolerances that are tried in turn, as fractions of the given one."""
_STRAIGHTNESS = (0.75, 0.2, 0.0)
"""Douglas–Peucker tolerances at which walls are found, as fractions of the given one; the first with 3 corners."""

_ROUNDING = 1e-9
"""Relative change of an area by the transformation to the CRS and back."""


_MAX_VERTICES = 1 << 30
"""No limit of vertices."""
_TEETH = 4
"""Number of short edges in a row that turn alternately to the left and to the right: these are saw teeth."""
_TOOTH = 3.0
"""Length below which such an edge is short, tolerances."""


def align_to_walls(polygon: shapely.Polygon, frame: LocalFrame, tolerance: float) -> LocalFrame:
    """Return the frame rotated so that its axes are along the walls of a building."""
    points = from_corner(frame.to_local(shapely.get_coordinates(polygon.exterior)[:-1]))
    return replace(frame, angle=frame.angle + main_direction(points, _corners(points, tolerance)))


def regularize_outline(
    polygon: shapely.Polygon,
    frame: LocalFrame,
    tolerance: float,
    diagonals: bool,
    min_iou: float,
    min_area: float = 0.0,
) -> tuple[shapely.Polygon, float, float] | None:
    """Return an outline of straight walls, its IoU and share of right-angled length; None if none is close enough.

    One with right angles alone is preferred if it has no saw teeth and not more vertices than one whose walls may have
    any direction. Lower tolerances are tried if the outline changes too much. The result is valid and has the same
    number of holes.

    Args:
        polygon: A valid polygon in the CRS.
        frame: Its frame, aligned to the walls.
        tolerance: Shortest edge, m.
        diagonals: Whether edges may also run at 45°.
        min_iou: Smallest intersection over union with the given polygon, 0..1.
        min_area: Smallest area, m².
    """
    rings = [from_corner(frame.to_local(shapely.get_coordinates(ring)[:-1])) for ring in shapely.get_rings(polygon)]
    original = shapely.transform(polygon, frame.to_local)
    close = partial(_first_close, rings, original, frame, tolerance, diagonals, min_iou, min_area)
    walls = close(_fit_walls, _LEVELS)
    most = _MAX_VERTICES if walls is None else int(shapely.get_num_coordinates(walls[0]))
    steps = sum(oblique_steps(ring, corner_indices(ring, tolerance / 2), tolerance) for ring in rings)
    right = close(_fit_right_angles, _LEVELS[:3], most) if 4 * steps <= most else None
    return right or walls


def _first_close(
    rings: list[Array],
    original: shapely.Polygon,
    frame: LocalFrame,
    tolerance: float,
    diagonals: bool,
    min_iou: float,
    min_area: float,
    fit: Fit,
    levels: tuple[float, ...],
    most: int | None = None,
) -> tuple[shapely.Polygon, float, float] | None:
    """Return the outline, IoU and share at the first level at which it is valid and close enough.

    Args:
        rings: Open rings in the frame, the shell first.
        original: Their polygon.
        frame: The frame.
        tolerance: Shortest edge, m.
        diagonals: Whether edges may also run at 45°.
        min_iou: Smallest IoU.
        min_area: Smallest area, m².
        fit: Fits a ring.
        levels: Tolerances that are tried, as fractions of the given one.
        most: Largest number of vertices; an outline with saw teeth is not accepted either. None: no limit.
    """
    for level in levels:
        found = _polygon([_fit(fit, ring, tolerance * level, diagonals) for ring in rings])
        if found is None or len(found[0].interiors) != len(rings) - 1:
            continue
        regular, share = found
        if most is not None and shapely.get_num_coordinates(regular) > most:
            return None  # lower tolerances leave even more vertices
        if not reaches(regular, min_area) or (most is not None and _has_saw_teeth(regular, tolerance)):
            continue
        iou = intersection_over_union(original, regular)
        if iou < min_iou:
            continue
        outline = shapely.transform(regular, frame.to_crs)
        if shapely.is_valid(outline):
            return outline, iou, share
    return None


def _fit_walls(ring: Array, tolerance: float, diagonals: bool) -> tuple[Array, float] | None:
    """Return a ring of straight walls and the share of its length at right angles."""
    return wall_ring(ring, _corners(ring, tolerance), tolerance, diagonals)


def _fit_right_angles(ring: Array, tolerance: float, diagonals: bool) -> tuple[Array, float] | None:
    """Return a ring with right angles alone."""
    fitted = rectilinear_ring(densify(ring, tolerance / 2), tolerance, diagonals)
    return None if fitted is None else (fitted, 1.0)


def _has_saw_teeth(polygon: shapely.Polygon, tolerance: float) -> bool:
    """Return whether four short edges in a row turn alternately to the left and to the right."""
    for ring in shapely.get_rings(polygon):
        points = shapely.get_coordinates(ring)[:-1]
        step = rolled(points, -1) - points
        following = rolled(step, -1)
        left = step[:, 0] * following[:, 1] - step[:, 1] * following[:, 0] > 0  # turn at the end of each edge
        tooth = (left != rolled(left, 1)) & (np.hypot(*step.T) < _TOOTH * tolerance)
        if np.all([rolled(tooth, shift) for shift in range(_TEETH)], axis=0).any():
            return True
    return False


def reaches(polygon: shapely.Polygon, min_area: float) -> bool:
    """Return whether a polygon still has a minimum area, m², after its coordinates are rounded."""
    return bool(polygon.area >= min_area * (1 + _ROUNDING))


def intersection_over_union(one: shapely.Polygon, other: shapely.Polygon) -> float:
    """Return the intersection over union of two valid polygons."""
    shared = shared_area(one, other)
    return shared / (float(shapely.area(one)) + float(shapely.area(other)) - shared)


def _corners(points: Array, tolerance: float) -> npt.NDArray[np.int64]:
    """Return the corners of a ring; at least three, where it has as many."""
    for straight in _STRAIGHTNESS:
        corners = corner_indices(points, straight * tolerance)
        if len(corners) > 3:
            break
    return corners


def _fit(fit: Fit, ring: Array, tolerance: float, diagonals: bool) -> tuple[Array, float]:
    """Return a fitted ring, or a rectangle of the same area where too few edges are left."""
    found = fit(ring, tolerance, diagonals)
    return (equivalent_rectangle(ring), 1.0) if found is None or len(found[0]) < 4 else found


def _polygon(fitted: list[tuple[Array, float]]) -> tuple[shapely.Polygon, float] | None:
    """Return the polygon of fitted rings, the first of them the shell, and its share; None if nothing is left."""
    share = fitted[0][1]
    polygon = shapely.polygons(fitted[0][0], holes=[shapely.linearrings(ring) for ring, _ in fitted[1:]] or None)
    if shapely.is_valid(polygon):
        return polygon, share
    # A shell that crosses itself is repaired; its largest part has the same walls.
    shell = largest_polygon(shapely.make_valid(shapely.polygons(fitted[0][0])))
    holes = shapely.union_all([shapely.make_valid(shapely.polygons(ring)) for ring, _ in fitted[1:]])
    whole = None if shell is None else largest_polygon(shapely.difference(shell, holes))
    return None if whole is None else (whole, share)


def polygons_only(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    """Return the polygons of a geometry; overlays may also leave lines and points where shapes touch."""
    parts = shapely.get_parts(geometry)
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def largest_polygon(geometry: shapely.Geometry) -> shapely.Polygon | None:
    """Return the largest polygon of a geometry; None if there is none."""
    return max(shapely.get_parts(polygons_only(geometry)), key=lambda part: float(part.area), default=None)
