"""Stratified estimators of accuracy and areas from a labelled sample, with confidence intervals.

All estimates are ratios of two totals over strata. If the strata are the classes of the map, they equal the equations
of Olofsson et al. (2014); if the points were drawn from another map, those of Stehman (2014), Estimating area and map
accuracy for stratified random sampling when the strata are different from the map classes, International
Journal of Remote Sensing 35, 4923–4939, https://doi.org/10.1080/01431161.2014.930207
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z95 = 1.96  # standard normal quantile of a 95 % interval, as in Olofsson et al. (2014)

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class IntervalEstimate:
    """An estimate and the half width of its 95 % confidence interval; NaN if undefined."""

    value: float
    margin: float = float("nan")

    def scaled(self, factor: float) -> IntervalEstimate:
        """Return the estimate multiplied by a factor, such as for another unit."""
        return IntervalEstimate(self.value * factor, self.margin * factor)


@dataclass(frozen=True)
class LabelledSample:
    """Points with a map class and a reference class.

    Args:
        strata: (N,) index of the stratum that each point was drawn from.
        mapped: (N,) class index on the map.
        reference: (N,) class index in the reference.
        pixel_areas: (N,) area of the point's pixel, any unit.
    """

    strata: Indices
    mapped: Indices
    reference: Indices
    pixel_areas: Floats


@dataclass(frozen=True)
class AccuracyEstimate:
    """Estimates for a map with K classes.

    Args:
        counts: (K, K) int64, points; rows are the map, columns the reference.
        shares: (K, K) estimated fractions of the area.
        overall: Overall accuracy: fraction of the area that is mapped correctly.
        users: (K,) user's accuracy: correct fraction of the area mapped as the class.
        producers: (K,) producer's accuracy: correct fraction of the reference area of the class.
        areas: (K,) reference area of each class, as a fraction.
    """

    counts: npt.NDArray[np.int64]
    shares: Floats
    overall: IntervalEstimate
    users: list[IntervalEstimate]
    producers: list[IntervalEstimate]
    areas: list[IntervalEstimate]


def estimate_accuracy(sample: LabelledSample, pixels: npt.NDArray[np.int64], classes: int) -> AccuracyEstimate:
    """Estimate accuracy and fractions of the area; strata without points are excluded from all estimates.

    Args:
        sample: Labelled points.
        pixels: (H,) pixels of each stratum.
        classes: Number of classes, K.
    """
    strata, area = sample.strata, sample.pixel_areas
    agree = sample.mapped == sample.reference
    cells = sample.mapped * classes + sample.reference
    points = np.bincount(strata, minlength=len(pixels))
    weights = area * (pixels / np.maximum(points, 1))[strata]  # expansion weight: area that a point represents

    def share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> IntervalEstimate:
        return ratio_estimate(area * part, area * whole, strata, pixels)

    total = np.ones(len(strata), bool)
    mapped = [sample.mapped == index for index in range(classes)]
    reference = [sample.reference == index for index in range(classes)]
    return AccuracyEstimate(
        counts=np.bincount(cells, minlength=classes**2).reshape(classes, classes),
        shares=np.bincount(cells, weights, classes**2).reshape(classes, classes) / weights.sum(),
        overall=share(agree, total),
        users=[share(agree & where, where) for where in mapped],
        producers=[share(agree & where, where) for where in reference],
        areas=[share(where, total) for where in reference],
    )


def ratio_estimate(part: Floats, whole: Floats, strata: Indices, pixels: npt.NDArray[np.int64]) -> IntervalEstimate:
    """Estimate a ratio of two totals from a stratified random sample.

    Args:
        part: (N,) numerator of each point.
        whole: (N,) denominator of each point.
        strata: (N,) index of the stratum of each point.
        pixels: (H,) pixels of each stratum.

    Returns:
        The ratio, NaN if the denominator is zero; the margin is NaN if a stratum has only one point.

    Source:
        Combined ratio estimator: Cochran 1977, Sampling Techniques, sec. 6.11; Stehman 2014, eqs. 27 and 28,
        https://doi.org/10.1080/01431161.2014.930207. Without finite population correction, as in Olofsson et al.
        (2014).
    """
    count = len(pixels)
    points = np.bincount(strata, minlength=count)
    weights = pixels / np.maximum(points, 1)
    total = float((np.bincount(strata, whole, count) * weights).sum())
    if total == 0:
        return IntervalEstimate(float("nan"))
    value = float((np.bincount(strata, part, count) * weights).sum()) / total
    # Variance of the residuals within each stratum.
    residual = part - value * whole
    deviation = residual - (np.bincount(strata, residual, count) / np.maximum(points, 1))[strata]
    squares = np.bincount(strata, deviation**2, count)
    # Strata without any denominator do not contribute, even with a single point.
    empty = np.bincount(strata, whole != 0, count) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.where(empty, 0.0, pixels**2.0 * squares / (points - 1) / points)
    return IntervalEstimate(value, Z95 * float(np.sqrt(variances.sum())) / total)
