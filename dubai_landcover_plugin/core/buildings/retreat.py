"""Moves walls of a polygon inwards, so that it leaves given areas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.linked_ring import rolled
from dubai_landcover_plugin.core.buildings.outlines import largest_polygon

Array = npt.NDArray[np.float64]

Polygons = npt.NDArray[np.object_]
Move = tuple[int, float, int]
"""Number of a wall, distance inwards, number of the area that it leaves."""

_TOUCH = 1e-6
"""Distance up to which an area touches a wall, relative to the polygon's size."""
_GRID = 5.0
"""Grid on which areas are cut out, margins."""
_HULL_MARGIN = 10.0
"""Distance to areas that are cut out, margins."""
_SPIKE = 0.996
"""Cosine of the angle, 5°, below which a vertex is a spike."""
_FLAT = 0.05
"""Sine of the angle below which the walls at a vertex count as parallel."""


def retreat(polygon: shapely.Polygon, parts: Polygons, margin: float) -> shapely.Polygon | None:
    """Return a polygon whose walls have moved inwards, parallel to themselves, until they leave some areas.

    For each area, the wall beside it that loses the least is moved. Where that would turn other walls round, the
    rectangle around the area is cut out instead.

    Returns:
        A valid polygon with the same number of holes, or None.

    Args:
        polygon: A polygon.
        parts: (K,) areas inside it, at its border.
        margin: Additional distance.
    """
    rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(polygon)]
    normals = [_inner_normals(ring, number == 0) for number, ring in enumerate(rings)]
    moves, cut = _choose_walls(rings, normals, parts, margin)
    found, accepted = _accept(rings, normals, polygon, [], moves)
    cut += sorted({move[2] for move in moves} - {move[2] for move in accepted})
    if cut:
        hulls = shapely.oriented_envelope(parts[cut])
        hulls = shapely.buffer(hulls, _HULL_MARGIN * margin, join_style="mitre")
        # On a grid no short edges and no spikes are left.
        grid = _GRID * margin
        found = largest_polygon(shapely.difference(found, shapely.union_all(hulls), grid_size=grid))
        found = None if found is None else largest_polygon(shapely.set_precision(without_spikes(found), grid))
    sound = found is not None and len(found.interiors) == len(polygon.interiors) and shapely.is_valid(found)
    return found if sound else None


def without_spikes(polygon: shapely.Polygon) -> shapely.Polygon:
    """Return a polygon without the vertices at which its outline turns back; it may be invalid."""
    rings = []
    for ring in shapely.get_rings(polygon):
        points, count = shapely.get_coordinates(ring)[:-1], 0
        while count != len(points) > 3:
            count = len(points)
            before, after = points - rolled(points, 1), rolled(points, -1) - points
            cosine = (before * after).sum(axis=1) / (np.hypot(*before.T) * np.hypot(*after.T))
            points = points[cosine > -_SPIKE]
        if len(points) > 2:
            rings.append(shapely.linearrings(points))
    return shapely.polygons(rings[0], holes=rings[1:] or None) if rings else shapely.Polygon()


def _choose_walls(
    rings: list[Array], normals: list[Array], parts: Polygons, margin: float
) -> tuple[list[Move], list[int]]:
    """Choose the wall to move for each area.

    Returns:
        Number of the wall, distance, number of the area, for each that has a wall beside it; numbers of the others.
    """
    starts, inner = np.concatenate(rings), np.concatenate(normals)
    ends = np.concatenate([rolled(ring, -1) for ring in rings])
    lengths = np.hypot(*(ends - starts).T)
    tree = shapely.STRtree(shapely.linestrings(np.stack([starts, ends], axis=1)))
    touch = _TOUCH * float(np.ptp(starts, axis=0).max())
    met, walls = tree.query(parts, "dwithin", touch)
    moves, cut = [], []
    for number, part in enumerate(parts):
        beside = walls[met == number]
        if not len(beside):
            cut.append(number)
            continue
        corners = shapely.get_coordinates(part)
        inside = ((corners[None] - starts[beside, None]) * inner[beside, None]).sum(axis=2).max(axis=1) + margin
        best = int((inside * lengths[beside]).argmin())
        moves.append((int(beside[best]), float(inside[best]), number))
    return moves, cut


def _accept(
    rings: list[Array], normals: list[Array], polygon: shapely.Polygon, accepted: list[Move], moves: list[Move]
) -> tuple[shapely.Polygon, list[Move]]:
    """Add the moves that leave a valid polygon to those accepted, found by bisection.

    Args:
        rings: Rings of the polygon before all moves.
        normals: Normals of their edges.
        polygon: The polygon after the accepted moves.
        accepted: Accepted moves.
        moves: Moves to add.

    Returns:
        The polygon and the accepted moves.
    """
    if not moves:
        return polygon, accepted
    found = _moved(rings, normals, [*accepted, *moves])
    if found is not None:
        return found, [*accepted, *moves]
    if len(moves) == 1:
        return polygon, accepted
    middle = len(moves) // 2
    polygon, accepted = _accept(rings, normals, polygon, accepted, moves[:middle])
    return _accept(rings, normals, polygon, accepted, moves[middle:])


def _moved(rings: list[Array], normals: list[Array], moves: list[Move]) -> shapely.Polygon | None:
    """Return the polygon with walls moved inwards; None if a wall would turn round or it would be invalid."""
    depths = np.zeros(sum(map(len, rings)))
    for wall, depth, _ in moves:
        depths[wall] = max(depths[wall], depth)
    moved, first = [], 0
    for ring, normal in zip(rings, normals, strict=True):
        shifted = _shift(ring, normal, depths[first : first + len(ring)])
        if shifted is None:
            return None
        moved.append(shifted)
        first += len(ring)
    polygon = shapely.polygons(moved[0], holes=[shapely.linearrings(ring) for ring in moved[1:]] or None)
    return polygon if shapely.is_valid(polygon) else None


def _inner_normals(ring: Array, is_shell: bool) -> Array:
    """Return unit normals of the edges of an open ring, (N, 2), to the inner side of its polygon."""
    steps = rolled(ring, -1) - ring
    sign = 1.0 if shapely.is_ccw(shapely.linearrings(ring)) == is_shell else -1.0
    normals: Array = (
        np.column_stack([-steps[:, 1], steps[:, 0]]) * (sign / np.maximum(np.hypot(*steps.T), 1e-12))[:, None]
    )
    return normals


def _shift(ring: Array, normals: Array, depths: Array) -> Array | None:
    """Return a ring, (N, 2), whose walls are moved along their normals; None if a wall would turn round."""
    if not depths.any():
        return ring
    offsets = (ring * normals).sum(axis=1) + depths
    before, normals_before = rolled(offsets, 1), rolled(normals, 1)
    cross = normals_before[:, 0] * normals[:, 1] - normals_before[:, 1] * normals[:, 0]
    flat = np.abs(cross) < _FLAT
    safe = np.where(flat, 1.0, cross)
    x = (before * normals[:, 1] - offsets * normals_before[:, 1]) / safe
    y = (offsets * normals_before[:, 0] - before * normals[:, 0]) / safe
    # Where walls are parallel, the vertex moves along the normal by the larger distance.
    along = ring + normals * np.maximum(depths, rolled(depths, 1))[:, None]
    moved = np.where(flat[:, None], along, np.column_stack([x, y]))
    unmoved = (depths == 0) & (rolled(depths, 1) == 0)
    moved[unmoved] = ring[unmoved]
    steps, given = rolled(moved, -1) - moved, rolled(ring, -1) - ring
    return moved if ((steps * given).sum(axis=1) > 0).all() else None
