"""Confusion matrix, and the metrics that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORE = 255
"""Label of pixels that are ignored in training and in comparisons (ignore index)."""

MEANS = {"iou": "miou", "precision": "mean_precision", "recall": "mean_recall", "f1": "mean_f1"}
"""Name of the mean over the classes of each metric."""


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix of K classes: rows are the labelled class, columns the predicted one.

    Args:
        counts: (K, K) int64, pixels.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, classes: int) -> Confusion:
        """Return a matrix of zeros."""
        return cls(np.zeros((classes, classes), np.int64))

    @classmethod
    def of(cls, labels: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], classes: int) -> Confusion:
        """Count the pairs of two (H, W) arrays of class indices; pixels where either is ``IGNORE`` are skipped."""
        counted = (labels != IGNORE) & (predicted != IGNORE)
        pairs = labels[counted].astype(np.int64) * classes + predicted[counted]
        return cls(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    @property
    def accuracy(self) -> float:
        """Overall accuracy: fraction of labelled pixels with the right class; NaN without any."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """(K,) fraction of the predicted pixels that are right; NaN for a class that is never predicted."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """(K,) fraction of the labelled pixels that are found; NaN for a class that is never labelled."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """(K,) intersection over union; NaN for a class neither labelled nor predicted."""
        hits = np.diag(self.counts)
        return _ratio(hits, self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits)

    @property
    def f1(self) -> npt.NDArray[np.float64]:
        """(K,) harmonic mean of precision and recall; NaN for a class neither labelled nor predicted."""
        return _ratio(2 * np.diag(self.counts), self.counts.sum(axis=0) + self.counts.sum(axis=1))

    def class_figures(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the metrics of the classes, (K,) each."""
        return {"iou": self.iou, "precision": self.precision, "recall": self.recall, "f1": self.f1}

    def headline(self) -> dict[str, float]:
        """Return overall accuracy and the means over the classes, without undefined values."""
        means = {MEANS[figure]: mean_of_defined(values) for figure, values in self.class_figures().items()}
        return {"accuracy": self.accuracy, **means}

    def to_json(self, names: list[str]) -> dict[str, Any]:
        """Return all metrics, rounded to four digits; undefined ones are None and not part of means."""
        figures = self.class_figures()
        return {
            "pixels": int(self.counts.sum()),
            **{name: rounded(value) for name, value in self.headline().items()},
            "classes": {
                name: {figure: rounded(values[channel]) for figure, values in figures.items()}
                for channel, name in enumerate(names)
            },
            "confusion": self.counts.tolist(),
        }


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.true_divide(part, whole), np.float64)


def mean_of_defined(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the finite values; NaN without any."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else float("nan")


def rounded(value: float) -> float | None:
    """Return a value with four digits for JSON; None if it is undefined."""
    return round(float(value), 4) if np.isfinite(value) else None
