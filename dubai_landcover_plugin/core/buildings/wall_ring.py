"""Rings of straight walls: right angles where the outline has them, chords where it is curved.

The method has three steps:

1. The ring is cut at its corners (Douglas–Peucker); each piece becomes a wall, see :mod:`.walls`.
2. Walls shorter than the tolerance are removed, cheapest change first.
3. Corners that were rounded are restored.
"""

from __future__ import annotations

import heapq
import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.buildings.linked_ring import LinkedRing, rolled
from dubai_landcover_plugin.core.buildings.walls import FREE, Wall, fit_walls

Array = npt.NDArray[np.float64]
Point = tuple[float, float]

_CORNER = 2.0
"""Side of the largest square that is filled or cut at a corner, tolerances."""
_CORNER_WALLS = 4
"""Largest number of walls of a corner that was rounded."""
_CORNER_EXTENT = 6.0
"""Largest extent of such a corner along either wall, tolerances."""
_NEAR = 2.0
"""Distance of a vertex from the outline's corner that is always accepted, tolerances."""
_FLAT = 0.17
"""Sine of the angle below which walls count as one."""


def wall_ring(
    points: Array, corners: npt.NDArray[np.int64], tolerance: float, diagonals: bool
) -> tuple[Array, float] | None:
    """Return a ring of straight walls that follows a ring.

    Args:
        points: (N, 2) open ring in the frame of the main direction.
        corners: (M + 1,) int64, indices of its corners, see :func:`corner_indices`.
        tolerance: Smallest length of a wall, in units of the ring.
        diagonals: Whether walls at about 45° to the axes become diagonal.

    Returns:
        (K, 2) open ring, and the share of its length along right-angled axes; None if fewer than three walls are left.
    """
    ring = _WallRing(fit_walls(points, corners, tolerance, diagonals), tolerance)
    ring.remove_short()
    ring.square_corners()
    walls = ring.remaining()
    if len(walls) < 3:
        return None
    vertices = np.array([ring.vertex[i] for i in walls])
    lengths = np.hypot(*(vertices - rolled(vertices, 1)).T)
    along = np.array([ring.walls[i].code != FREE for i in walls])
    return vertices, float(lengths[along].sum() / max(lengths.sum(), 1e-12))


