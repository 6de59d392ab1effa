"""Walls of a ring: straight pieces between its corners, along right-angled directions where they fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.buildings.linked_ring import rolled

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FREE = -1
"""Code of a wall with a direction that no other wall shares."""
_SNAP = 1.0
"""Largest extent of a wall across an axis that it is turned to, tolerances."""
_LONG = 4.0
"""Smallest length of walls that define a further pair of axes, or become diagonal, tolerances."""
_FAMILIES = 2
"""Pairs of axes that are looked for beside the main one."""
_NEAR = math.radians(10)
"""Largest deviation of walls whose directions are averaged."""
_DIAGONAL_BAND = math.radians(15)
"""Largest deviation from 45° of walls that become diagonal."""
_QUARTER = math.pi / 2
_MOMENTS = 6
"""Of the ten integrals along a wall, those of length; the others are of the area under it."""


@dataclass(slots=True)
class Wall:
    """A straight wall of a ring.

    Args:
        ux: x component of its direction, a unit vector along the ring.
        uy: y component.
        offset: Distance of its line from the origin, positive on the left of the direction.
        code: Axis that it follows: twice the number of the pair of axes, plus 1 across; FREE for none. Walls with the
            same code are parallel, with the same pair parallel or perpendicular.
        start: Point of the outline where it starts.
        end: Point of the outline where it ends.
        sums: The integrals of its piece of the outline, see :func:`integrals_of_pieces`.
    """

    ux: float
    uy: float
    offset: float
    code: int
    start: tuple[float, float]
    end: tuple[float, float]
    sums: tuple[float, ...]

    def turn(self, ux: float, uy: float, limit: float) -> None:
        """Give the wall a direction, in the sense of the ring, and the offset that fits its piece of the outline.

        Args:
            ux: x component of the direction or its opposite.
            uy: y component.
            limit: Largest distance from the middle of both ends: short pieces across an axis are ill-defined.
        """
        (sx, sy), (ex, ey) = self.start, self.end
        along = ux * (ex - sx) + uy * (ey - sy)
        if along < 0:
            ux, uy, along = -ux, -uy, -along
        self.ux, self.uy = ux, uy
        middle = (ux * (sy + ey) - uy * (sx + ex)) / 2
        if self.code == FREE:
            length, x, y = self.sums[:3]
            self.offset = (ux * y - uy * x) / length
            return
        # Equal areas of the outline on both sides: the area under it (trapezoidal rule) divided by its extent.
        xx, xy, yx, yy = self.sums[_MOMENTS:]
        area = -ux * uy * xx + ux * ux * xy - uy * uy * yx + ux * uy * yy
        self.offset = min(max(area / along, middle - limit), middle + limit) if along > 0 else middle

    def refit(self, limit: float) -> None:
        """Fit direction, where it is free, and offset to the piece of the outline."""
        if self.code == FREE:
            angle = float(principal_angles(np.array(self.sums)))
            self.turn(math.cos(angle), math.sin(angle), limit)
        else:
            self.turn(self.ux, self.uy, limit)

    def extend(self, *others: Wall) -> None:
        """Append the pieces of the following walls."""
        for other in others:
            self.sums = tuple(a + b for a, b in zip(self.sums, other.sums))
        self.end = others[-1].end


def fit_walls(points: Array, corners: Indices, tolerance: float, diagonals: bool) -> list[Wall]:
    """Return the walls of a ring between its corners; neighbours with the same code are joined at right angles.

    A wall follows the nearest axis of the frame if it extends across it by less than a tolerance. Where others have
    directions at right angles to each other, as those of a wing, these are axes too. All others are free: fitted by
    total least squares.

    Args:
        points: (N, 2) open ring in the frame of the main direction.
        corners: (M + 1,) int64, indices of its corners, the first 0, the last N.
        tolerance: Largest deviation, in units of the ring.
        diagonals: Whether walls at about 45° to the axes of the frame become diagonal.
    """
    closed = np.vstack([points, points[:1]])
    sums = integrals_of_pieces(closed, corners)
    chords = np.diff(closed[corners], axis=0)
    angles = principal_angles(sums)
    codes, pairs = _choose_axes(chords, angles, tolerance, diagonals)
    ends = list(map(tuple, closed[corners].tolist()))
    walls: list[Wall] = []
    for index, (code, angle, own) in enumerate(zip(codes.tolist(), angles.tolist(), sums.T.tolist(), strict=True)):
        wall = Wall(1.0, 0.0, 0.0, code, ends[index], ends[index + 1], tuple(own))
        direction = angle if code == FREE else pairs[code // 2] + _QUARTER * (code % 2)
        wall.turn(math.cos(direction), math.sin(direction), tolerance)
        walls.append(wall)
    joined: list[Wall] = []
    for previous, wall in zip([walls[-1], *walls], walls):
        if wall.code != FREE and wall.code == previous.code:
            joined.append(_across(previous, wall))
        joined.append(wall)
    return joined


def _across(one: Wall, other: Wall) -> Wall:
    """Return the wall between two parallel ones, at a right angle to them."""
    x, y = other.start
    sign = 1.0 if other.offset >= one.offset else -1.0
    ux, uy = -one.uy * sign, one.ux * sign
    return Wall(ux, uy, ux * y - uy * x, one.code ^ 1, other.start, other.start, (0.0,) * len(other.sums))


def integrals_of_pieces(closed: Array, corners: Indices) -> Array:
    """Return integrals over the piece of the outline between each two corners, (10, M).

    Of length: 1, x, y, x², xy, y²; and those that give the area under a piece along any axis: x dx, y dx, x dy, y dy.
    """
    step = np.diff(closed, axis=0)
    dx, dy = step.T
    x, y = ((closed[1:] + closed[:-1]) / 2).T
    length = np.hypot(dx, dy)
    terms = np.stack([
        length, length * x, length * y,
        # A straight edge has second moments of its own.
        length * (x * x + dx * dx / 12), length * (x * y + dx * dy / 12), length * (y * y + dy * dy / 12),
        x * dx, y * dx, x * dy, y * dy,
    ])  # fmt: skip
    sums: Array = np.add.reduceat(terms, corners[:-1], axis=1)
    return sums


def principal_angles(integrals: Array) -> Array:
    """Return the directions, (M,) radians, of lines fitted by total least squares, the principal axes."""
    length, sx, sy, sxx, sxy, syy = integrals[:_MOMENTS]
    xx, xy, yy = sxx - sx * sx / length, sxy - sx * sy / length, syy - sy * sy / length
    angles: Array = np.arctan2(2 * xy, xx - yy) / 2
    return angles


def _choose_axes(chords: Array, angles: Array, tolerance: float, diagonals: bool) -> tuple[Indices, list[float]]:
    """Return the code of each wall, (M,), and the angle of each pair of axes."""
    pairs = [0.0]
    codes = np.full(len(chords), FREE, np.int64)
    lengths = np.hypot(*chords.T)
    _follow(codes, chords, 0, 0.0, _SNAP * tolerance)
    if diagonals:
        pairs.append(_QUARTER / 2)
        slant = np.arctan2(chords[:, 1], chords[:, 0]) % _QUARTER - _QUARTER / 2
        oblique = (codes == FREE) & (np.abs(slant) < _DIAGONAL_BAND) & (lengths >= _LONG * tolerance)
        up = chords[:, 0] * chords[:, 1] > 0
        codes[oblique] = np.where(up, 2, 3)[oblique]
    candidates = (codes == FREE) & (lengths >= _LONG * tolerance)
    for _ in range(_FAMILIES):
        if candidates.sum() < 2:
            break
        longest = int(np.where(candidates, lengths, 0).argmax())
        apart = (angles - angles[longest] + _QUARTER / 2) % _QUARTER - _QUARTER / 2
        near = candidates & (np.abs(apart) < _NEAR)
        angle = float(angles[longest] + np.average(apart[near], weights=lengths[near] ** 3))
        trial = codes.copy()
        _follow(trial, chords, len(pairs), angle, _SNAP * tolerance)
        found = trial[candidates & (trial != FREE)]
        if len(np.unique(found)) == 2:
            # Short walls between two of this pair belong to it too.
            between = (rolled(trial, 1) // 2 == len(pairs)) & (rolled(trial, -1) // 2 == len(pairs))
            trial[between & (lengths < _LONG * tolerance)] = FREE
            _follow(trial, chords, len(pairs), angle, _SNAP * tolerance)
            codes = trial
            pairs.append(angle)
            candidates &= codes == FREE
        candidates[longest] = False
    return codes, pairs


def _follow(codes: Indices, chords: Array, pair: int, angle: float, limit: float) -> None:
    """Set the codes of free walls that extend across an axis by less than a limit."""
    cos, sin = math.cos(angle), math.sin(angle)
    along = np.abs(chords @ np.array([cos, sin]))
    across = np.abs(chords @ np.array([-sin, cos]))
    fit = (codes == FREE) & (np.minimum(along, across) <= limit)
    codes[fit] = (2 * pair + (across > along))[fit]
