"""Splits touching buildings at necks, by morphological opening."""

from __future__ import annotations

import numpy as np
import shapely

from dubai_landcover_plugin.core.buildings.outlines import largest_polygon, polygons_only

_STEPS = (0.25, 0.5, 0.75, 1.0)
"""Widths that are tried, as fractions of the given one: the narrowest necks are cut first."""
_SIMPLIFICATION = 0.1
"""Tolerance of the simplified outline that is eroded, which is faster; fraction of the width."""

_GRID = 1e-4
"""Precision of the overlay, m: parts are snapped to a grid, so that neighbours share their border exactly."""
_ROUNDING = 1e-5
"""Largest fraction of the area that may be lost by rounding."""


def split_at_necks(polygon: shapely.Polygon, width: float, min_area: float) -> list[shapely.Polygon]:
    """Split a polygon at its necks.

    Morphological opening: the polygon is eroded by half the width; if it separates, the cores are dilated again. Areas
    that no core covers, such as the neck itself, are added to the part with the longest common border.

    Args:
        polygon: A valid polygon, m.
        width: Largest width of a neck, m.
        min_area: Smallest area of a part, m²; smaller parts are not split off.

    Returns:
        At least one valid polygon; their union is the given polygon.
    """
    parts = [polygon]
    for step in _STEPS:
        parts = [small for part in parts for small in _split(part, step * width, min_area)]
    return parts


def _split(polygon: shapely.Polygon, width: float, min_area: float) -> list[shapely.Polygon]:
    """Split a polygon at necks of one width."""
    if polygon.area < 2 * min_area:
        return [polygon]
    eroded = shapely.buffer(shapely.simplify(polygon, _SIMPLIFICATION * width), -width / 2, join_style="mitre")
    if eroded.geom_type != "MultiPolygon":
        return [polygon]
    cores = shapely.buffer(shapely.get_parts(eroded), width / 2, join_style="mitre")
    cores = sorted(cores[shapely.area(cores) >= min_area], key=lambda core: -float(core.area))
    # Cut the cores out of the polygon, the largest first; they may overlap.
    rest = polygons_only(shapely.set_precision(polygon, _GRID))
    parts: list[shapely.Polygon] = []
    for core in cores:
        part = largest_polygon(shapely.intersection(rest, core, grid_size=_GRID))
        if part is not None and part.area >= min_area:
            parts.append(part)
            rest = polygons_only(shapely.difference(rest, part, grid_size=_GRID))
    return _assign_remainder(parts, rest, polygon) if len(parts) > 1 else [polygon]


def _assign_remainder(
    parts: list[shapely.Polygon], rest: shapely.Geometry, polygon: shapely.Polygon
) -> list[shapely.Polygon]:
    """Add each piece of the remainder to an adjacent part; return the unsplit polygon if the parts do not add up."""
    pieces = shapely.get_parts(rest)
    pieces = pieces[shapely.area(pieces) > 0]
    shapely.prepare(parts)
    # A piece that touches several parts goes to the one with the longest common border.
    beside = np.array([shapely.intersects(part, pieces) for part in parts])  # (part, piece)
    shared = beside.astype(np.float64)
    unclear = beside.sum(axis=0) > 1
    for index, part in enumerate(parts):
        near = unclear & beside[index]
        shared[index, near] = shapely.length(shapely.intersection(part, pieces[near]))
    owner = shared.argmax(axis=0)
    groups = [[part, *pieces[owner == index]] for index, part in enumerate(parts)]
    whole = [shapely.union_all(group, grid_size=_GRID) for group in groups]
    if any(part.geom_type != "Polygon" or not part.is_valid for part in whole):
        return [polygon]
    lost = polygon.area - sum(float(part.area) for part in whole)
    return whole if abs(lost) <= _ROUNDING * polygon.area else [polygon]
