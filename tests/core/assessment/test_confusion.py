import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion

LABELS = np.array([[0, 0, 0, 1], [1, 1, IGNORE, 2]], np.uint8)
PREDICTED = np.array([[0, 0, 1, 1], [1, 0, 0, IGNORE]], np.uint8)


def test_figures_by_hand():
    confusion = Confusion.of(LABELS, PREDICTED, 3)
    assert confusion.counts.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert confusion.accuracy == pytest.approx(4 / 6)
    assert confusion.precision[:2] == pytest.approx([2 / 3, 2 / 3])
    assert confusion.recall[:2] == pytest.approx([2 / 3, 2 / 3])
    assert confusion.iou[:2] == pytest.approx([0.5, 0.5])
    assert np.isnan(confusion.iou[2])
    assert (confusion + confusion).counts.sum() == 12
    figures = confusion.to_json(["a", "b", "c"])
    assert figures["miou"] == 0.5
    assert figures["classes"]["c"] == {"iou": None, "precision": None, "recall": None, "f1": None}


def test_f1_and_means_by_hand():
    confusion = Confusion(np.array([[6, 2, 0], [1, 1, 0], [0, 0, 0]]))
    precision, recall = np.array([6 / 7, 1 / 3]), np.array([3 / 4, 1 / 2])
    assert confusion.f1[:2] == pytest.approx(2 * precision * recall / (precision + recall))
    assert confusion.headline() == pytest.approx(
        {
            "accuracy": 0.7,
            "miou": (6 / 9 + 1 / 4) / 2,
            "mean_precision": precision.mean(),
            "mean_recall": recall.mean(),
            "mean_f1": (12 / 15 + 2 / 5) / 2,
        }
    )


def test_nothing_labelled_is_no_number():
    assert Confusion.empty(2).to_json(["a", "b"])["accuracy"] is None
