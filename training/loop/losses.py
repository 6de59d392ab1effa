"""Losses over class logits that leave out pixels without a label.

Pixels labelled ``NOT_CLASS + k`` are known to be anything but channel k: the focal loss takes ``1 - p_k`` for the
probability of their label, the Dice loss counts them for class k alone, the Lovász loss leaves them out.

All take (N, K, H, W) logits, (N, H, W) int64 labels and, if wanted, a (N, H, W) weight of each pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE

from ..config import LossConfig
from ..data.dataset import NOT_CLASS, LabelledImage
from ..data.splits import class_counts
from ..errors import ConfigError


class FocalLoss(nn.Module):
    """Mean over labelled pixels of ``alpha_t (1 - p_t)^gamma (-log p_t)``.

    ``p_t`` is the probability of the labelled class. With ``gamma`` 0 and no ``alpha`` this is cross entropy; with
    ``alpha`` the sum is divided by the sum of the weights, as in weighted cross entropy. Smoothing replaces
    ``-log p_t`` by ``(1 - smoothing) (-log p_t) + smoothing mean_k (-log p_k)`` and leaves the other factors.

    Args:
        gamma: Focusing parameter, at least 0.
        alpha: Weight of each class, or None for equal weights.
        ignore_index: Label of pixels that do not count.
        smoothing: Share of the label that goes to all classes alike, 0..1.

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
        """Return a scalar; 0 if no pixel is labelled."""
        labels, excluded = split_labels(labels, self.ignore_index)
        # (N, H, W), 0 where ignored
        surprise = functional.cross_entropy(logits, labels, reduction="none", ignore_index=self.ignore_index)
        price = surprise
        if self.smoothing:
            price = functional.cross_entropy(
                logits, labels, reduction="none", ignore_index=self.ignore_index, label_smoothing=self.smoothing
            )
        counts = _counts(labels, weight, self.ignore_index, logits.dtype)
        if self.alpha is not None:
            counts = counts * self.alpha[labels.clamp(max=len(self.alpha) - 1)]
        if excluded is not None:
            partial = excluded != self.ignore_index
            surprise_not = exclusion_surprise(logits, excluded.clamp(max=logits.shape[1] - 1))
            surprise, price = (torch.where(partial, surprise_not, part) for part in (surprise, price))
            counts = counts + _counts(excluded, weight, self.ignore_index, logits.dtype)
        focus = (-torch.expm1(-surprise)).clamp(min=1e-8) ** self.gamma if self.gamma else 1.0
        # 1 - p_t by expm1, exact for sure pixels; the clamp keeps the slope finite for gamma below 1
        return (counts * focus * price).sum() / counts.sum().clamp(min=1e-8)


def split_labels(labels: torch.Tensor, ignored: int = IGNORE) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return labels of known classes, and the channel that each other pixel is known not to be, or None without any.

    Both are (N, H, W) int64 with ``ignored`` where there is no such label.
    """
    partial = (labels >= NOT_CLASS) & (labels != ignored)
    if not bool(partial.any()):
        return labels, None
    return labels.masked_fill(partial, ignored), (labels - NOT_CLASS).masked_fill(~partial, ignored)


def exclusion_surprise(logits: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """Return (N, H, W): ``-log(1 - p_k)`` with k the channel in ``channels`` (N, H, W).

    Source: Kim et al. 2019, NLNL: Negative Learning for Noisy Labels, https://doi.org/10.1109/ICCV.2019.00019.
    """
    every = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    others = logits.masked_fill(channels.unsqueeze(1) == every, -torch.inf)
    # log of the sum of all probabilities minus log of the sum of the others': exact where p_k is near 1
    return logits.logsumexp(dim=1) - others.logsumexp(dim=1)


class DiceLoss(nn.Module):
    """One minus the soft Dice coefficient, mean over the classes that occur in the labels of the batch.

    Args:
        smooth: Pixels added to numerator and denominator, so that rare classes do not jump.
        ignore_index: Label of pixels that do not count.

    Source: Milletari et al. 2016, https://doi.org/10.1109/3DV.2016.79, with the plain sum in the denominator.
    """

    def __init__(self, smooth: float = 1.0, ignore_index: int = IGNORE) -> None:
        super().__init__()
        self.smooth, self.ignore_index = smooth, ignore_index

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return a scalar; 0 if no pixel is labelled."""
        labels, excluded = split_labels(labels, self.ignore_index)
        counts = _counts(labels, weight, self.ignore_index, logits.dtype).unsqueeze(1)  # (N, 1, H, W)
        every = torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
        truth = labels.unsqueeze(1) == every  # (N, K, H, W); comparing is much faster than one_hot on a CPU
        if excluded is not None:  # a pixel that is not class k counts for class k alone
            known = (excluded.unsqueeze(1) == every).to(logits.dtype)  # (N, K, H, W)
            counts = counts + (known if weight is None else known * weight.unsqueeze(1).to(logits.dtype))
        probabilities = logits.softmax(dim=1) * counts
        axes = (0, 2, 3)
        labelled = (truth * counts).sum(axes)  # (K,)
        both = (probabilities * truth).sum(axes)
        size = probabilities.sum(axes) + labelled
        loss = 1 - (2 * both + self.smooth) / (size + self.smooth)  # (K,)
        occurs = labelled > 0
        return (loss * occurs).sum() / occurs.sum().clamp(min=1)


