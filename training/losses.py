"""Losses over class logits that leave out pixels without a label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.core.accuracy import IGNORE
from training.config import LossConfig
from training.errors import ConfigError


class FocalLoss(nn.Module):
    """Mean over labelled pixels of ``alpha_t (1 - p_t)^gamma (-log p_t)``.

    ``p_t`` is the probability of the labelled class. With ``gamma`` 0 and no ``alpha`` this is cross entropy; with
    ``alpha`` the sum is divided by the sum of the weights, as in weighted cross entropy.

    Args:
        gamma: Focusing parameter, at least 0.
        alpha: Weight of each class, or None for equal weights.
        ignore_index: Label of pixels that do not count.

    Source: Lin et al. 2017, https://doi.org/10.1109/ICCV.2017.324, equation 5.
    """

    alpha: torch.Tensor | None

    def __init__(self, gamma: float = 2.0, alpha: Sequence[float] | None = None, ignore_index: int = IGNORE) -> None:
        super().__init__()
        if gamma < 0:
            raise ConfigError(f"gamma must be at least 0, got {gamma}.")
        self.gamma, self.ignore_index = gamma, ignore_index
        self.register_buffer("alpha", None if alpha is None else torch.tensor(alpha, dtype=torch.float32))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return a scalar for (N, K, H, W) logits and (N, H, W) int64 labels; 0 if no pixel is labelled."""
        # (N, H, W), 0 where ignored
        surprise = functional.cross_entropy(logits, labels, reduction="none", ignore_index=self.ignore_index)
        weight = (labels != self.ignore_index).to(logits.dtype)
        if self.alpha is not None:
            weight = weight * self.alpha[labels.clamp(max=len(self.alpha) - 1)]
        focus = (-torch.expm1(-surprise)).clamp(min=1e-8) ** self.gamma if self.gamma else 1.0
        # 1 - p_t by expm1, exact for sure pixels; the clamp keeps the slope finite for gamma below 1
        return (weight * focus * surprise).sum() / weight.sum().clamp(min=1e-8)


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

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return a scalar for (N, K, H, W) logits and (N, H, W) int64 labels; 0 if no pixel is labelled."""
        classes = logits.shape[1]
        labelled = (labels != self.ignore_index).unsqueeze(1)  # (N, 1, H, W)
        truth = functional.one_hot(labels.clamp(max=classes - 1), classes).movedim(-1, 1) * labelled  # (N, K, H, W)
        probabilities = logits.softmax(dim=1) * labelled
        axes = (0, 2, 3)
        both = (probabilities * truth).sum(axes)
        size = probabilities.sum(axes) + truth.sum(axes)
        loss = 1 - (2 * both + self.smooth) / (size + self.smooth)  # (K,)
        occurs = truth.sum(axes) > 0
        return (loss * occurs).sum() / occurs.sum().clamp(min=1)


class SumLoss(nn.Module):
    """Focal loss plus a weighted Dice loss, as a configuration asks for."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.focal = FocalLoss(config.gamma, config.alpha or None)
        self.dice = DiceLoss()
        self.share = config.dice

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return a scalar for (N, K, H, W) logits and (N, H, W) int64 labels."""
        loss: torch.Tensor = self.focal(logits, labels)
        return loss + self.share * self.dice(logits, labels) if self.share else loss
