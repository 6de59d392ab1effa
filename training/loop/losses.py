"""Losses on class logits with ignored pixels and partial labels.

The partial label ``NOT_CLASS + k`` excludes channel k: the focal loss uses ``1 - p_k`` as the probability of the label,
the Dice loss counts the pixel for class k only, the Lovász loss ignores it.

All losses take (N, K, H, W) logits, (N, H, W) int64 labels and, optionally, (N, H, W) pixel weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE

from ..config import LossConfig
from ..data.dataset import LabelledImage
from ..data.partial_labels import exclusion_surprise, split_labels
from ..data.splits import class_counts
from ..errors import ConfigError


class FocalLoss(nn.Module):
    """Mean over labelled pixels of ``alpha_t (1 - p_t)^gamma (-log p_t)``.

    ``p_t`` is the probability of the labelled class. With ``gamma`` 0 and without ``alpha`` this is cross entropy; with
    ``alpha`` the sum is divided by the sum of the weights, as in weighted cross entropy. Label smoothing replaces
    ``-log p_t`` by ``(1 - smoothing) (-log p_t) + smoothing mean_k (-log p_k)``; the other factors are unchanged.

    Args:
        gamma: Focusing parameter, at least 0.
        alpha: Class weights, or None for equal weights.
        ignore_index: Label of ignored pixels.
        smoothing: Share of the label distributed uniformly over all classes, 0..1.

    Source: Lin et al. 2017, https://doi.org/10.1109/ICCV.2017.324, equation 5; Szegedy et al. 2016,
    https://doi.org/10.1109/CVPR.2016.308, section 7, for the smoothing.
    """

    alpha: torch.Tensor | None

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: Sequence[float] | None = None,
        ignore_index: int = IGNORE,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise ConfigError(f"gamma must be at least 0, got {gamma}.")
        self.gamma, self.ignore_index, self.smoothing = gamma, ignore_index, smoothing
        self.register_buffer("alpha", None if alpha is None else torch.tensor(alpha, dtype=torch.float32))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return the loss as a scalar tensor; 0 if no pixel is labelled."""
        labels, excluded = split_labels(labels, self.ignore_index)
        # -log p_t of each pixel, (N, H, W), 0 where ignored
        surprise = functional.cross_entropy(logits, labels, reduction="none", ignore_index=self.ignore_index)
        # the same with label smoothing; the focusing factor keeps the unsmoothed p_t
        smoothed = surprise
        if self.smoothing:
            smoothed = functional.cross_entropy(
                logits, labels, reduction="none", ignore_index=self.ignore_index, label_smoothing=self.smoothing
            )
        # weight of each pixel: labelled or not, times border weight, times class weight
        counts = _counts(labels, weight, self.ignore_index, logits.dtype)
        if self.alpha is not None:
            counts = counts * self.alpha[labels.clamp(max=len(self.alpha) - 1)]
        if excluded is not None:
            # partial labels: -log(1 - p_k) instead of -log p_t, class weight 1
            partial = excluded != self.ignore_index
            surprise_not = exclusion_surprise(logits, excluded.clamp(max=logits.shape[1] - 1))
            surprise, smoothed = (torch.where(partial, surprise_not, part) for part in (surprise, smoothed))
            counts = counts + _counts(excluded, weight, self.ignore_index, logits.dtype)
        # (1 - p_t)^gamma, with 1 - p_t from expm1, which is exact for p_t near 1; the clamp keeps the gradient finite
        # for gamma below 1
        focus = (-torch.expm1(-surprise)).clamp(min=1e-8) ** self.gamma if self.gamma else 1.0
        return (counts * focus * smoothed).sum() / counts.sum().clamp(min=1e-8)


class DiceLoss(nn.Module):
    """One minus the soft Dice coefficient, averaged over the classes that occur in the labels of the batch.

    Args:
        smooth: Constant added to numerator and denominator, px; stabilizes the loss of rare classes.
        ignore_index: Label of ignored pixels.

    Source: Milletari et al. 2016, https://doi.org/10.1109/3DV.2016.79, with plain sums in the
    denominator.
    """

    def __init__(self, smooth: float = 1.0, ignore_index: int = IGNORE) -> None:
        super().__init__()
        self.smooth, self.ignore_index = smooth, ignore_index

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return the loss as a scalar tensor; 0 if no pixel is labelled."""
        labels, excluded = split_labels(labels, self.ignore_index)
        counts = _counts(labels, weight, self.ignore_index, logits.dtype).unsqueeze(1)  # (N, 1, H, W)
        indices = torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
        truth = (
            labels.unsqueeze(1) == indices
        )  # one-hot, (N, K, H, W); a comparison is much faster than one_hot on a CPU
        if excluded is not None:  # a pixel with partial label "not k" counts for class k only
            known = (excluded.unsqueeze(1) == indices).to(logits.dtype)  # (N, K, H, W)
            counts = counts + (known if weight is None else known * weight.unsqueeze(1).to(logits.dtype))
        # per class over the batch, (K,): labelled area, intersection, sum of predicted and labelled area
        probabilities = logits.softmax(dim=1) * counts
        axes = (0, 2, 3)
        labelled = (truth * counts).sum(axes)
        intersection = (probabilities * truth).sum(axes)
        size = probabilities.sum(axes) + labelled
        loss = 1 - (2 * intersection + self.smooth) / (size + self.smooth)
        # mean over the classes with labels in the batch
        occurs = labelled > 0
        return (loss * occurs).sum() / occurs.sum().clamp(min=1)


class LovaszLoss(nn.Module):
    """Lovász-Softmax: convex surrogate of the Jaccard loss, averaged over the classes that occur in the batch.

    The error of a pixel for a class is ``1 - p`` if the pixel has that label and ``p`` otherwise. The loss is the
    Lovász extension, at these errors, of the Jaccard loss ``1 - |A ∩ B| / |A ∪ B|`` as a function of the set of wrong
    pixels; for probabilities of 0 and 1 it equals the Jaccard loss. Pixels of weight 0 are ignored; other weights have
    no effect.

    Args:
        ignore_index: Label of ignored pixels.

    Source: Berman, Triki & Blaschko 2018, https://doi.org/10.1109/CVPR.2018.00464, equations 8 to 12.
    """

    def __init__(self, ignore_index: int = IGNORE) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return the loss as a scalar tensor; 0 if no pixel is labelled."""
        labels, _ = split_labels(labels, self.ignore_index)
        # the P labelled pixels of the batch: probabilities and one-hot labels, (K, P)
        counted = _counts(labels, weight, self.ignore_index, logits.dtype) > 0  # (N, H, W)
        probabilities = logits.softmax(dim=1).movedim(1, 0)[:, counted]
        truth = functional.one_hot(labels[counted], len(probabilities)).T.to(logits.dtype)
        occurs = truth.sum(dim=1) > 0
        if not bool(occurs.any()):
            return logits.sum() * 0
        # errors in descending order, weighted by the increase of the Jaccard loss at each of them
        errors, order = (truth - probabilities)[occurs].abs().sort(dim=1, descending=True)
        steps = jaccard_steps(truth[occurs].gather(1, order))
        return (errors * steps).sum(dim=1).mean()


