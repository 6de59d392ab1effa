"""How many points an assessment needs, and how many of them each class gets."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
FEWEST = 2  # points of a class; one has no variance


def sample_size(pixels: Counts, expected: npt.NDArray[np.float64], standard_error: float) -> int:
    """Return the number of points that gives overall accuracy the wanted standard error.

    Args:
        pixels: (K,) pixels of each class.
        expected: (K,) user's accuracy to be expected, 0..1.
        standard_error: Wanted, 0..1.

    Source:
        Cochran (1977), Sampling Techniques, eq. 5.25; Olofsson et al. (2014), eq. 13.
    """
    weights = pixels / pixels.sum()
    deviations = np.sqrt(expected * (1 - expected))
    finite = (weights * deviations**2).sum() / pixels.sum()  # a small map needs fewer
    return math.ceil(float((weights * deviations).sum() ** 2 / (standard_error**2 + finite)) - 1e-9)


def allocate(pixels: Counts, size: int, allocation: str, min_per_class: int) -> Counts:
    """Return the points of each class, (K,); no class gets more than it has pixels.

    Args:
        pixels: (K,) pixels of each class, at least 1.
        size: Wanted number of points; more are given where the fewest of all classes add up to more.
        allocation: ``minimum``, ``proportional`` or ``equal``.
        min_per_class: Fewest of a class under ``minimum``; under the others it is 2.
    """
    if allocation == "equal":
        points = np.full(len(pixels), max(math.ceil(size / len(pixels)), FEWEST), np.int64)
        return np.minimum(points, pixels)
    least = np.minimum(min_per_class if allocation == "minimum" else FEWEST, pixels)
    rare = np.zeros(len(pixels), bool)
    while True:  # what the rare classes take leaves less for the others, which may make more of them rare
        rest = max(size - int(least[rare].sum()), 0)
        share = np.where(rare, 0, pixels) / max(pixels[~rare].sum(), 1) * rest
        more = ~rare & (share < least)
        if not more.any():
            break
        rare |= more
    return np.where(rare, least, np.minimum(_rounded(share), pixels))


def _rounded(shares: npt.NDArray[np.float64]) -> Counts:
    """Return whole numbers with the same sum: the largest remainders are rounded up."""
    whole = np.floor(shares + 1e-9).astype(np.int64)
    missing = round(float(shares.sum())) - int(whole.sum())
    whole[np.argsort(whole - shares, kind="stable")[:missing]] += 1
    return whole
