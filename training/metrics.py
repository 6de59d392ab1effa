"""Figures from a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data import IGNORE


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixel counts: rows are the labelled class, columns the predicted one.

    Args:
        counts: (K, K) int64.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, classes: int) -> Confusion:
        """Return a matrix of zeros."""
        return cls(np.zeros((classes, classes), np.int64))

    @classmethod
    def of(cls, labels: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], classes: int) -> Confusion:
        """Count (H, W) channel indices; pixels labelled ``IGNORE`` are left out."""
        counted = labels != IGNORE
        pairs = labels[counted].astype(np.int64) * classes + predicted[counted]
        return cls(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    @property
    def accuracy(self) -> float:
        """Share of labelled pixels that got their class; NaN without any."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """(K,) share of the predicted pixels that are right; NaN for a class never predicted."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """(K,) share of the labelled pixels that were found; NaN for a class never labelled."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """(K,) intersection over union; NaN for a class neither labelled nor predicted."""
        hits = np.diag(self.counts)
        return _ratio(hits, self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits)

    def to_json(self, names: list[str]) -> dict[str, Any]:
        """Return all figures, rounded to four digits; undefined ones are None and left out of means."""
        return {
            "pixels": int(self.counts.sum()),
            "accuracy": _rounded(self.accuracy),
            "miou": _rounded(_mean(self.iou)),
            "mean_precision": _rounded(_mean(self.precision)),
            "mean_recall": _rounded(_mean(self.recall)),
            "classes": {
                name: {
                    "iou": _rounded(self.iou[channel]),
                    "precision": _rounded(self.precision[channel]),
                    "recall": _rounded(self.recall[channel]),
                }
                for channel, name in enumerate(names)
            },
            "confusion": self.counts.tolist(),
        }


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part, np.float64) / np.asarray(whole, np.float64)


def _mean(values: npt.NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
