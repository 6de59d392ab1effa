"""Sample size of an accuracy assessment, and its allocation to the classes (strata)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
MIN_POINTS = 2  # of a class; the variance of one point is undefined


def sample_size(pixels: Counts, expected: npt.NDArray[np.float64], standard_error: float) -> int:
    """Return the number of points for which overall accuracy has a given standard error.

    Args:
        pixels: (K,) pixels of each class.
        expected: (K,) expected user's accuracy of each class, 0..1.
        standard_error: Target standard error of overall accuracy, 0..1.

    Source:
        Cochran 1977, Sampling Techniques, eq. 5.25; Olofsson et al. 2014, eq. 13,
        https://doi.org/10.1016/j.rse.2014.02.015
    """
    weights = pixels / pixels.sum()
    deviations = np.sqrt(expected * (1 - expected))
    finite = (weights * deviations**2).sum() / pixels.sum()  # finite population correction
    return math.ceil(float((weights * deviations).sum() ** 2 / (standard_error**2 + finite)) - 1e-9)


def allocate(pixels: Counts, size: int, allocation: str, min_per_class: int) -> Counts:
    """Return the number of points of each class, (K,) int64; no class gets more points than it has pixels.

    Args:
        pixels: (K,) pixels of each class, at least 1.
        size: Total number of points; exceeded if the minimum of all classes adds up to more.
        allocation: ``minimum``, ``proportional`` or ``equal``.
        min_per_class: Smallest number of points of a class for ``minimum``; 2 for the others.
    """
    if allocation == "equal":
        points = np.full(len(pixels), max(math.ceil(size / len(pixels)), MIN_POINTS), np.int64)
        return np.minimum(points, pixels)
    least = np.minimum(min_per_class if allocation == "minimum" else MIN_POINTS, pixels)
    rare = np.zeros(len(pixels), bool)
    # Rare classes get their minimum, the others share the remainder in proportion to their pixels. This is repeated, as
    # a smaller remainder may make further classes rare.
    while True:
        remainder = max(size - int(least[rare].sum()), 0)
        share = np.where(rare, 0, pixels) / max(pixels[~rare].sum(), 1) * remainder
        more = ~rare & (share < least)
        if not more.any():
            break
        rare |= more
    return np.where(rare, least, np.minimum(_rounded(share), pixels))


def _rounded(shares: npt.NDArray[np.float64]) -> Counts:
    """Round shares, (K,), to integers with the same sum, by the largest remainder method."""
    whole = np.floor(shares + 1e-9).astype(np.int64)
    missing = round(float(shares.sum())) - int(whole.sum())
    whole[np.argsort(whole - shares, kind="stable")[:missing]] += 1
    return whole
