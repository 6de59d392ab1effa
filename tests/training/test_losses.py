"""Losses against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.accuracy import IGNORE
from training.config import LossConfig
from training.errors import ConfigError
from training.losses import DiceLoss, FocalLoss, SumLoss


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(2, 5, 7, 6) * 3


@pytest.fixture
def labels() -> torch.Tensor:
    drawn = torch.randint(0, 5, (2, 7, 6))
    drawn[0, :2] = IGNORE
    return drawn


def test_gamma_zero_is_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> None:
    expected = functional.cross_entropy(logits, labels, ignore_index=IGNORE)
    torch.testing.assert_close(FocalLoss(0.0)(logits, labels), expected)


def test_gamma_zero_with_alpha_is_weighted_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> None:
    alpha = (0.5, 1.0, 2.0, 3.0, 0.1)
    expected = functional.cross_entropy(logits, labels, weight=torch.tensor(alpha), ignore_index=IGNORE)
    torch.testing.assert_close(FocalLoss(0.0, alpha)(logits, labels), expected)


@pytest.mark.parametrize("gamma", [0.75, 2.0])
def test_focal_loss_is_its_formula(gamma: float, logits: torch.Tensor, labels: torch.Tensor) -> None:
    terms = []
    for n, row, col in torch.nonzero(labels != IGNORE).tolist():
        p = logits[n, :, row, col].double().softmax(dim=0)[labels[n, row, col]].item()
        terms.append((1 - p) ** gamma * -math.log(p))
    assert FocalLoss(gamma)(logits, labels).item() == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_ignored_pixels_change_nothing(logits: torch.Tensor, labels: torch.Tensor) -> None:
    other = logits.clone()
    other[0, :, :2] += 50 * torch.randn(5, 2, 6)
    for loss in (FocalLoss(0.75), DiceLoss()):
        torch.testing.assert_close(loss(other, labels), loss(logits, labels))


@pytest.mark.parametrize("loss", [FocalLoss(0.75), FocalLoss(2.0), DiceLoss(), SumLoss(LossConfig())])
def test_gradients_are_finite_even_for_sure_and_for_unlabelled_pixels(loss: torch.nn.Module) -> None:
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    for sure in (torch.tensor([100.0, 0, 0, 0, 0]), torch.tensor([-100.0, 0, 0, 0, 0])):
        logits = sure.view(1, 5, 1, 1).repeat(1, 1, 2, 2).requires_grad_()
        loss(logits, labels).backward()
        assert torch.isfinite(logits.grad).all()
    logits = torch.randn(1, 5, 2, 2, requires_grad=True)
    value = loss(logits, torch.full((1, 2, 2), IGNORE))
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


def test_dice_is_zero_for_a_perfect_and_near_one_for_a_wrong_answer() -> None:
    labels = torch.zeros(1, 32, 32, dtype=torch.long)
    labels[:, 16:] = 3
    perfect = functional.one_hot(labels, 5).movedim(-1, 1).float() * 100
    assert DiceLoss()(perfect, labels).item() == pytest.approx(0, abs=1e-3)
    wrong = perfect.roll(1, dims=1)
    assert DiceLoss()(wrong, labels).item() == pytest.approx(1, abs=0.01)


def test_dice_by_hand() -> None:
    """Two of four pixels are class 1; all probabilities are one half: 2 * 1 / (2 + 2) for both classes."""
    labels = torch.tensor([[[0, 0], [1, 1]]])
    assert DiceLoss(smooth=0)(torch.zeros(1, 2, 2, 2), labels).item() == pytest.approx(0.5)


def test_the_sum_adds_its_share(logits: torch.Tensor, labels: torch.Tensor) -> None:
    expected = FocalLoss(0.75)(logits, labels) + 0.5 * DiceLoss()(logits, labels)
    torch.testing.assert_close(SumLoss(LossConfig(gamma=0.75, dice=0.5))(logits, labels), expected)


def test_a_negative_gamma_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gamma must be at least 0, got -1"):
        FocalLoss(-1)
