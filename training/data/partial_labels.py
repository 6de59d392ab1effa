"""Partial labels: their counts for validation, evaluation and calibration, and their likelihood for losses.

The partial label ``NOT_CLASS + k`` says that a pixel has any class except ``k``: it counts against ``k`` where the
model predicts ``k``, and says nothing about the other classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion, mean_of_defined

from .dataset import NOT_CLASS, is_partial


def class_labels(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return labels with ``IGNORE`` in place of partial labels."""
    return np.where(is_partial(labels), np.uint8(IGNORE), labels)


def split_labels(labels: torch.Tensor, ignored: int = IGNORE) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Separate class labels from partial labels.

    Args:
        labels: (N, H, W) int64 channels, ``NOT_CLASS`` plus a channel, or ``ignored``.
        ignored: Label of ignored pixels.

    Returns:
        Class labels, and excluded channels or None if there are none; (N, H, W) int64 with ``ignored`` elsewhere.
    """
    partial = (labels >= NOT_CLASS) & (labels != ignored)
    if not bool(partial.any()):
        return labels, None
    return labels.masked_fill(partial, ignored), (labels - NOT_CLASS).masked_fill(~partial, ignored)


def exclusion_surprise(logits: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """Return ``-log(1 - p_k)`` of each pixel, (N, H, W), with k from ``channels`` (N, H, W).

    Source: Kim et al. 2019, NLNL: Negative Learning for Noisy Labels, https://doi.org/10.1109/ICCV.2019.00019.
    """
    indices = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    others = logits.masked_fill(channels.unsqueeze(1) == indices, -torch.inf)  # (N, K, H, W) without channel k
    # 1 - p_k = sum of exp over the other channels / sum over all; in logarithms this is exact for p_k near 1
    return logits.logsumexp(dim=1) - others.logsumexp(dim=1)


@dataclass(frozen=True)
class PartialConfusion:
    """Confusion matrix with partial labels.

    Args:
        counts: (2 K, K) int64 pixels; rows 0..K - 1 are the labelled class, rows K..2 K - 1 the class excluded by a
            partial label; columns are the predicted class.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, labels: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], classes: int) -> PartialConfusion:
        """Count pixels of labels and predicted channels, uint8 of one shape; those that are ``IGNORE`` are skipped."""
        # row of the matrix: k for class k, K + k for the partial label "not k"
        rows = labels.astype(np.int64)
        rows[is_partial(labels)] += classes - NOT_CLASS
        counted = (labels != IGNORE) & (predicted != IGNORE)
        pairs = rows[counted] * classes + predicted[counted]
        return cls(np.bincount(pairs, minlength=2 * classes * classes).reshape(2 * classes, classes))

    def __add__(self, other: PartialConfusion) -> PartialConfusion:
        return PartialConfusion(self.counts + other.counts)

    @property
    def full(self) -> Confusion:
        """Confusion matrix of the pixels with a class label."""
        return Confusion(self.counts[: len(self.counts) // 2])

    @property
    def excluded(self) -> npt.NDArray[np.int64]:
        """(K, K) pixels with partial labels: rows are the excluded class, columns the predicted one."""
        return self.counts[len(self.counts) // 2 :]

    @property
    def has_partial(self) -> bool:
        """Whether there are partial labels."""
        return bool(self.excluded.any())

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """IoU of each class, (K,), over the pixels with a class label or excluding that class; NaN without labels."""
        full = self.full.counts
        hits = np.diag(full).astype(np.float64)
        # predicted or labelled as k; partial labels contribute the pixels "not k" that are predicted as k
        union = full.sum(axis=0) + full.sum(axis=1) - hits + np.diag(self.excluded)
        return np.where(full.sum(axis=1) > 0, hits / np.maximum(union, 1), np.nan)

    def class_figures(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the metrics of the classes, (K,) each; with partial labels the IoU is :attr:`iou`."""
        figures = self.full.class_figures()
        return {**figures, "iou": self.iou} if self.has_partial else figures

    def headline(self) -> dict[str, float]:
        """Return overall accuracy and means over the classes; with partial labels ``miou`` is the mean of :attr:`iou`.

        Accuracy, precision and recall are those of the pixels with a class label.
        """
        figures = self.full.headline()
        return {**figures, "miou": mean_of_defined(self.iou)} if self.has_partial else figures
