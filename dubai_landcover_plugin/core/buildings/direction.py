"""Dominant wall direction of a building."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.buildings.walls import integrals_of_pieces, principal_angles

Array = npt.NDArray[np.float64]
_QUARTER = np.pi / 2
_MAX_WALLS = 64
"""Longest walls that are used; shorter ones have uncertain directions."""
_NEAR = np.radians(10)
"""Largest deviation of walls that are averaged."""


def main_direction(points: Array, corners: npt.NDArray[np.int64]) -> float:
    """Return the direction that most of a building's walls are parallel or perpendicular to.

    A line is fitted to the outline between each two corners by total least squares; a chord would depend on the stair
    steps of pixels. The dominant direction minimises the sum of the walls' extents along both axes (an L1 measure of
    how well walls fit a rectangular frame); its minimum is at the direction of one of the walls. The weighted mean of
    the walls near that direction reduces the error.

    Args:
        points: (N, 2) vertices of an open ring.
        corners: (M + 1,) int64, indices of its corners, the first 0, the last N.

    Returns:
        Angle from the x axis, counter-clockwise, radians in 0 ≤ angle < π/2.
    """
    closed = np.vstack([points, points[:1]])
    chords = np.diff(closed[corners], axis=0)
    lengths = np.hypot(chords[:, 0], chords[:, 1])
    angles = _wall_angles(closed, corners)
    longest = np.argsort(lengths)[-_MAX_WALLS:]
    lengths, angles = lengths[longest], angles[longest]
    # Total extent of all walls in the frame of each candidate.
    apart = angles[:, None] - angles[None, :]  # (wall, candidate)
    extents = lengths @ (np.abs(np.cos(apart)) + np.abs(np.sin(apart)))
    best = angles[extents.argmin()]
    # Deviations from the best candidate, modulo a right angle.
    turned = (angles - best + _QUARTER / 2) % _QUARTER - _QUARTER / 2
    near = np.abs(turned) < _NEAR
    weights = lengths[near] ** 3  # the variance of a fitted direction is inversely proportional to length³
    return float((best + turned[near] @ weights / weights.sum()) % _QUARTER)


def _wall_angles(closed: Array, corners: npt.NDArray[np.int64]) -> Array:
    """Return the directions, (M,) radians, of lines fitted to the outline between corners.

    Total least squares: the principal axis of the second moments, summed for the edges between two corners.
    """
    integrals = integrals_of_pieces(closed, corners)
    angles: Array = principal_angles(integrals)
    return angles
