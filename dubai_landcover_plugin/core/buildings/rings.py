"""Rings whose edges follow few directions: right angles, or half of them too."""

from __future__ import annotations

import heapq
import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

Array = npt.NDArray[np.float64]
Corner = tuple[float, float]

_EIGHTH = math.pi / 4
_DIAGONAL_BAND = math.radians(15)
_DIAGONAL_LENGTH = 4.0
"""Shortest edge that may become diagonal, tolerances."""
_CORNER = 2.0
"""Side of the square up to which a corner is filled or cut, tolerances."""
_MOST_POINTS = 200_000
"""About how many points are added to a ring, however small the tolerance."""
_STEPPED = 4
"""Short edges of a corner that was rounded over two steps."""
_STEPS_EXTENT = 4.0
"""How far such a corner may reach along its walls, tolerances."""
_AXES = [(math.cos(k * _EIGHTH), math.sin(k * _EIGHTH)) for k in range(4)]


def densify(ring: Array, step: float) -> Array:
    """Return an open ring (N, 2) with no edge longer than ``step``, as far as memory allows, starting at a corner.

    A corner is where simplification must not cut: the vertex that is farthest from the middle.
    """
    far = int(np.hypot(*(ring - ring.mean(axis=0)).T).argmax())
    turned = np.roll(ring, -far, axis=0)
    closed = shapely.linestrings(np.vstack([turned, turned[:1]]))
    longest = max(step, float(shapely.length(closed)) / _MOST_POINTS)
    points: Array = shapely.get_coordinates(shapely.segmentize(closed, longest))[:-1]
    return points


def corner_indices(points: Array, tolerance: float) -> npt.NDArray[np.int64]:
    """Return where the corners of a densified ring are (Douglas–Peucker); the first is 0, and len(points) the last."""
    closed = np.vstack([points, points[:1]])
    corners = shapely.get_coordinates(shapely.simplify(shapely.linestrings(closed), tolerance, preserve_topology=False))
    kept = np.isin(points[:, 0] + 1j * points[:, 1], corners[:, 0] + 1j * corners[:, 1])
    return np.append(np.flatnonzero(kept), len(points))


def regular_ring(points: Array, tolerance: float, diagonals: bool) -> Array | None:
    """Return a ring with right angles, (M, 2), that follows a densified one.

    Edges become lines along the axes where they leave the same area on both sides of the outline. Then lines shorter
    than the tolerance go: their neighbours are merged, in proportion to their lengths, or meet. So do the small steps
    that rounded corners leave.

    Args:
        points: (N, 2) open ring in the frame of the building's walls, at most half a tolerance apart.
        tolerance: Shortest edge, in units of the ring.
        diagonals: Whether edges may also run at 45°.

    Returns:
        None where nothing with an area is left.
    """
    lines = _sharpened(_reduced(_fitted_lines(points, tolerance, diagonals), tolerance), tolerance)
    if len(lines) < 4:
        return None
    return np.array([_meet(line, after) for line, after in pairwise([*lines, lines[0]])])


def rectangle(points: Array) -> Array:
    """Return the rectangle along the axes, (4, 2), of a ring's middle, area and ratio of sides."""
    polygon = shapely.polygons(points)
    size = np.ptp(points, axis=0)
    half = size / 2 * math.sqrt(shapely.area(polygon) / size.prod())
    middle = shapely.get_coordinates(shapely.centroid(polygon))[0]
    corners: Array = middle + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return corners


Line = tuple[int, float]
"""Direction, in eighths of a turn from the x axis, and signed distance from the origin, to the left of it."""


def _meet(one: Line, other: Line) -> Corner:
    """Return where two lines that are not parallel cross."""
    (ax, ay), (bx, by) = _AXES[one[0]], _AXES[other[0]]
    a, b = one[1], other[1]
    turn = ax * by - ay * bx
    return (bx * a - ax * b) / turn, (by * a - ay * b) / turn


def _fitted_lines(points: Array, tolerance: float, diagonals: bool) -> list[Line]:
    """Return the lines of a ring's edges; neighbours are not parallel."""
    corners = corner_indices(points, tolerance / 2)
    starts, directions = _pieces(points, corners, tolerance, diagonals)
    closed = np.vstack([points, points[:1]])
    ends = np.append(starts[1:], len(points))
    offsets = np.zeros(len(starts))
    for direction in np.unique(directions):
        own = directions == direction
        offsets[own] = _offsets(closed, starts[own], ends[own], int(direction), tolerance)
    lines: list[Line] = []
    for index, direction in enumerate(directions.tolist()):
        if directions[index - 1] == direction:
            lines.append(_across(direction, closed[starts[index]]))
        lines.append((direction, float(offsets[index])))
    return lines


