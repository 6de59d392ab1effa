import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion, compare_maps
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from tests.factories import write_class_map

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


def test_maps_are_compared_where_both_have_a_class(tmp_path):
    truth = write_class_map(tmp_path / "t.tif", [[1, 1, 4, 4, 0, 6]])
    result = write_class_map(tmp_path / "r.tif", [[1, 2, 4, 6, 4, 4]])
    figures = compare_maps(truth, result)
    assert figures["pixels"] == 3
    assert figures["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["classes"]["Building"]["iou"] == 1


def test_maps_on_other_pixels_are_refused(tmp_path):
    truth = write_class_map(tmp_path / "t.tif", [[1, 1]])
    with pytest.raises(GeoreferenceError, match="different grids"):
        compare_maps(truth, write_class_map(tmp_path / "r.tif", [[1, 1, 1]]))
