"""Area that two polygons share, without their overlay, which takes about twice as long for outlines of buildings.

A polygon is the sum of the areas below its edges, counted by the direction of each edge along x. What two polygons
share is then a sum over the pairs of their edges, of the area below both. Over the columns that a pair has in common,
the lower of two lines is their mean less half of their distance; the means cancel out in closed rings, so the distances
suffice::

    shared area = -1/2 · sum over pairs of edges e, f of  sign(e) · sign(f) · ∫ |y of e - y of f| dx
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

Array = npt.NDArray[np.float64]

_MOST_PAIRS = 1 << 20
"""Pairs of edges up to which they are examined one by one; the overlay of larger polygons is faster."""


class _Edges(NamedTuple):
    """Edges that are not vertical, (N,) each.

    Args:
        left: x where each starts from the left.
        right: x where it ends.
        y: y at ``left``.
        slope: Its slope.
        sign: 1 from left to right, else -1.
    """

    left: Array
    right: Array
    y: Array
    slope: Array
    sign: Array


def shared_area(one: shapely.Polygon, other: shapely.Polygon) -> float:
    """Return the area of the intersection of two valid polygons, exact but for rounding.

    Args:
        one: A polygon, with or without holes.
        other: Another one; coordinates near the origin lose the fewest digits.
    """
    if shapely.get_num_coordinates(one) * shapely.get_num_coordinates(other) > _MOST_PAIRS:
        return float(shapely.area(shapely.intersection(one, other)))
    a, b = _edges(one), _edges(other)
    i, j = np.nonzero((a.left[:, None] < b.right) & (a.right[:, None] > b.left))
    first, last = np.maximum(a.left[i], b.left[j]), np.minimum(a.right[i], b.right[j])
    # Signed distance of both lines at the first and at the last common column.
    start = a.y[i] + a.slope[i] * (first - a.left[i]) - b.y[j] - b.slope[j] * (first - b.left[j])
    end = start + (a.slope[i] - b.slope[j]) * (last - first)
    # Mean of its size: that of a trapezium, or of two triangles where the lines cross.
    size = np.abs(start) + np.abs(end)
    crossing = start * end < 0
    mean = np.where(crossing, (start**2 + end**2) / np.where(crossing, size, 1.0), size) / 2
    return -float(((last - first) * mean * a.sign[i] * b.sign[j]).sum()) / 2


def _edges(polygon: shapely.Polygon) -> _Edges:
    """Return the edges of a polygon; holes run in the opposite direction to the shell."""
    rings = shapely.get_rings(shapely.orient_polygons(polygon))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    used = np.flatnonzero((ring[1:] == ring[:-1]) & (points[1:, 0] != points[:-1, 0]))
    start, end = points[used], points[used + 1]
    rightwards = start[:, 0] < end[:, 0]
    left = np.where(rightwards[:, None], start, end)
    slope = (end[:, 1] - start[:, 1]) / (end[:, 0] - start[:, 0])
    return _Edges(left[:, 0], np.maximum(start[:, 0], end[:, 0]), left[:, 1], slope, np.where(rightwards, 1.0, -1.0))