class LovaszLoss(nn.Module):
    """Lovász-Softmax: a convex stand-in for the Jaccard loss, mean over the classes that occur in the batch.

    For a class, a pixel's error is ``1 - p`` where it is labelled with the class and ``p`` elsewhere. The loss is the
    Lovász extension, at these errors, of the Jaccard loss ``1 - |A ∩ B| / |A ∪ B|`` as a function of the set of wrong
    pixels; with certain answers (``p`` 0 or 1) it is the Jaccard loss itself. Pixels of weight 0 are left out, other
    weights make no difference.

    Args:
        ignore_index: Label of pixels that do not count.

    Source: Berman, Triki & Blaschko 2018, https://doi.org/10.1109/CVPR.2018.00464, equations 8 to 12.
    """

    def __init__(self, ignore_index: int = IGNORE) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return a scalar; 0 if no pixel is labelled."""
        labels, _ = split_labels(labels, self.ignore_index)
        counted = _counts(labels, weight, self.ignore_index, logits.dtype) > 0  # (N, H, W)
        probabilities = logits.softmax(dim=1).movedim(1, 0)[:, counted]  # (K, P)
        truth = functional.one_hot(labels[counted], len(probabilities)).T.to(logits.dtype)  # (K, P)
        occurs = truth.sum(dim=1) > 0
        if not bool(occurs.any()):
            return logits.sum() * 0
        errors, order = (truth - probabilities)[occurs].abs().sort(dim=1, descending=True)
        steps = jaccard_steps(truth[occurs].gather(1, order))
        return (errors * steps).sum(dim=1).mean()


def jaccard_steps(truth: torch.Tensor) -> torch.Tensor:
    """Return by how much the Jaccard loss of a class grows as its pixels become wrong, one after the other.

    Args:
        truth: (K, P) 1 where the pixel is labelled with the class, else 0, in the order of going wrong.

    Source: Berman et al. 2018, algorithm 1.
    """
    size = truth.sum(dim=1, keepdim=True)
    intersection = size - truth.cumsum(dim=1)
    union = size + (1 - truth).cumsum(dim=1)
    loss = 1 - intersection / union  # (K, P), after so many wrong pixels
    return torch.diff(loss, dim=1, prepend=torch.zeros_like(size))


class SumLoss(nn.Module):
    """Weighted sum of focal, Dice and Lovász loss, with less weight near borders between classes.

    Args:
        config: Weights and parameters.
        alpha: Weight of each class for the focal loss, in place of ``config.alpha``.

    Raises:
        ConfigError: if ``config.alpha`` is ``balanced`` and no ``alpha`` is given.
    """

    def __init__(self, config: LossConfig, alpha: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = config.alpha if alpha is None else alpha
        if isinstance(weights, str):
            raise ConfigError("alpha = 'balanced' needs labels to count.", "Give the weights of the classes.")
        parts = (
            (config.focal, FocalLoss(config.gamma, weights or None, smoothing=config.smoothing)),
            (config.dice, DiceLoss()),
            (config.lovasz, LovaszLoss()),
        )
        self.parts = nn.ModuleList(part for share, part in parts if share)
        self.shares = [share for share, _ in parts if share]
        self.border, self.border_weight = config.border, config.border_weight

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return a scalar; 0 if no pixel counts."""
        weight = border_weights(labels, self.border, self.border_weight) if self.border else None
        losses = [share * part(logits, labels, weight) for share, part in zip(self.shares, self.parts, strict=True)]
        return torch.stack(losses).sum()


def border_weights(labels: torch.Tensor, reach: int, weight: float) -> torch.Tensor:
    """Return (N, H, W) float32: ``weight`` within ``reach`` px of another class, 1 elsewhere.

    Distance is that of a chess king, to pixels with a label only: where the labels end there is no known border.
    """
    values = labels.unsqueeze(1).float()  # (N, 1, H, W)
    unknown = values == IGNORE
    size = 2 * reach + 1
    highest = functional.max_pool2d(values.masked_fill(unknown, -1), size, stride=1, padding=reach)
    lowest = -functional.max_pool2d(-values, size, stride=1, padding=reach)  # IGNORE is above every class
    return torch.where((highest != lowest) & ~unknown, weight, 1.0).squeeze(1)


def balanced_alpha(images: Iterable[LabelledImage], classes: int) -> tuple[float, ...]:
    """Return a weight for each class: one over the square root of its share of the labels, 1 on average.

    The square root lies between no weights and one over the share, with which the rarest class would drown the others.
    A class without a label gets weight 1, which no pixel ever uses.
    """
    counts = sum((class_counts(image.labels, classes) for image in images), start=np.zeros(classes))
    weights = np.zeros(classes)
    np.divide(1.0, np.sqrt(counts / max(counts.sum(), 1)), out=weights, where=counts > 0)
    weights /= weights[counts > 0].mean() if counts.any() else 1.0
    return tuple(float(weight) if count else 1.0 for weight, count in zip(weights, counts, strict=True))


def _counts(labels: torch.Tensor, weight: torch.Tensor | None, ignored: int, dtype: torch.dtype) -> torch.Tensor:
    """Return (N, H, W): how much each pixel counts, 0 without a label."""
    labelled = (labels != ignored).to(dtype)
    return labelled if weight is None else labelled * weight.to(dtype)
