"""Filters along the points of lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from dubai_landcover_plugin.core.grid.ground import Floats, Points

TRUNCATE = 3.0  # standard deviations

Indices = npt.NDArray[np.int64]


def median(values: npt.NDArray[np.floating]) -> float:
    """Return the median of values without NaN, (N,): as NumPy's, which takes ten times as long for few values."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def gaussian(points: Points, sigma: float) -> Points:
    """Filter the coordinates of points, (N, 2), along their sequence."""
    filtered: Points = gaussian_filter1d(points, sigma, axis=0, mode="nearest", truncate=TRUNCATE)
    return filtered


def gaussian_of_lines(points: Points, counts: Indices, sigmas: Floats) -> Points:
    """Do as :func:`gaussian` for many lines at once; the result is the same to the last bit.

    Args:
        points: (N, 2) points of all lines.
        counts: (L,) points of each line.
        sigmas: (L,) standard deviation of each line's filter, in points.
    """
    reach = (TRUNCATE * sigmas + 0.5).astype(np.int64)
    weights = _weights(sigmas, reach)
    # Points by descending reach: those that a tap concerns are the first ones.
    line = np.repeat(np.arange(len(counts)), counts)
    order = np.argsort(-reach[line], kind="stable")
    line = line[order]
    shorter = -reach[line]
    first = (np.cumsum(counts) - counts)[line]
    last = first + counts[line] - 1
    found = points[order] * weights[line, 0, None]
    for tap in range(int(reach.max(initial=0)), 0, -1):  # in the order in which SciPy sums
        size = int(np.searchsorted(shorter, -tap, "right"))
        here = order[:size]
        both = points[np.maximum(here - tap, first[:size])] + points[np.minimum(here + tap, last[:size])]
        found[:size] += both * weights[line[:size], tap, None]
    filtered = np.empty_like(points)
    filtered[order] = found
    return filtered


def _weights(sigmas: Floats, reach: Indices) -> Floats:
    """Return the weights of the taps 0 to the largest reach of each Gaussian, (L, T)."""
    table = np.zeros((len(sigmas), int(reach.max(initial=0)) + 1))
    for row, sigma, radius in zip(table, sigmas.tolist(), reach.tolist()):
        kernel = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
        row[: radius + 1] = (kernel / kernel.sum())[radius:]
    return table
