"""Regularizes the outline of one building, within a limit on how much it may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.direction import main_direction
from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame
from dubai_landcover_plugin.core.buildings.rings import corner_indices, densify, equivalent_rectangle, rectilinear_ring

Array = npt.NDArray[np.float64]

_LEVELS = (1.0, 0.7, 0.5)
"""Tolerances that are tried in turn, as fractions of the given one."""
_STRAIGHTNESS = (0.75, 0.2, 0.0)
"""Douglas–Peucker tolerances at which walls are found, as fractions of the given one; the first with 3 corners."""


def align_to_walls(polygon: shapely.Polygon, frame: LocalFrame, tolerance: float) -> LocalFrame:
    """Return the frame rotated so that its axes are along the walls of a building."""
    points = densify(frame.to_local(shapely.get_coordinates(polygon.exterior)[:-1]), tolerance / 2)
    for straight in _STRAIGHTNESS:
        corners = corner_indices(points, straight * tolerance)
        if len(corners) > 3:
            break
    return replace(frame, angle=frame.angle + main_direction(points, corners))


def regularize_outline(
    polygon: shapely.Polygon, frame: LocalFrame, tolerance: float, diagonals: bool, min_iou: float
) -> tuple[shapely.Polygon, float] | None:
    """Return an outline with right angles and its IoU with the given one; None if none is close enough.

    Lower tolerances are tried if the outline changes too much. The result is valid and has the same number of holes.

    Args:
        polygon: A valid polygon in the CRS.
        frame: Its frame, aligned to the walls.
        tolerance: Shortest edge, m.
        diagonals: Whether edges may also run at 45°.
        min_iou: Smallest intersection over union with the given polygon, 0..1.
    """
    rings = [frame.to_local(shapely.get_coordinates(ring)[:-1]) for ring in shapely.get_rings(polygon)]
    original = shapely.transform(polygon, frame.to_local)
    for level in _LEVELS:
        regular = _regular_polygon(rings, tolerance * level, diagonals)
        if regular is None or len(regular.interiors) != len(rings) - 1:
            continue
        outline = shapely.transform(regular, frame.to_crs)
        if not shapely.is_valid(outline):
            continue
        iou = intersection_over_union(original, regular)
        if iou >= min_iou:
            return outline, iou
    return None


def intersection_over_union(one: shapely.Polygon, other: shapely.Polygon) -> float:
    """Return the intersection over union of two valid polygons."""
    shared = float(shapely.area(shapely.intersection(one, other)))
    return shared / (float(shapely.area(one)) + float(shapely.area(other)) - shared)


def _regular_polygon(rings: list[Array], tolerance: float, diagonals: bool) -> shapely.Polygon | None:
    """Return the polygon of regularized rings, the first of them the shell; None if nothing is left."""
    fitted = [_regularize_ring(ring, tolerance, diagonals) for ring in rings]
    polygon = shapely.polygons(fitted[0], holes=[shapely.linearrings(ring) for ring in fitted[1:]] or None)
    if shapely.is_valid(polygon):
        return polygon
    # A shell that crosses itself is repaired; its largest part has right angles as well.
    shell = largest_polygon(shapely.make_valid(shapely.polygons(fitted[0])))
    holes = shapely.union_all([shapely.make_valid(shapely.polygons(ring)) for ring in fitted[1:]])
    return None if shell is None else largest_polygon(shapely.difference(shell, holes))


def _regularize_ring(ring: Array, tolerance: float, diagonals: bool) -> Array:
    """Return the rectilinear ring, or a rectangle of the same area where too few edges are left."""
    points = densify(ring, tolerance / 2)
    fitted = rectilinear_ring(points, tolerance, diagonals)
    return equivalent_rectangle(points) if fitted is None or len(fitted) < 4 else fitted


def polygons_only(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    """Return the polygons of a geometry; overlays may also leave lines and points where shapes touch."""
    parts = shapely.get_parts(geometry)
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def largest_polygon(geometry: shapely.Geometry) -> shapely.Polygon | None:
    """Return the largest polygon of a geometry; None if there is none."""
    return max(shapely.get_parts(polygons_only(geometry)), key=lambda part: float(part.area), default=None)
