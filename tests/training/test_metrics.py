"""Figures by hand, and against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from training.data import IGNORE
from training.metrics import Confusion


def test_figures_by_hand() -> None:
    labels = np.array([[0, 0, 1], [1, 1, IGNORE]], np.uint8)
    predicted = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
    confusion = Confusion.of(labels, predicted, 3)
    assert confusion.counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert confusion.accuracy == pytest.approx(3 / 5)
    np.testing.assert_allclose(confusion.iou, [1 / 3, 2 / 4, np.nan])
    np.testing.assert_allclose(confusion.precision, [1 / 2, 2 / 3, np.nan])
    np.testing.assert_allclose(confusion.recall, [1 / 2, 2 / 3, np.nan])
    figures = confusion.to_json(["A", "B", "C"])
    assert figures["miou"] == pytest.approx((1 / 3 + 1 / 2) / 2, abs=1e-4)
    assert figures["classes"]["C"] == {"iou": None, "precision": None, "recall": None}
    assert figures["pixels"] == 5


def test_iou_agrees_with_torchmetrics() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = (draw.integers(5, size=(40, 40)).astype(np.uint8) for _ in range(2))
    expected = multiclass_jaccard_index(torch.tensor(predicted), torch.tensor(labels), 5, average=None)
    np.testing.assert_allclose(Confusion.of(labels, predicted, 5).iou, expected.numpy(), rtol=1e-6)


def test_confusions_add_up() -> None:
    draw = np.random.default_rng(1)
    labels, predicted = (draw.integers(3, size=(10, 10)).astype(np.uint8) for _ in range(2))
    parts = Confusion.of(labels[:4], predicted[:4], 3) + Confusion.of(labels[4:], predicted[4:], 3)
    np.testing.assert_array_equal(parts.counts, Confusion.of(labels, predicted, 3).counts)
    assert Confusion.empty(3).to_json(["A", "B", "C"])["accuracy"] is None
