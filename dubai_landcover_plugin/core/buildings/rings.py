"""Rectilinear rings: edges along the axes of a frame, or at 45° to them too.

The method has three steps:

1. The ring is cut at its corners (Douglas–Peucker), and each piece becomes a line along an axis, placed so that equal
   areas of the original outline are on both sides of it.
2. Edges shorter than the tolerance are removed, cheapest change first.
3. Corners that were rounded over two steps are restored.
"""

from __future__ import annotations

import heapq
import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.linked_ring import LinkedRing

Array = npt.NDArray[np.float64]
Corner = tuple[float, float]

_EIGHTH = math.pi / 4
_DIAGONAL_BAND = math.radians(15)
"""Largest deviation from 45° of edges that become diagonal."""
_DIAGONAL_LENGTH = 4.0
"""Smallest length of edges that become diagonal, tolerances."""
_CORNER = 2.0
"""Side of the largest square that is filled or cut at a corner, tolerances."""
_MAX_POINTS = 200_000
"""Approximate limit of the points that are added to a ring, however small the tolerance."""
_STEP_EDGES = 4
"""Short edges of a corner that was rounded over two steps."""
_STEPS_EXTENT = 4.0
"""Largest extent of such a corner along either wall, tolerances."""
_AXES = [(math.cos(k * _EIGHTH), math.sin(k * _EIGHTH)) for k in range(4)]


def from_corner(ring: Array) -> Array:
    """Return an open ring, (M, 2), that starts at the vertex farthest from the mean, which is a corner.

    Douglas–Peucker never removes the first vertex.
    """
    farthest = int(np.hypot(*(ring - ring.mean(axis=0)).T).argmax())
    rolled: Array = np.concatenate([ring[farthest:], ring[:farthest]])
    return rolled


def densify(ring: Array, step: float) -> Array:
    """Return a ring from a corner on, with added vertices, so that no edge is longer than ``step``.

    Args:
        ring: (M, 2) open ring.
        step: Largest length of an edge; larger where the ring would get more than about 200,000 vertices.

    Returns:
        (N, 2) open ring.
    """
    rolled = from_corner(ring)
    closed = shapely.linestrings(np.vstack([rolled, rolled[:1]]))
    longest = max(step, float(shapely.length(closed)) / _MAX_POINTS)
    points: Array = shapely.get_coordinates(shapely.segmentize(closed, longest))[:-1]
    return points


def corner_indices(points: Array, tolerance: float) -> npt.NDArray[np.int64]:
    """Return the indices of the corners of a densified ring: the first is 0, the last is ``len(points)``.

    Args:
        points: (N, 2) open ring.
        tolerance: Of Douglas–Peucker simplification.

    Source:
        D. H. Douglas, T. K. Peucker 1973, Algorithms for the reduction of the number of points required to represent a
        digitized line or its caricature, https://doi.org/10.3138/FM57-6770-U75U-7727
    """
    # The index of each vertex is its third coordinate, which the simplification keeps.
    numbered = np.column_stack([np.vstack([points, points[:1]]), np.arange(len(points) + 1)])
    simple = shapely.simplify(shapely.linestrings(numbered), tolerance, preserve_topology=False)
    corners: npt.NDArray[np.int64] = shapely.get_coordinates(simple, include_z=True)[:, 2].astype(np.int64)
    return corners


def rectilinear_ring(points: Array, tolerance: float, diagonals: bool) -> Array | None:
    """Return a ring with right angles that follows a densified ring.

    Args:
        points: (N, 2) open ring in the frame of the walls, vertices at most half a tolerance apart.
        tolerance: Smallest length of an edge, in units of the ring.
        diagonals: Whether edges may also run at 45° to the axes.

    Returns:
        (M, 2) open ring; None if fewer than four edges are left.
    """
    lines = _fit_lines(points, tolerance, diagonals)
    lines = _remove_short_edges(lines, tolerance)
    lines = _restore_rounded_corners(lines, tolerance)
    if len(lines) < 4:
        return None
    return np.array([_intersect(line, following) for line, following in pairwise([*lines, lines[0]])])


def oblique_steps(points: Array, corners: npt.NDArray[np.int64], tolerance: float) -> int:
    """Return the number of vertices of the steps that a ring with right angles has in place of oblique edges.

    Edges that become one or two steps are not counted: these go where they are small.
    """
    extents = np.abs(np.diff(np.vstack([points, points[:1]])[corners], axis=0)).min(axis=1)
    return int(2 * np.maximum(np.ceil(extents / tolerance) - 2, 0).sum())


def equivalent_rectangle(points: Array) -> Array:
    """Return the axis-parallel rectangle, (4, 2), with the centroid, area and aspect ratio of a ring, (N, 2)."""
    polygon = shapely.polygons(points)
    size = np.ptp(points, axis=0)
    half = size / 2 * math.sqrt(shapely.area(polygon) / size.prod())
    centroid = shapely.get_coordinates(shapely.centroid(polygon))[0]
    corners: Array = centroid + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return corners


