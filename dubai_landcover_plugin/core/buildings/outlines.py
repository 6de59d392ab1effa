"""Outlines of buildings with right angles, as close to the given ones as was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.direction import main_direction
from dubai_landcover_plugin.core.buildings.local_frame import Frame
from dubai_landcover_plugin.core.buildings.rings import corner_indices, densify, rectangle, regular_ring

Array = npt.NDArray[np.float64]

_LEVELS = (1.0, 0.7, 0.5)
"""Tolerances that are tried one after the other, parts of the one given."""
_STRAIGHT = (0.75, 0.2, 0.0)
"""How far a wall of which the direction is measured may be from straight, tolerances; the first that leaves walls."""


def along_walls(polygon: shapely.Polygon, frame: Frame, tolerance: float) -> Frame:
    """Return the frame turned so that its axes follow the walls of a building."""
    points = densify(frame.into(shapely.get_coordinates(polygon.exterior)[:-1]), tolerance / 2)
    for straight in _STRAIGHT:
        corners = corner_indices(points, straight * tolerance)
        if len(corners) > 3:
            break
    return replace(frame, angle=frame.angle + main_direction(points, corners))


def regular_outline(
    polygon: shapely.Polygon, frame: Frame, tolerance: float, diagonals: bool, min_iou: float
) -> tuple[shapely.Polygon, float] | None:
    """Return an outline with right angles and its IoU with the polygon; None where there is none close enough.

    Lower tolerances are tried where the first one changes too much. What is returned is valid and has as many holes.

    Args:
        polygon: A valid polygon in the CRS.
        frame: Along its walls.
        tolerance: Shortest edge, m.
        diagonals: Whether edges may also run at 45°.
        min_iou: Smallest intersection over union of both.
    """
    rings = [frame.into(shapely.get_coordinates(ring)[:-1]) for ring in shapely.get_rings(polygon)]
    before = shapely.transform(polygon, frame.into)
    for level in _LEVELS:
        regular = _build(rings, tolerance * level, diagonals)
        if regular is None or len(regular.interiors) != len(rings) - 1:
            continue
        placed = shapely.transform(regular, frame.back)
        if not shapely.is_valid(placed):
            continue
        iou = overlap_ratio(before, regular)
        if iou >= min_iou:
            return placed, iou
    return None


def overlap_ratio(one: shapely.Polygon, other: shapely.Polygon) -> float:
    """Return the intersection over union of two valid polygons."""
    shared = float(shapely.area(shapely.intersection(one, other)))
    return shared / (float(shapely.area(one)) + float(shapely.area(other)) - shared)


def _build(rings: list[Array], tolerance: float, diagonals: bool) -> shapely.Polygon | None:
    """Return the polygon of regular rings, the first its shell; None where nothing is left."""
    fitted = [_fit(ring, tolerance, diagonals) for ring in rings]
    built = shapely.polygons(fitted[0], holes=[shapely.linearrings(ring) for ring in fitted[1:]] or None)
    if shapely.is_valid(built):
        return built
    # Where an outline crosses itself, the part that is left has right angles as well.
    shell = largest_polygon(shapely.make_valid(shapely.polygons(fitted[0])))
    holes = shapely.union_all([shapely.make_valid(shapely.polygons(ring)) for ring in fitted[1:]])
    return None if shell is None else largest_polygon(shapely.difference(shell, holes))


def _fit(ring: Array, tolerance: float, diagonals: bool) -> Array:
    points = densify(ring, tolerance / 2)
    fitted = regular_ring(points, tolerance, diagonals)
    return rectangle(points) if fitted is None or len(fitted) < 4 else fitted


def polygons_only(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    """Return the polygons of a geometry; cutting may leave lines and points where shapes touch."""
    parts = shapely.get_parts(geometry)
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def largest_polygon(geometry: shapely.Geometry) -> shapely.Polygon | None:
    """Return the largest polygon of a geometry; None without one."""
    return max(shapely.get_parts(polygons_only(geometry)), key=lambda part: float(part.area), default=None)
