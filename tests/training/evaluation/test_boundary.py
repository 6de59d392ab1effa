"""Boundary IoU against its definition, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from tests.training.dataset import draw_labels
from training.evaluation.boundary import boundary_counts, boundary_iou


def border(channels: np.ndarray, channel: int, distance: int) -> np.ndarray:
    """Pixels of a class with a pixel of another class in the square around them."""
    found = np.zeros(channels.shape, bool)
    for row, col in np.argwhere(channels == channel):
        around = channels[max(row - distance, 0) : row + distance + 1, max(col - distance, 0) : col + distance + 1]
        found[row, col] = ((around != channel) & (around != IGNORE)).any()
    return found


@pytest.mark.parametrize("distance", [1, 3])
def test_counts_are_those_of_the_definition(distance: int) -> None:
    labels, predicted = draw_labels(1, 40, 50), draw_labels(2, 40, 50)
    predicted[:, :25] = labels[:, :25]
    labels[5:12, 3:20] = IGNORE
    predicted[:, 48:] = IGNORE
    counts = boundary_counts(labels, predicted, 5, distance)
    known = (labels != IGNORE) & (predicted != IGNORE)
    maps = [np.where(known, channels, IGNORE) for channels in (labels, predicted)]
    for channel in range(5):
        here, there = (border(channels, channel, distance) for channels in maps)
        assert counts[channel].tolist() == [(here & there).sum(), (here | there).sum()]
    assert counts[:, 0].sum() > 0


def test_a_shifted_edge_costs_more_than_in_plain_iou() -> None:
    labels, predicted = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    labels[:, 20:], predicted[:, 22:] = 1, 1
    assert boundary_iou(boundary_counts(labels, labels, 2, 5)).tolist() == [1, 1]
    # Class 1 has its border in columns 20–24 of the labels and 22–26 of the prediction: 3 of 7 in common.
    assert boundary_iou(boundary_counts(labels, predicted, 2, 5)) == pytest.approx([3 / 7, 3 / 7])


def test_neither_the_image_nor_ignored_areas_end_a_class() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[5:9, 5:9] = IGNORE
    assert boundary_counts(labels, labels, 2, 3).tolist() == [[0, 0], [0, 0]]
    assert np.isnan(boundary_iou(boundary_counts(labels, labels, 2, 3))).all()
