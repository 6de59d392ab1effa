"""Reliability of the confidence: accuracy by confidence bin and expected calibration error.

Source: Guo et al. 2017, On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.confusion import rounded

BINS = 15
"""Number of bins, as in the paper."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Pixels by confidence: bin *m* contains confidences in (*m*/15, (*m* + 1)/15].

    Args:
        sums: (15, 3) float64: pixels, correct pixels, sum of confidences (0..1).
    """

    sums: npt.NDArray[np.float64]

    @classmethod
    def empty(cls) -> Reliability:
        """Return empty bins."""
        return cls(np.zeros((BINS, 3)))

    @classmethod
    def of(cls, confidence: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_]) -> Reliability:
        """Count pixels.

        Args:
            confidence: (n,) highest probability of each pixel, 0..1.
            correct: (n,) whether its class is the labelled one.
        """
        values = np.asarray(confidence, np.float64)
        bins = np.clip(np.ceil(values * BINS).astype(np.int64) - 1, 0, BINS - 1)
        weights = (np.ones(len(values)), correct, values)
        return cls(np.stack([np.bincount(bins, weight, BINS) for weight in weights], axis=1))

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(self.sums + other.sums)

    @property
    def error(self) -> float:
        """Expected calibration error: mean of abs(confidence - accuracy) over the bins, weighted by pixels; 0..1."""
        pixels, correct, confidence = self.sums.T
        return float(np.abs(confidence - correct).sum() / pixels.sum()) if pixels.any() else float("nan")

    @property
    def excess(self) -> float:
        """Mean confidence minus accuracy; positive values mean overconfidence."""
        pixels, correct, confidence = self.sums.T
        return float((confidence - correct).sum() / pixels.sum()) if pixels.any() else float("nan")

    def table(self) -> list[dict[str, Any]]:
        """Return one row per bin: limits, pixels, mean confidence and accuracy (None in empty bins)."""
        rows = []
        for index, (pixels, correct, confidence) in enumerate(self.sums):
            known = max(pixels, 1)
            rows.append(
                {
                    "low": rounded(index / BINS),
                    "high": rounded((index + 1) / BINS),
                    "pixels": int(pixels),
                    "confidence": rounded(confidence / known) if pixels else None,
                    "accuracy": rounded(correct / known) if pixels else None,
                }
            )
        return rows
