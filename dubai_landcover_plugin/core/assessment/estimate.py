"""Accuracy and areas from a labelled sample, with their intervals.

Everything is a ratio of two totals, estimated over strata. Where the strata are the classes of the map, these are the
equations of Olofsson et al. (2014); where the points were drawn from another map, those of Stehman (2014), Estimating
area and map accuracy for stratified random sampling when the strata are different from the map classes, International
Journal of Remote Sensing 35, 4923–4939, https://doi.org/10.1080/01431161.2014.930207
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z95 = 1.96  # as in the paper

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Figure:
    """A value and half the width of its 95 % interval; NaN where there is none."""

    value: float
    margin: float = float("nan")

    def times(self, factor: float) -> Figure:
        """Return the figure in another unit."""
        return Figure(self.value * factor, self.margin * factor)


@dataclass(frozen=True)
class LabelledSample:
    """Points with a class on the map and one on the ground.

    Args:
        strata: (N,) index of the stratum that each was drawn from.
        mapped: (N,) class index on the map.
        reference: (N,) class index on the ground.
        sizes: (N,) area of the point's pixel, any unit.
    """

    strata: Indices
    mapped: Indices
    reference: Indices
    sizes: Floats


@dataclass(frozen=True)
class Estimate:
    """What a sample tells of a map with K classes.

    Args:
        counts: (K, K) points; rows are the map, columns the reference.
        shares: (K, K) estimated shares of the area.
        overall: Share of the area that has its class.
        users: (K,) of the area mapped as a class, the share that is.
        producers: (K,) of the area of a class, the share that is mapped as it.
        areas: (K,) share of the area of each class on the ground.
    """

    counts: npt.NDArray[np.int64]
    shares: Floats
    overall: Figure
    users: list[Figure]
    producers: list[Figure]
    areas: list[Figure]


def estimate(sample: LabelledSample, pixels: npt.NDArray[np.int64], classes: int) -> Estimate:
    """Estimate accuracy and shares of the area; strata without points are left out of all of it.

    Args:
        sample: Labelled points.
        pixels: (H,) pixels of each stratum.
        classes: K.
    """
    strata, size = sample.strata, sample.sizes
    agree = sample.mapped == sample.reference
    cells = sample.mapped * classes + sample.reference
    points = np.bincount(strata, minlength=len(pixels))
    worth = size * (pixels / np.maximum(points, 1))[strata]  # what each point stands for

    def share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> Figure:
        return ratio(size * part, size * whole, strata, pixels)

    everything = np.ones(len(strata), bool)
    mapped = [sample.mapped == index for index in range(classes)]
    reference = [sample.reference == index for index in range(classes)]
    return Estimate(
        counts=np.bincount(cells, minlength=classes**2).reshape(classes, classes),
        shares=np.bincount(cells, worth, classes**2).reshape(classes, classes) / worth.sum(),
        overall=share(agree, everything),
        users=[share(agree & where, where) for where in mapped],
        producers=[share(agree & where, where) for where in reference],
        areas=[share(where, everything) for where in reference],
    )


def ratio(part: Floats, whole: Floats, strata: Indices, pixels: npt.NDArray[np.int64]) -> Figure:
    """Estimate a ratio of two totals from a stratified random sample.

    Args:
        part: (N,) the numerator of each point.
        whole: (N,) the denominator of each point.
        strata: (N,) index of the stratum of each point.
        pixels: (H,) size of each stratum.

    Returns:
        The ratio, NaN where the denominator is zero; the margin is NaN where one point alone speaks for a stratum.

    Source:
        Combined ratio estimator: Cochran (1977), Sampling Techniques, sec. 6.11; Stehman (2014), eqs. 27 and 28. The
        finite population correction is left out, as in Olofsson et al. (2014).
    """
    count = len(pixels)
    points = np.bincount(strata, minlength=count)
    weights = pixels / np.maximum(points, 1)
    total = float((np.bincount(strata, whole, count) * weights).sum())
    if total == 0:
        return Figure(float("nan"))
    value = float((np.bincount(strata, part, count) * weights).sum()) / total
    residual = part - value * whole
    deviation = residual - (np.bincount(strata, residual, count) / np.maximum(points, 1))[strata]
    squares = np.bincount(strata, deviation**2, count)
    silent = np.bincount(strata, whole != 0, count) == 0  # nothing of the denominator was found there
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.where(silent, 0.0, pixels**2.0 * squares / (points - 1) / points)
    return Figure(value, Z95 * float(np.sqrt(variances.sum())) / total)
