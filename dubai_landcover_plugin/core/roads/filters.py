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
    # Lines by descending reach: those that a tap concerns are the first ones. Their ends are repeated.
    order = np.argsort(-reach, kind="stable")
    first, counts, reach, weights = (np.cumsum(counts) - counts)[order], counts[order], reach[order], weights[order]
    lengths = counts + 2 * reach
    last = np.cumsum(lengths)
    line = np.repeat(np.arange(len(counts)), lengths)
    along = np.arange(len(line)) - (last - counts - reach)[line]  # from the first point of the line
    source = first[line] + np.minimum(along.clip(0), counts[line] - 1)
    padded = np.ascontiguousarray(points[source].T)
    found = padded * weights[line, 0]
    for tap in range(int(reach.max(initial=0)), 0, -1):  # in the order in which SciPy sums
        lines = int(np.searchsorted(-reach, -tap, "right"))
        size = int(last[lines - 1])
        both = padded[:, : size - 2 * tap] + padded[:, 2 * tap : size]
        found[:, tap : size - tap] += both * weights[line[tap : size - tap], tap]
    inner = (along >= 0) & (along < counts[line])
    filtered = np.empty_like(points)
    filtered[source[inner]] = found[:, inner].T
    return filtered


def _weights(sigmas: Floats, reach: Indices) -> Floats:
    """Return the weights of the taps 0 to the largest reach of each Gaussian, (L, T)."""
    table = np.zeros((len(sigmas), int(reach.max(initial=0)) + 1))
    for row, sigma, radius in zip(table, sigmas.tolist(), reach.tolist()):
        kernel = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
        row[: radius + 1] = (kernel / kernel.sum())[radius:]
    return table
