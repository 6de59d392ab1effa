"""Pixel counts of an evaluation, the metrics computed from them, and bootstrap intervals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion, mean_of_defined, rounded

from ..data.partial_labels import PartialConfusion, class_labels
from .boundary import boundary_counts, boundary_iou
from .reliability import Reliability

RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)  # a 95 % interval
FEWEST_PLACES = 8  # percentiles of fewer units are far too narrow
_SEED = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixel counts of one image, or sums over several images.

    Args:
        labelled: Pixels by label, partial ones too, and predicted class.
        border: (K, 2) int64 intersection and union of border regions, see :mod:`.boundary`.
        reliability: Pixels by confidence.
    """

    labelled: PartialConfusion
    border: npt.NDArray[np.int64]
    reliability: Reliability

    @classmethod
    def of(
        cls,
        labels: npt.NDArray[np.uint8],
        predicted: npt.NDArray[np.uint8],
        confidence: npt.NDArray[np.floating],
        classes: int,
        distance: int,
    ) -> Counts:
        """Count one image.

        Args:
            labels: (H, W) uint8 channel indices, partial labels or ``IGNORE``.
            predicted: (H, W) uint8 channel indices, or ``IGNORE``.
            confidence: (H, W) highest probability, 0..1.
            classes: Number of classes K.
            distance: Distance of the boundary IoU, px.
        """
        whole = class_labels(labels)
        known = (whole != IGNORE) & (predicted != IGNORE)
        return cls(
            PartialConfusion.of(labels, predicted, classes),
            boundary_counts(whole, predicted, classes, distance),
            Reliability.of(confidence[known], whole[known] == predicted[known]),
        )

    @property
    def confusion(self) -> Confusion:
        """Confusion matrix of the pixels with a class label."""
        return self.labelled.full

    @classmethod
    def total(cls, counts: Sequence[Counts]) -> Counts:
        """Return the sum of one or more counts."""
        first, *others = counts
        for other in others:
            first = cls(
                first.labelled + other.labelled, first.border + other.border, first.reliability + other.reliability
            )
        return first

    def headline(self) -> dict[str, float]:
        """Return the overall metrics; undefined ones are NaN."""
        return {
            **self.labelled.headline(),
            "boundary_iou": mean_of_defined(boundary_iou(self.border)),
            "ece": self.reliability.error,
        }

    def class_figures(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the metrics of the classes, (K,) each."""
        return {**self.labelled.class_figures(), "boundary_iou": boundary_iou(self.border)}

    def to_json(self) -> dict[str, Any]:
        """Return the counts, JSON-ready."""
        return {
            "confusion": self.confusion.counts.tolist(),
            **({"excluded": self.labelled.excluded.tolist()} if self.labelled.has_partial else {}),
            "border": self.border.tolist(),
            "reliability": [[int(pixels), int(right), round(total, 3)] for pixels, right, total in self._bins()],
        }

    def _bins(self) -> list[list[float]]:
        bins: list[list[float]] = self.reliability.sums.tolist()
        return bins

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Counts:
        """Rebuild counts from :meth:`to_json`."""
        full = np.array(value["confusion"], np.int64)
        excluded = np.array(value.get("excluded", np.zeros_like(full)), np.int64)
        return cls(
            PartialConfusion(np.concatenate([full, excluded])),
            np.array(value["border"], np.int64),
            Reliability(np.array(value["reliability"], np.float64)),
        )


def figures_json(counts: Sequence[Counts], names: Sequence[str], places: Sequence[str]) -> dict[str, Any]:
    """Return the metrics pooled over images, with intervals over places, JSON-ready.

    Args:
        counts: Counts of each image, at least one.
        names: Names of the classes.
        places: Place of each image. Fewer than :data:`FEWEST_PLACES` give no intervals.
    """
    by_place: dict[str, list[Counts]] = {}
    for place, one in zip(places, counts, strict=True):
        by_place.setdefault(place, []).append(one)
    enough = len(by_place) >= FEWEST_PLACES
    total = Counts.total(counts)
    by_class = total.class_figures()
    return {
        "pixels": int(total.confusion.counts.sum()),
        "partial_pixels": int(total.labelled.excluded.sum()),
        **{name: rounded(value) for name, value in total.headline().items()},
        "excess_confidence": rounded(total.reliability.excess),
        "classes": {
            name: {figure: rounded(values[channel]) for figure, values in by_class.items()}
            for channel, name in enumerate(names)
        },
        "places": len(by_place),
        "intervals": bootstrap([Counts.total(part) for part in by_place.values()], names) if enough else {},
        "confusion": total.confusion.counts.tolist(),
        "reliability": total.reliability.table(),
    }


def bootstrap(counts: Sequence[Counts], names: Sequence[str], resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return 95 % percentile intervals of all metrics from a bootstrap over independent units.

    Images of one place are similar, so the units are places: resampling images gives intervals that are too narrow.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, https://doi.org/10.1201/9780429246593,
    chapter 13.

    Args:
        counts: Counts of each unit.
        names: Names of the classes.
        resamples: Number of bootstrap samples.

    Returns:
        ``[low, high]`` for each metric, those of the classes under ``classes``; empty for fewer than two units.
    """
    units = len(counts)
    if units < 2:
        return {}
    # how often each unit occurs in each of the B bootstrap samples, and the pooled counts of the samples
    draws = np.random.default_rng(_SEED).multinomial(units, np.full(units, 1 / units), resamples)  # (B, n)
    labelled = np.tensordot(draws, np.stack([one.labelled.counts for one in counts]), 1)  # (B, 2 K, K)
    borders = np.tensordot(draws, np.stack([one.border for one in counts]), 1)  # (B, K, 2)
    bins = np.tensordot(draws, np.stack([one.reliability.sums for one in counts]), 1)  # (B, 15, 3)
    # metrics of each bootstrap sample
    drawn = [Counts(PartialConfusion(c), b, Reliability(r)) for c, b, r in zip(labelled, borders, bins, strict=True)]
    headlines = [one.headline() for one in drawn]
    by_class = [one.class_figures() for one in drawn]
    return {
        **{name: _interval(np.array([one[name] for one in headlines])) for name in headlines[0]},
        "classes": {
            name: {figure: _interval(np.array([one[figure][channel] for one in by_class])) for figure in by_class[0]}
            for channel, name in enumerate(names)
        },
    }


def _interval(values: npt.NDArray[np.float64]) -> list[float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a class without pixels in all samples is NaN, which becomes None
        return [rounded(value) for value in np.nanpercentile(values, PERCENTILES)]
