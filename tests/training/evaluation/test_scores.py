"""Counts of images, their sums and the intervals around what follows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from tests.training.dataset import draw_labels
from training.evaluation.scores import Counts, bootstrap, figures_json

NAMES = ["a", "b", "c", "d", "e"]


def count(seed: int, wrong: float = 0.3) -> Counts:
    draw = np.random.default_rng(seed)
    labels = draw_labels(seed, 48, 48)
    predicted = np.where(draw.random(labels.shape) < wrong, draw_labels(seed + 50, 48, 48), labels).astype(np.uint8)
    labels[:4] = IGNORE
    return Counts.of(labels, predicted, draw.random(labels.shape), 5, 2)


def test_sums_are_those_of_the_joined_images() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = draw_labels(1, 40, 40), draw_labels(2, 40, 40)
    labels[:, 18:22] = IGNORE  # wider than the border regions: nothing crosses it
    confidence = draw.random(labels.shape)
    parts = [Counts.of(labels[:, s], predicted[:, s], confidence[:, s], 5, 2) for s in (np.s_[:20], np.s_[20:])]
    total, whole = Counts.total(parts), Counts.of(labels, predicted, confidence, 5, 2)
    assert (total.confusion.counts == whole.confusion.counts).all()
    assert (total.border == whole.border).all()
    assert total.headline() == pytest.approx(whole.headline())


def test_counts_survive_json() -> None:
    counts = count(3)
    again = Counts.from_json(json.loads(json.dumps(counts.to_json())))
    assert again.headline() == pytest.approx(counts.headline(), abs=1e-5)
    assert (again.border == counts.border).all()


class TestIntervals:
    def test_they_are_those_of_a_plain_bootstrap(self) -> None:
        counts = [count(seed, 0.1 * seed) for seed in range(6)]
        found = bootstrap(counts, NAMES)
        draw = np.random.default_rng(7)
        accuracies = [
            Counts.total([counts[index] for index in draw.integers(6, size=6)]).headline()["accuracy"]
            for _ in range(1500)
        ]
        assert found["accuracy"] == pytest.approx(np.percentile(accuracies, (2.5, 97.5)).tolist(), abs=0.012)

    def test_they_hold_the_value_and_shrink_with_more_images(self) -> None:
        few, many = ([count(seed, 0.05 * (seed % 8)) for seed in range(images)] for images in (8, 48))
        widths = []
        for counts in (few, many):
            figures = figures_json(counts, NAMES, [str(number) for number in range(len(counts))])
            low, high = figures["intervals"]["miou"]
            assert low < figures["miou"] < high
            low_iou, high_iou = figures["intervals"]["classes"]["b"]["iou"]
            assert low_iou < figures["classes"]["b"]["iou"] < high_iou
            widths.append(high - low)
        assert widths[1] < 0.6 * widths[0]

    def test_they_repeat(self) -> None:
        counts = [count(seed) for seed in range(4)]
        assert bootstrap(counts, NAMES, 100) == bootstrap(counts, NAMES, 100)

    def test_they_resample_places(self) -> None:
        counts = [count(seed, 0.05 * (seed % 8)) for seed in range(16)]
        by_place = [Counts.total(counts[place::8]) for place in range(8)]
        figures = figures_json(counts, NAMES, [f"place {number % 8}" for number in range(16)])
        assert figures["places"] == 8
        assert figures["intervals"] == bootstrap(by_place, NAMES)
        assert figures["intervals"] != bootstrap(counts, NAMES)

    @pytest.mark.parametrize("places", [1, 2, 7])
    def test_images_at_fewer_than_eight_places_have_none(self, places: int) -> None:
        figures = figures_json([count(seed) for seed in range(20)], NAMES, [str(seed % places) for seed in range(20)])
        assert (figures["places"], figures["intervals"]) == (places, {})

    def test_equal_images_leave_no_doubt(self) -> None:
        found = bootstrap([count(1)] * 5, NAMES)
        assert found["accuracy"][0] == found["accuracy"][1]

    def test_a_class_that_never_occurs_has_none(self) -> None:
        labels = np.zeros((8, 8), np.uint8)
        counts = [Counts.of(labels, labels, np.ones((8, 8)), 2, 1)] * 8
        figures = figures_json(counts, ["a", "b"], list("abcdefgh"))
        assert figures["classes"]["b"]["iou"] is None
        assert figures["intervals"]["classes"]["b"]["iou"] == [None, None]
        assert figures["boundary_iou"] is None
        json.dumps(figures, allow_nan=False)
