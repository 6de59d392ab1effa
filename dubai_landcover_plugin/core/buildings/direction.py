"""The direction of a building's walls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_QUARTER = np.pi / 2
_LONGEST = 64
"""Edges that are looked at; the others are short and tell little."""
_NEAR = np.radians(10)


def main_direction(points: Array, corners: npt.NDArray[np.int64]) -> float:
    """Return the direction that most of a building's walls follow or cross at a right angle.

    A line is fitted to the outline between each two corners (total least squares), as the chord of a stair of pixels
    tells its direction badly. The sum of the walls' extents along both axes is smallest in the frame that they follow;
    it is so at the direction of one of them. The mean of those near it, long ones first, evens out their errors.

    Args:
        points: (N, 2) vertices of a densified ring, open.
        corners: (M + 1,) indices of its corners, the first 0, the last N.

    Returns:
        Angle from the x axis, counter-clockwise, radians in 0 ≤ angle < π/2.
    """
    closed = np.vstack([points, points[:1]])
    chords = np.diff(closed[corners], axis=0)
    lengths = np.hypot(chords[:, 0], chords[:, 1])
    angles = _wall_angles(closed, corners)
    longest = np.argsort(lengths)[-_LONGEST:]
    lengths, angles = lengths[longest], angles[longest]
    apart = angles[:, None] - angles[None, :]  # (wall, candidate)
    extents = lengths @ (np.abs(np.cos(apart)) + np.abs(np.sin(apart)))
    best = angles[extents.argmin()]
    turned = (angles - best + _QUARTER / 2) % _QUARTER - _QUARTER / 2
    near = np.abs(turned) < _NEAR
    weights = lengths[near] ** 3  # the variance of a fitted direction falls with the length's cube
    return float((best + turned[near] @ weights / weights.sum()) % _QUARTER)


def _wall_angles(closed: Array, corners: npt.NDArray[np.int64]) -> Array:
    """Return the directions, radians, of lines fitted to the outline between corners."""
    middles = (closed[1:] + closed[:-1]) / 2
    weights = np.hypot(*np.diff(closed, axis=0).T)
    x, y = middles[:, 0], middles[:, 1]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]) * weights
    size, sx, sy, sxx, sxy, syy = np.add.reduceat(terms, corners[:-1], axis=1)
    xx, xy, yy = sxx - sx * sx / size, sxy - sx * sy / size, syy - sy * sy / size
    angles: Array = np.arctan2(2 * xy, xx - yy) / 2
    return angles