class _WallRing(LinkedRing):
    """Ring of walls, from which walls are removed; the vertices between them are kept up to date."""

    def __init__(self, walls: list[Wall], tolerance: float) -> None:
        count = len(walls)
        super().__init__(count)
        self.walls, self.tolerance = walls, tolerance
        self.version = [0] * count  # of the vertices at both ends of each wall
        self.vertex: list[Point] = [(0.0, 0.0)] * count  # end of each wall
        for i in range(count):
            self._join(i)

    def _join(self, i: int) -> None:
        """Compute the vertex between a wall and the next one."""
        following = self.next[i]
        self.vertex[i] = _joint(self.walls[i], self.walls[following], self.tolerance)
        self.version[i] += 1
        self.version[following] += 1

    def length(self, i: int) -> float:
        """Return the length of a wall between its vertices; negative if they are in reverse order."""
        (x1, y1), (x2, y2), wall = self.vertex[self.previous[i]], self.vertex[i], self.walls[i]
        return (x2 - x1) * wall.ux + (y2 - y1) * wall.uy

    def remove_short(self) -> None:
        """Remove walls until none is shorter than the tolerance, cheapest change first.

        Three changes are candidates: removing a wall, whose cost is its length; removing a step or a chamfer, whose
        cost is the side of a square of its area, scaled. A priority queue holds all; outdated entries are skipped.
        """
        queue: list[tuple[float, int, int, int]] = []  # cost, wall, version, number of walls
        longest = 1.5 * _CORNER * self.tolerance

        def enqueue(i: int) -> None:
            length = self.length(i)
            if length < self.tolerance:
                heapq.heappush(queue, (length, i, self.version[i], 0))
            if length < longest:
                walls, cost = self._corner_cost(i, length, longest)
                if cost < self.tolerance:
                    heapq.heappush(queue, (cost, i, self.version[i], walls))

        for i in range(len(self.walls)):
            enqueue(i)
        while queue and self.count > 4:
            cost, i, version, walls = heapq.heappop(queue)
            if self.removed[i] or version != self.version[i]:
                continue
            if walls and self._corner_cost(i, self.length(i), longest) != (walls, cost):
                continue
            near = self.previous[i]
            if self._remove_corner(i, walls) if walls else self._remove_wall(i):
                for wall in (self.previous[self.previous[near]], self.previous[near], near, self.next[near],
                             self.next[self.next[near]]):  # fmt: skip
                    enqueue(wall)

    def _corner_cost(self, i: int, length: float, longest: float) -> tuple[int, float]:
        """Return how many walls from wall i on form a small corner, 1 (chamfer) or 2 (step), and the cost.

        Larger ones are part of the shape: the cost is infinite.
        """
        walls, before, after = self.walls, self.previous[i], self.next[i]
        one, other = walls[before], walls[after]
        if one.code == FREE or other.code == FREE or one.code // 2 != other.code // 2:
            return 0, math.inf
        if one.code == other.code:  # maybe a step
            beyond = self.next[after]
            if walls[i].code != walls[beyond].code or walls[i].code == FREE:
                return 0, math.inf
            next_length = self.length(after)
            side = 2 * max(length, next_length)
            if next_length >= longest or side > self.length(before) or side > self.length(beyond):
                return 0, math.inf
            return 2, math.sqrt(max(length * next_length, 0.0)) / _CORNER
        legs = self._legs(before, after)
        if min(legs) < 0 or max(legs) >= longest:
            return 0, math.inf
        if max(legs) > self.length(before) or max(legs) > self.length(after):
            return 0, math.inf
        return 1, math.sqrt(legs[0] * legs[1] / 2) / _CORNER

    def _legs(self, first: int, last: int) -> tuple[float, float]:
        """Return how far two perpendicular walls are from their intersection; negative if they are beyond it."""
        one, other = self.walls[first], self.walls[last]
        x, y = _intersection(one, other)
        (x1, y1), (x2, y2) = self.vertex[first], self.vertex[self.previous[last]]
        return (x - x1) * one.ux + (y - y1) * one.uy, (x2 - x) * other.ux + (y2 - y) * other.uy

    def _remove_wall(self, i: int) -> bool:
        """Remove a wall; neighbours that become one are merged. Return whether enough walls are left for that."""
        a, b = self.previous[i], self.next[i]
        one, other = self.walls[a], self.walls[b]
        same = one.code == other.code != FREE
        if not same:
            cross = abs(one.ux * other.uy - one.uy * other.ux)
            same = one.code == other.code == FREE and cross < _FLAT
            # A thin spike between two walls is removed together with them.
            same |= cross < 0.5 and one.ux * other.ux + one.uy * other.uy < 0
        if same:
            if self.count < 6:
                return False
            if one.code != other.code:
                one.code = FREE
            one.extend(self.walls[i], other)
            one.refit(self.tolerance)
            self.unlink(i)
            self.unlink(b)
            self._join(self.previous[a])
            self._join(a)
            return True
        middle = tuple(np.mean([self.walls[i].start, self.walls[i].end], axis=0).tolist())
        one.end = other.start = middle
        self.unlink(i)
        self._join(a)
        return True

    def _remove_corner(self, i: int, walls: int) -> bool:
        """Remove wall i, of a step the next one too, so that their neighbours intersect."""
        if self.count - walls < 4:
            return False
        before = self.previous[i]
        for _ in range(walls):
            following = self.next[i]
            self.unlink(i)
            i = following
        self._join(before)
        return True

    def square_corners(self) -> None:
        r"""Remove the walls of widely rounded corners between two long perpendicular walls.

        ::

            long wall ___                        ________
                         \_     short walls              |
                           \                 →           |
                            | long wall                  |
        """
        largest = _CORNER_EXTENT * self.tolerance
        for first in self.remaining():
            if self.removed[first] or self.walls[first].code == FREE or self.length(first) < largest:
                continue
            between: list[int] = []
            last = self.next[first]
            while len(between) < _CORNER_WALLS and self.length(last) < largest:
                between.append(last)
                last = self.next[last]
            code = self.walls[last].code
            if not between or self.count - len(between) < 4 or last == first or code != self.walls[first].code ^ 1:
                continue
            limit = min(largest, self.length(first) / 2, self.length(last) / 2)
            legs = self._legs(first, last)
            if not 0 <= min(legs) <= max(legs) < limit or not self._monotonic(first, between, last):
                continue
            for i in between:
                self.unlink(i)
            self._join(first)

    def _monotonic(self, first: int, between: list[int], last: int) -> bool:
        """Return whether walls turn from one direction to another without going back."""
        one, other = self.walls[first], self.walls[last]
        points = [self.vertex[i] for i in (first, *between)]
        return all(
            (x2 - x1) * wall.ux + (y2 - y1) * wall.uy > -1e-9
            for (x1, y1), (x2, y2) in pairwise(points)
            for wall in (one, other)
        )


def _intersection(one: Wall, other: Wall) -> Point:
    """Return the intersection of two lines that are not parallel."""
    cross = one.ux * other.uy - one.uy * other.ux
    return (
        (other.ux * one.offset - one.ux * other.offset) / cross,
        (other.uy * one.offset - one.uy * other.offset) / cross,
    )


def _joint(one: Wall, other: Wall, tolerance: float) -> Point:
    """Return the vertex between two walls: their intersection if near the outline, else a point on one of both."""
    cross = one.ux * other.uy - one.uy * other.ux
    if one.code != FREE and other.code != FREE and one.code // 2 == other.code // 2 and abs(cross) > 0.5:
        return _intersection(one, other)
    x, y = other.start
    if abs(cross) > 0.02:
        px, py = _intersection(one, other)
        (ax, ay), (bx, by) = one.start, other.end
        shortest = math.sqrt(min((ax - x) ** 2 + (ay - y) ** 2, (bx - x) ** 2 + (by - y) ** 2))
        if math.hypot(px - x, py - y) <= max(_NEAR * tolerance, shortest / 4):
            return px, py
    ax, ay = _projection(one, x, y)
    bx, by = _projection(other, x, y)
    if one.code != FREE:
        return ax, ay
    if other.code != FREE:
        return bx, by
    return (ax + bx) / 2, (ay + by) / 2


def _projection(wall: Wall, x: float, y: float) -> Point:
    """Return the point of a wall's line that is nearest to a point."""
    apart = wall.offset - (wall.ux * y - wall.uy * x)
    return x - wall.uy * apart, y + wall.ux * apart
