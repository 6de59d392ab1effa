"""The figures of an evaluation against torchmetrics."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index, multiclass_precision, multiclass_recall

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion


def test_figures_agree_with_torchmetrics() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = (draw.integers(5, size=(40, 40)).astype(np.uint8) for _ in range(2))
    labels[:3] = IGNORE
    confusion = Confusion.of(labels, predicted, 5)
    for figure, reference in (
        (confusion.iou, multiclass_jaccard_index),
        (confusion.precision, multiclass_precision),
        (confusion.recall, multiclass_recall),
    ):
        expected = reference(
            torch.tensor(predicted), torch.tensor(labels), num_classes=5, average=None, ignore_index=IGNORE
        )
        np.testing.assert_allclose(figure, expected.numpy(), rtol=1e-6)


def test_confusions_add_up() -> None:
    draw = np.random.default_rng(1)
    labels, predicted = (draw.integers(3, size=(10, 10)).astype(np.uint8) for _ in range(2))
    parts = Confusion.of(labels[:4], predicted[:4], 3) + Confusion.of(labels[4:], predicted[4:], 3)
    np.testing.assert_array_equal(parts.counts, Confusion.of(labels, predicted, 3).counts)