def jaccard_steps(truth: torch.Tensor) -> torch.Tensor:
    """Return the increments of the Jaccard loss as pixels become wrong one after the other, (K, P).

    Args:
        truth: (K, P) float: 1 for pixels labelled with the class, else 0, by descending error.

    Source: Berman et al. 2018, algorithm 1.
    """
    size = truth.sum(dim=1, keepdim=True)  # (K, 1) labelled pixels
    # column j is the state in which the first j + 1 pixels are wrong: a wrong pixel of the class leaves the
    # intersection, a wrong pixel of another class enters the union
    intersection = size - truth.cumsum(dim=1)
    union = size + (1 - truth).cumsum(dim=1)
    loss = 1 - intersection / union
    return torch.diff(loss, dim=1, prepend=torch.zeros_like(size))


class SumLoss(nn.Module):
    """Weighted sum of focal, Dice and Lovász loss, with optional down-weighting of class borders.

    Args:
        config: Weights and parameters of the losses.
        alpha: Class weights of the focal loss, replacing ``config.alpha``.

    Raises:
        ConfigError: if ``config.alpha`` is ``balanced`` and no ``alpha`` is given.
    """

    def __init__(self, config: LossConfig, alpha: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = config.alpha if alpha is None else alpha
        if isinstance(weights, str):
            raise ConfigError("alpha = 'balanced' requires class weights from labels.", "Pass alpha.")
        parts = (
            (config.focal, FocalLoss(config.gamma, weights or None, smoothing=config.smoothing)),
            (config.dice, DiceLoss()),
            (config.lovasz, LovaszLoss()),
        )
        self.parts = nn.ModuleList(part for share, part in parts if share)
        self.shares = [share for share, _ in parts if share]
        self.border, self.border_weight = config.border, config.border_weight

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss as a scalar tensor; 0 if no pixel counts."""
        weight = border_weights(labels, self.border, self.border_weight) if self.border else None
        losses = [share * part(logits, labels, weight) for share, part in zip(self.shares, self.parts, strict=True)]
        return torch.stack(losses).sum()


def border_weights(labels: torch.Tensor, reach: int, weight: float) -> torch.Tensor:
    """Return pixel weights, (N, H, W) float32: ``weight`` within ``reach`` px of another class, 1 elsewhere.

    Distances are Chebyshev distances. The limit of the labelled area does not count as a border.
    """
    values = labels.unsqueeze(1).float()  # (N, 1, H, W)
    unknown = values == IGNORE
    size = 2 * reach + 1
    # the window contains a border if its maximum and minimum label differ; IGNORE exceeds every class, so it drops out
    # of the minimum by itself and is replaced by -1 for the maximum
    highest = functional.max_pool2d(values.masked_fill(unknown, -1), size, stride=1, padding=reach)
    lowest = -functional.max_pool2d(-values, size, stride=1, padding=reach)
    return torch.where((highest != lowest) & ~unknown, weight, 1.0).squeeze(1)


def balanced_alpha(images: Iterable[LabelledImage], classes: int) -> tuple[float, ...]:
    """Return class weights: the inverse square root of the class frequency, with mean 1 over the classes that occur.

    The square root is a compromise between equal weights and the inverse frequency, with which the rarest class would
    dominate. Classes without labels have weight 1.
    """
    counts = sum((class_counts(image.labels, classes) for image in images), start=np.zeros(classes))
    weights = np.zeros(classes)
    np.divide(1.0, np.sqrt(counts / max(counts.sum(), 1)), out=weights, where=counts > 0)
    weights /= weights[counts > 0].mean() if counts.any() else 1.0
    return tuple(float(weight) if count else 1.0 for weight, count in zip(weights, counts, strict=True))


def _counts(labels: torch.Tensor, weight: torch.Tensor | None, ignored: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the weight of each pixel, (N, H, W), 0 without a label."""
    labelled = (labels != ignored).to(dtype)
    return labelled if weight is None else labelled * weight.to(dtype)
