"""Losses against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from training.config import LossConfig
from training.data.dataset import NOT_CLASS, LabelledImage
from training.errors import ConfigError
from training.loop.losses import (
    DiceLoss,
    FocalLoss,
    LovaszLoss,
    SumLoss,
    balanced_alpha,
    border_weights,
    exclusion_surprise,
    jaccard_steps,
)


@pytest.fixture
def logits() -> torch.Tensor:
    torch.manual_seed(1)
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
    for loss in (FocalLoss(0.75), FocalLoss(0.75, smoothing=0.1), DiceLoss(), LovaszLoss()):
        torch.testing.assert_close(loss(other, labels), loss(logits, labels))


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(0.75),
        FocalLoss(2.0, smoothing=0.1),
        DiceLoss(),
        LovaszLoss(),
        SumLoss(LossConfig(lovasz=0.5, border=1, border_weight=0.5)),
    ],
)
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


def test_smoothing_is_that_of_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> None:
    expected = functional.cross_entropy(logits, labels, ignore_index=IGNORE, label_smoothing=0.2)
    torch.testing.assert_close(FocalLoss(0.0, smoothing=0.2)(logits, labels), expected)


def jaccard_loss(wrong: set[int], truth: set[int]) -> float:
    """Return 1 - |A ∩ B| / |A ∪ B| of a class whose pixels are ``truth`` where the pixels ``wrong`` are wrong."""
    found = truth ^ wrong
    return 1 - len(truth & found) / len(truth | found)


def lovasz_extension(errors: list[float], truth: set[int]) -> float:
    """Return the Lovász extension of the Jaccard loss by its definition, from scratch for each pixel."""
    order = sorted(range(len(errors)), key=lambda pixel: -errors[pixel])
    total = 0.0
    for rank, pixel in enumerate(order):
        before, after = set(order[:rank]), set(order[: rank + 1])
        total += errors[pixel] * (jaccard_loss(after, truth) - jaccard_loss(before, truth))
    return total


def test_lovasz_is_the_extension_by_its_definition() -> None:
    torch.manual_seed(3)
    logits, labels = torch.randn(2, 3, 2, 3), torch.randint(0, 2, (2, 2, 3))  # class 2 never occurs
    labels[0, 0, 0] = IGNORE
    counted = labels != IGNORE
    probabilities = logits.double().softmax(dim=1).movedim(1, 0)[:, counted]
    values = []
    for channel in (0, 1):
        truth = {index for index, label in enumerate(labels[counted].tolist()) if label == channel}
        hit = torch.tensor([index in truth for index in range(len(labels[counted]))])
        errors = torch.where(hit, 1 - probabilities[channel], probabilities[channel]).tolist()
        values.append(lovasz_extension(errors, truth))
    assert LovaszLoss()(logits, labels).item() == pytest.approx(sum(values) / 2, rel=1e-5)


def test_lovasz_of_certain_answers_is_the_jaccard_loss() -> None:
    """Every vertex: all 81 answers of three classes for four pixels."""
    labels = torch.tensor([[[0, 1], [1, 2]]])
    for answer in itertools.product(range(3), repeat=4):
        logits = functional.one_hot(torch.tensor(answer).view(1, 2, 2), 3).movedim(-1, 1).float() * 200
        losses = []
        for channel in range(3):
            found = {index for index, value in enumerate(answer) if value == channel}
            truth = {index for index, value in enumerate(labels.flatten().tolist()) if value == channel}
            losses.append(1 - len(found & truth) / len(found | truth))
        assert LovaszLoss()(logits, labels).item() == pytest.approx(sum(losses) / 3, abs=1e-6)


def test_the_steps_of_the_jaccard_loss_add_up_to_one() -> None:
    truth = torch.tensor([[1.0, 0, 1, 0, 0], [0, 0, 0, 0, 1]])
    steps = jaccard_steps(truth)
    assert (steps >= -1e-6).all()
    torch.testing.assert_close(steps.sum(dim=1), torch.ones(2))


def test_descending_the_lovasz_loss_raises_the_iou() -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (1, 8, 8))
    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    for _ in range(60):
        loss = LovaszLoss()(logits, labels)
        (slope,) = torch.autograd.grad(loss, logits)
        logits = (logits - 30 * slope).detach().requires_grad_()
    assert (logits.argmax(dim=1) == labels).float().mean() > 0.95


def test_pixels_near_another_class_weigh_less_and_the_edge_of_labels_is_no_border() -> None:
    labels = torch.full((1, 8, 12), IGNORE)
    labels[:, :, 2:7], labels[:, :, 7:] = 1, 3
    for reach in (1, 2):
        weights = border_weights(labels, reach, 0.25)
        expected = torch.ones(1, 8, 12)
        expected[:, :, 7 - reach : 7 + reach] = 0.25
        torch.testing.assert_close(weights, expected)


def test_border_pixels_do_not_count_at_weight_zero(logits: torch.Tensor) -> None:
    labels = torch.zeros(2, 7, 6, dtype=torch.long)
    labels[:, :, 3:] = 2
    inside = labels.clone()
    inside[:, :, 2:4] = IGNORE
    config = LossConfig(focal=1.0, dice=0.5, lovasz=0.25)
    with_border = SumLoss(LossConfig(focal=1.0, dice=0.5, lovasz=0.25, border=1))
    torch.testing.assert_close(with_border(logits, labels), SumLoss(config)(logits, inside))
    half = SumLoss(LossConfig(dice=0, gamma=0, border=1, border_weight=0.5))(logits, labels)
    whole, rest = (
        functional.cross_entropy(logits, part, ignore_index=IGNORE, reduction="sum") for part in (labels, inside)
    )
    torch.testing.assert_close(half, (whole + rest) / 2 / (2 * 7 * (4 + 0.5 * 2)))


def test_balanced_weights_go_with_one_over_the_root_of_the_share() -> None:
    labels = np.repeat(np.array([0, 1, IGNORE], np.uint8), (64, 4, 32)).reshape(10, 10)
    image = LabelledImage("a", np.zeros((10, 10, 3), np.uint8), labels)
    alpha = balanced_alpha([image, image], 3)
    assert alpha[1] / alpha[0] == pytest.approx(4)
    assert (alpha[0] + alpha[1]) / 2 == pytest.approx(1)
    assert alpha[2] == 1, "a class without labels"
    SumLoss(LossConfig(alpha="balanced"), alpha)
    with pytest.raises(ConfigError, match="requires class weights from labels"):
        SumLoss(LossConfig(alpha="balanced"))


def test_a_negative_gamma_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gamma must be at least 0, got -1"):
        FocalLoss(-1)


@pytest.mark.parametrize("gamma", [0.0, 0.75])
def test_what_a_pixel_is_not_costs_minus_log_of_one_minus_its_probability(gamma: float, logits: torch.Tensor) -> None:
    labels = torch.full((2, 7, 6), IGNORE)
    labels[0, 0, 0], labels[0, 1, 2], labels[1, 3, 3] = NOT_CLASS + 3, NOT_CLASS, 2
    probabilities = logits.double().softmax(dim=1)
    sure = [1 - probabilities[0, 3, 0, 0], 1 - probabilities[0, 0, 1, 2], probabilities[1, 2, 3, 3]]
    expected = sum((1 - p) ** gamma * -p.log() for p in sure) / 3
    assert FocalLoss(gamma)(logits, labels).item() == pytest.approx(expected.item(), rel=1e-4)


def test_excluded_classes_that_are_predicted_for_sure_stay_finite() -> None:
    logits = torch.tensor([60.0, 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    loss = FocalLoss(0.75)(logits, torch.full((1, 1, 1), NOT_CLASS))
    loss.backward()
    assert loss.item() == pytest.approx(60 - math.log(2), rel=1e-4)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_the_surprise_of_an_excluded_class_is_exact(logits: torch.Tensor) -> None:
    channels = torch.randint(0, 5, (2, 7, 6))
    p = logits.double().softmax(dim=1).gather(1, channels[:, None])[:, 0]
    torch.testing.assert_close(exclusion_surprise(logits.double(), channels), -torch.log1p(-p))


def test_dice_counts_an_excluded_pixel_for_its_class_alone() -> None:
    labels = torch.tensor([[[0, 1, NOT_CLASS]]])
    logits = torch.tensor([[[[30.0, 0.0, 30.0]], [[0.0, 30.0, 0.0]]]])  # 0, 1, 0: the last one is wrong
    # class 0: 2 * 1 / (2 + 1), class 1: as if the last pixel were not there
    expected = 1 - (2 / 3 + 2 / 2) / 2
    assert DiceLoss(smooth=0)(logits, labels).item() == pytest.approx(expected, abs=1e-5)


def test_lovasz_leaves_partial_labels_out(logits: torch.Tensor, labels: torch.Tensor) -> None:
    partial = labels.clone()
    partial[labels == IGNORE] = NOT_CLASS + 1
    torch.testing.assert_close(LovaszLoss()(logits, partial), LovaszLoss()(logits, labels))
