"""Partial labels count in the same way in validation, evaluation and calibration."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import draw_labels, make_image
from training.data.dataset import NOT_CLASS, LabelledImage
from training.data.partial_labels import PartialConfusion, class_labels
from training.evaluation.calibration import fit_scaling
from training.evaluation.cross_calibration import ScalingFigures
from training.evaluation.evaluate import in_channels_of
from training.evaluation.scores import Counts, figures_json
from training.monitoring.validation import summarize

NAMES = [entry.name for entry in DUBAI.classes]
_BUILDING = NAMES.index("Building")


def labels_and_prediction() -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a part says "not Building" and a part nothing, and another map."""
    labels = draw_labels(1, 60, 60)
    wrong = np.random.default_rng(0).integers(0, 5, labels.shape).astype(np.uint8)
    predicted = np.where(np.random.default_rng(1).random(labels.shape) < 0.4, wrong, labels)
    labels[:20][labels[:20] != _BUILDING] = NOT_CLASS + _BUILDING
    labels[50:] = IGNORE
    return labels, predicted


def test_evaluation_and_validation_have_the_same_figures() -> None:
    labels, predicted = labels_and_prediction()
    counts = Counts.of(labels, predicted, np.full(labels.shape, 0.5), 5, 2)
    evaluated = figures_json([counts], NAMES, ["a"])
    image = LabelledImage("a", np.zeros((60, 60, 3), np.uint8), labels)
    validated = summarize(PartialConfusion.of(labels, predicted, 5).counts[None, None], [image], NAMES)
    assert evaluated["miou"] == validated["miou"]
    assert evaluated["accuracy"] == validated["accuracy"]
    assert {name: figures["iou"] for name, figures in evaluated["classes"].items()} == {
        name: figures["iou"] for name, figures in validated["classes"].items()
    }
    alone = figures_json([Counts.of(class_labels(labels), predicted, np.full(labels.shape, 0.5), 5, 2)], NAMES, ["a"])
    assert evaluated["classes"]["Building"]["iou"] < alone["classes"]["Building"]["iou"]
    assert evaluated["partial_pixels"] == (labels == NOT_CLASS + _BUILDING).sum()
    assert Counts.from_json(json.loads(json.dumps(counts.to_json()))).headline() == pytest.approx(
        counts.headline(), abs=1e-5
    )


def test_pixels_without_a_prediction_are_not_counted() -> None:
    labels = np.full((4, 4), NOT_CLASS + _BUILDING, np.uint8)
    predicted = np.full((4, 4), _BUILDING, np.uint8)
    predicted[0] = IGNORE
    assert PartialConfusion.of(labels, predicted, 5).excluded[_BUILDING, _BUILDING] == 12


def test_partial_labels_are_converted_to_the_channels_of_a_model() -> None:
    turned = type(DUBAI)(DUBAI.classes[::-1], DUBAI.unlabeled)
    image = make_image(0, 32, 32)
    image.labels[:] = NOT_CLASS + _BUILDING
    found = in_channels_of(turned, DUBAI, image).labels
    assert set(np.unique(found)) == {NOT_CLASS + [entry.name for entry in turned.classes].index("Building")}


def test_a_temperature_is_found_from_partial_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20_000, 5, generator=generator)
    truth = torch.multinomial(torch.softmax(logits / 2.0, 1), 1, generator=generator)[:, 0].numpy()
    labels = np.where(np.arange(20_000) % 2 == 0, truth, np.where(truth == 0, 0, NOT_CLASS))  # class 0, or not it
    scaling = fit_scaling(logits.numpy(), labels)
    assert scaling.temperature == pytest.approx(2.0, rel=0.05)
    figures = ScalingFigures.of(scaling.probabilities(logits.numpy()), labels)
    assert figures.nll < ScalingFigures.of(torch.softmax(logits.double(), 1).numpy(), labels).nll
    assert figures.ece < 0.02