def _pieces(
    points: Array, corners: npt.NDArray[np.int64], tolerance: float, diagonals: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut a ring at its corners, and slanting edges into steps; return where pieces start and their directions."""
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


def _offsets(
    closed: Array, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], direction: int, tolerance: float
) -> Array:
    """Return the lines' distances from the origin that leave equal areas of the outline on both sides."""
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


def _across(direction: int, point: Array) -> Line:
    """Return the line through a point at a right angle to a direction."""
    turned = (direction + 2) % 4
    cos, sin = _AXES[turned]
    return turned, float(-sin * point[0] + cos * point[1])


class _Loop:
    """Lines around a ring, of which the shortest go until all are long enough."""

    def __init__(self, lines: list[Line]) -> None:
        count = len(lines)
        self.lines = lines
        self.before = [(i - 1) % count for i in range(count)]
        self.after = [(i + 1) % count for i in range(count)]
        self.left = count
        self.gone = [False] * count

    def length(self, i: int) -> float:
        """Return the length of the edge on line i."""
        line, before, after = self.lines[i], self.lines[self.before[i]], self.lines[self.after[i]]
        if before[0] == after[0] and abs(before[0] - line[0]) == 2:
            return abs(after[1] - before[1])
        (x1, y1), (x2, y2) = _meet(before, line), _meet(line, after)
        return math.hypot(x2 - x1, y2 - y1)

    def unlink(self, i: int) -> None:
        """Take line i out."""
        before, after = self.before[i], self.after[i]
        self.after[before], self.before[after] = after, before
        self.gone[i] = True
        self.left -= 1

    def remaining(self) -> list[Line]:
        """Return the lines that were not taken out, in their order."""
        return [line for line, gone in zip(self.lines, self.gone, strict=True) if not gone]


def _reduced(lines: list[Line], tolerance: float) -> list[Line]:
    """Return the lines that are left when no edge is shorter than the tolerance, cheapest change first."""
    loop = _Loop(list(lines))
    queue: list[tuple[float, int, bool]] = []
    longest = 1.5 * _CORNER * tolerance

    def put(i: int) -> None:
        own = loop.length(i)
        if own < tolerance:
            heapq.heappush(queue, (own, i, False))
        if own < longest:
            cost = _corner_cost(loop, i, longest)
            if cost < tolerance:
                heapq.heappush(queue, (cost, i, True))

    for i in range(len(lines)):
        put(i)
    while queue and loop.left > 4:
        cost, i, is_corner = heapq.heappop(queue)
        if loop.gone[i] or (_corner_cost(loop, i, longest) if is_corner else loop.length(i)) != cost:
            continue  # it has changed since
        if (_drop_corner if is_corner else _drop)(loop, i):
            near = loop.before[i]  # of a line that is gone, still the one that has changed
            for line in (loop.before[loop.before[near]], loop.before[near], near, loop.after[near]):
                put(line)
    return loop.remaining()


def _sharpened(lines: list[Line], tolerance: float) -> list[Line]:
    """Return the lines without the two steps that a widely rounded corner leaves between two long edges."""
    count = len(lines)
    corners = np.array([_meet(lines[i - 1], lines[i]) for i in range(count)])  # where each line starts
    lengths = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    short = lengths < _STEPS_EXTENT * tolerance
    rows = np.stack([np.roll(short, -k) for k in range(1, _STEPPED + 1)]).all(axis=0)
    gone: set[int] = set()
    for i in np.flatnonzero(rows & ~short).tolist() if count >= 2 * _STEPPED else []:
        steps = [(i + k) % count for k in range(1, _STEPPED + 1)]
        first, last = i, (i + _STEPPED + 1) % count
        if gone & {first, *steps, last} or abs(lines[first][0] - lines[last][0]) != 2:
            continue
        ways = np.diff(corners[[*steps, last]], axis=0)
        across = ways.sum(axis=0) @ np.array(_AXES[lines[first][0]]), ways.sum(axis=0) @ np.array(_AXES[lines[last][0]])
        one_way = np.abs(across).sum() > lengths[steps].sum() - 1e-9  # no step leads back
        largest = min(_STEPS_EXTENT * tolerance, lengths[first] / 2, lengths[last] / 2)
        if one_way and np.abs(across).max() < largest:
            gone.update(steps)
    return [line for i, line in enumerate(lines) if i not in gone]


def _corner_cost(loop: _Loop, i: int, longest: float) -> float:
    """Return the size of the step that line i and the next make, the side of a square as large; infinite if none.

    The two must be shorter than ``longest`` and than half of the lines beside them: longer ones are no rounded corner.
    """
    after = loop.after[i]
    lines, before, beyond = loop.lines, loop.before[i], loop.after[after]
    if lines[before][0] != lines[after][0] or lines[i][0] != lines[beyond][0]:
        return math.inf
    ahead = loop.length(after)
    if ahead >= longest:
        return math.inf
    own = loop.length(i)
    side = 2 * max(own, ahead)
    if side >= 2 * longest or side > loop.length(before) or side > loop.length(beyond):
        return math.inf
    return math.sqrt(own * ahead) / _CORNER


def _drop(loop: _Loop, i: int) -> bool:
    """Take a line out; parallel neighbours become one. Return whether enough lines are left to do so."""
    before, after = loop.before[i], loop.after[i]
    (direction, one), (other_direction, other) = loop.lines[before], loop.lines[after]
    if direction == other_direction:
        if loop.left < 6:
            return False
        a, b = loop.length(before), loop.length(after)
        loop.lines[before] = (direction, (one * a + other * b) / (a + b) if a + b else one)
        loop.unlink(after)
    loop.unlink(i)
    return True


def _drop_corner(loop: _Loop, i: int) -> bool:
    """Take a line and the next out, so that their neighbours meet; return whether enough lines are left to do so."""
    if loop.left < 6:
        return False
    loop.unlink(loop.after[i])
    loop.unlink(i)
    return True