Line = tuple[int, float]
"""A line in Hesse normal form: direction in eighths of a turn from the x axis, 0..3, and signed distance from the
origin, positive to the left of the direction."""


def _intersect(one: Line, other: Line) -> Corner:
    """Return the intersection of two lines that are not parallel."""
    (ax, ay), (bx, by) = _AXES[one[0]], _AXES[other[0]]
    a, b = one[1], other[1]
    cross = ax * by - ay * bx
    return (bx * a - ax * b) / cross, (by * a - ay * b) / cross


def _fit_lines(points: Array, tolerance: float, diagonals: bool) -> list[Line]:
    """Return the lines of a ring's edges in their order; neighbours are not parallel."""
    corners = corner_indices(points, tolerance / 2)
    starts, directions = _cut_pieces(points, corners, tolerance, diagonals)
    closed = np.vstack([points, points[:1]])
    ends = np.append(starts[1:], len(points))
    offsets = np.zeros(len(starts))
    for direction in np.unique(directions):
        mask = directions == direction
        offsets[mask] = _equal_area_offsets(closed, starts[mask], ends[mask], int(direction), tolerance)
    lines: list[Line] = []
    for index, direction in enumerate(directions.tolist()):
        # Parallel neighbours are joined by a perpendicular line at their common point.
        if directions[index - 1] == direction:
            lines.append(_perpendicular(direction, closed[starts[index]]))
        lines.append((direction, float(offsets[index])))
    return lines


