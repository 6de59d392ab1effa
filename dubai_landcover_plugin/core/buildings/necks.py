"""Touching buildings parted where their common outline narrows."""

from __future__ import annotations

import numpy as np
import shapely

from dubai_landcover_plugin.core.buildings.outlines import largest_polygon, polygons_only

_STEPS = (0.25, 0.5, 0.75, 1.0)
"""Widths at which an outline is tried, parts of the one given: the narrowest necks are cut first."""
_PIXEL_STAIRS = 0.1
"""How far a simpler outline, which is faster to erode, may be from the one given; part of the width."""

_GRID = 1e-4
"""Grid on which parts are cut, m: without it, neighbours would miss each other by rounding."""
_ROUNDING = 1e-5
"""Part of the area that may be lost between parts."""


def split_at_necks(polygon: shapely.Polygon, width: float, min_area: float) -> list[shapely.Polygon]:
    """Return the parts of a polygon between necks.

    The polygon is eroded until it falls apart, and the parts grow back. What none of them reaches, such as the neck
    itself, goes to the part with which it shares most of its outline.

    Args:
        polygon: A valid polygon, m.
        width: Widest neck, m.
        min_area: Smallest part, m²; a smaller one stays with its neighbour.

    Returns:
        At least one valid polygon; together they are the one given.
    """
    parts = [polygon]
    for step in _STEPS:
        parts = [small for part in parts for small in _split(part, step * width, min_area)]
    return parts


def _split(polygon: shapely.Polygon, width: float, min_area: float) -> list[shapely.Polygon]:
    if polygon.area < 2 * min_area:
        return [polygon]
    eroded = shapely.buffer(shapely.simplify(polygon, _PIXEL_STAIRS * width), -width / 2, join_style="mitre")
    if eroded.geom_type != "MultiPolygon":
        return [polygon]
    grown = shapely.buffer(shapely.get_parts(eroded), width / 2, join_style="mitre")
    grown = sorted(grown[shapely.area(grown) >= min_area], key=lambda core: -float(core.area))
    rest = polygons_only(shapely.set_precision(polygon, _GRID))
    parts: list[shapely.Polygon] = []
    for core in grown:
        part = largest_polygon(shapely.intersection(rest, core, grid_size=_GRID))
        if part is not None and part.area >= min_area:
            parts.append(part)
            rest = polygons_only(shapely.difference(rest, part, grid_size=_GRID))
    return _with_rest(parts, rest, polygon) if len(parts) > 1 else [polygon]


def _with_rest(parts: list[shapely.Polygon], rest: shapely.Geometry, polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """Give what no part has to the parts beside it; return the whole polygon where they do not make it up again."""
    pieces = shapely.get_parts(rest)
    pieces = pieces[shapely.area(pieces) > 0]
    shapely.prepare(parts)
    beside = np.array([shapely.intersects(part, pieces) for part in parts])  # (part, piece)
    shared = beside.astype(np.float64)
    unclear = beside.sum(axis=0) > 1
    for index, part in enumerate(parts):
        near = unclear & beside[index]
        shared[index, near] = shapely.length(shapely.intersection(part, pieces[near]))
    owner = shared.argmax(axis=0)
    own = [[part, *pieces[owner == index]] for index, part in enumerate(parts)]
    whole = [shapely.union_all(group, grid_size=_GRID) for group in own]
    if any(part.geom_type != "Polygon" or not part.is_valid for part in whole):
        return [polygon]
    lost = polygon.area - sum(float(part.area) for part in whole)
    return whole if abs(lost) <= _ROUNDING * polygon.area else [polygon]