def _cut_pieces(
    points: Array, corners: npt.NDArray[np.int64], tolerance: float, diagonals: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut a ring at its corners, and oblique edges into steps of about a tolerance.

    Returns:
        (P,) index of the first point of each piece, and its direction as in :data:`Line`.
    """
    closed = np.vstack([points, points[:1]])
    starts: list[int] = []
    directions: list[int] = []
    for first, last in pairwise(corners.tolist()):
        dx, dy = (closed[last] - closed[first]).tolist()
        slant = math.atan2(dy, dx) % (2 * _EIGHTH)
        if diagonals and abs(slant - _EIGHTH) < _DIAGONAL_BAND and math.hypot(dx, dy) >= _DIAGONAL_LENGTH * tolerance:
            starts.append(first)
            directions.append(1 if dx * dy > 0 else 3)
            continue
        steps = min(max(math.ceil(min(abs(dx), abs(dy)) / tolerance), 1), last - first)
        starts += [first + (last - first) * step // steps for step in range(steps)]
        directions += [0 if abs(dx) >= abs(dy) else 2] * steps
    return np.array(starts, np.int64), np.array(directions, np.int64)


def _equal_area_offsets(
    closed: Array, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], direction: int, tolerance: float
) -> Array:
    """Return the offsets of lines that leave equal areas of the outline on both sides.

    The offset is the mean distance of the piece from the axis: the area under it (trapezoidal rule) divided by its
    extent. It is limited to a tolerance from the middle of both ends, as short pieces across the axis are ill-defined.
    """
    cos, sin = _AXES[direction]
    along, left = closed @ (cos, sin), closed @ (-sin, cos)
    area = np.append(0.0, np.cumsum(np.diff(along) * (left[1:] + left[:-1]) / 2))
    length = along[ends] - along[starts]
    middle = (left[ends] + left[starts]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = (area[ends] - area[starts]) / length
    fitted = np.where(np.isfinite(fitted), fitted, middle)
    limited: Array = np.clip(fitted, middle - tolerance, middle + tolerance)
    return limited


def _perpendicular(direction: int, point: Array) -> Line:
    """Return the line through a point at a right angle to a direction."""
    turned = (direction + 2) % 4
    cos, sin = _AXES[turned]
    return turned, float(-sin * point[0] + cos * point[1])


class _LineRing(LinkedRing):
    """Ring of lines, from which lines are removed; the length of an edge is measured once until a line changes."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__(len(lines))
        self.lines = lines
        self._lengths: list[float | None] = [None] * len(lines)

    def unlink(self, i: int) -> None:
        """Remove line i."""
        super().unlink(i)
        self._lengths[i] = self._lengths[self.previous[i]] = self._lengths[self.next[i]] = None

    def replace(self, i: int, line: Line) -> None:
        """Replace line i."""
        self.lines[i] = line
        self._lengths[i] = self._lengths[self.previous[i]] = self._lengths[self.next[i]] = None

    def length(self, i: int) -> float:
        """Return the length of the edge on line i, between its intersections with the lines beside it."""
        length = self._lengths[i]
        if length is None:
            length = self._lengths[i] = self._measure(i)
        return length

    def _measure(self, i: int) -> float:
        line, previous, following = self.lines[i], self.lines[self.previous[i]], self.lines[self.next[i]]
        if previous[0] == following[0] and abs(previous[0] - line[0]) == 2:  # perpendicular to two parallel lines
            return abs(following[1] - previous[1])
        (x1, y1), (x2, y2) = _intersect(previous, line), _intersect(line, following)
        return math.hypot(x2 - x1, y2 - y1)


def _remove_short_edges(lines: list[Line], tolerance: float) -> list[Line]:
    """Remove edges until none is shorter than the tolerance, cheapest change first.

    Two changes are candidates for each line: removing its edge, whose cost is its length, and removing the step that it
    forms with the next edge, see :func:`_step_cost`. A priority queue holds both; entries whose cost has changed since
    are skipped.
    """
    ring = _LineRing(list(lines))
    queue: list[tuple[float, int, bool]] = []  # cost, line, whether it is a step
    longest = 1.5 * _CORNER * tolerance

    def enqueue(i: int) -> None:
        length = ring.length(i)
        if length < tolerance:
            heapq.heappush(queue, (length, i, False))
        if length < longest:
            cost = _step_cost(ring, i, longest)
            if cost < tolerance:
                heapq.heappush(queue, (cost, i, True))

    for i in range(len(lines)):
        enqueue(i)
    while queue and ring.count > 4:
        cost, i, is_step = heapq.heappop(queue)
        if ring.removed[i] or (_step_cost(ring, i, longest) if is_step else ring.length(i)) != cost:
            continue  # outdated
        if (_remove_step if is_step else _remove_edge)(ring, i):
            near = ring.previous[i]  # the links of a removed line still lead to the line before it
            for line in (ring.previous[ring.previous[near]], ring.previous[near], near, ring.next[near]):
                enqueue(line)
    return [ring.lines[i] for i in ring.remaining()]


def _restore_rounded_corners(lines: list[Line], tolerance: float) -> list[Line]:
    """Remove the two steps that a widely rounded corner leaves between two long perpendicular edges.

    ::

        long edge ___                        ________
                     |_     4 short edges            |
                       |_                →           |
                         | long edge                 |
    """
    count = len(lines)
    corners = np.array([_intersect(lines[i - 1], lines[i]) for i in range(count)])  # start of each edge
    lengths = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    # Long edges that are followed by four short ones.
    short = lengths < _STEPS_EXTENT * tolerance
    steps_follow = np.stack([np.roll(short, -k) for k in range(1, _STEP_EDGES + 1)]).all(axis=0)
    removed: set[int] = set()
    for i in np.flatnonzero(steps_follow & ~short).tolist() if count >= 2 * _STEP_EDGES else []:
        steps = [(i + k) % count for k in range(1, _STEP_EDGES + 1)]
        first, last = i, (i + _STEP_EDGES + 1) % count
        if removed & {first, *steps, last} or abs(lines[first][0] - lines[last][0]) != 2:
            continue
        # The steps must be monotonic, and small compared with both edges.
        total = np.diff(corners[[*steps, last]], axis=0).sum(axis=0)
        extents = total @ np.array(_AXES[lines[first][0]]), total @ np.array(_AXES[lines[last][0]])
        monotonic = np.abs(extents).sum() > lengths[steps].sum() - 1e-9
        largest = min(_STEPS_EXTENT * tolerance, lengths[first] / 2, lengths[last] / 2)
        if monotonic and np.abs(extents).max() < largest:
            removed.update(steps)
    return [line for i, line in enumerate(lines) if i not in removed]


def _step_cost(ring: _LineRing, i: int, longest: float) -> float:
    """Return the cost of the step that line i and the next line form: the side of a square of its area, scaled.

    Infinite if both are not a step between parallel pairs of lines, or not shorter than ``longest`` and than half of
    the edges beside them: larger steps are part of the shape and not a rounded corner.
    """
    following = ring.next[i]
    lines, previous, beyond = ring.lines, ring.previous[i], ring.next[following]
    if lines[previous][0] != lines[following][0] or lines[i][0] != lines[beyond][0]:
        return math.inf
    next_length = ring.length(following)
    if next_length >= longest:
        return math.inf
    length = ring.length(i)
    side = 2 * max(length, next_length)
    if side >= 2 * longest or side > ring.length(previous) or side > ring.length(beyond):
        return math.inf
    return math.sqrt(length * next_length) / _CORNER


def _remove_edge(ring: _LineRing, i: int) -> bool:
    """Remove line i; parallel neighbours are merged, weighted by their lengths. Return whether enough lines are left.

    At least four lines must be left, so merging, which removes two, needs six.
    """
    previous, following = ring.previous[i], ring.next[i]
    (direction, one), (other_direction, other) = ring.lines[previous], ring.lines[following]
    if direction == other_direction:
        if ring.count < 6:
            return False
        a, b = ring.length(previous), ring.length(following)
        ring.replace(previous, (direction, (one * a + other * b) / (a + b) if a + b else one))
        ring.unlink(following)
    ring.unlink(i)
    return True


def _remove_step(ring: _LineRing, i: int) -> bool:
    """Remove line i and the next, so that their neighbours intersect. Return whether enough lines are left."""
    if ring.count < 6:
        return False
    ring.unlink(ring.next[i])
    ring.unlink(i)
    return True
