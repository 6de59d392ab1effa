"""Result and table of an assessment that was made by hand."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.csv_table import TOTAL, assessment_csv
from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.core.assessment.result import Assessment, estimate_json
from dubai_landcover_plugin.protocol.classes import DUBAI

NONE = IntervalEstimate(float("nan"), float("nan"))
COUNTS = np.zeros((6, 6), np.int64)
COUNTS[1, 1], COUNTS[1, 3], COUNTS[3, 3], COUNTS[5, 3] = 8, 2, 9, 1  # Land, Building; one Unlabeled on the map


@pytest.fixture
def found():
    """Land, Building and Unlabeled occur; Water, Road and Vegetation do not."""
    figures = [NONE, IntervalEstimate(0.8, 0.1), NONE, IntervalEstimate(1.0, float("nan")), NONE, NONE]
    areas = [IntervalEstimate(0, 0), IntervalEstimate(80.5, 4), NONE, IntervalEstimate(119.5, 4), NONE, NONE]
    areas[2] = areas[4] = areas[5] = IntervalEstimate(0, 0)
    mapped = np.array([0, 100, 0, 90, 0, 10.0])
    overall = IntervalEstimate(17 / 20, 0.05)
    return Assessment(
        "points", DUBAI, COUNTS, COUNTS / 20, overall, None, figures, figures, mapped, areas, "m2", {}, [], ["odd"]
    )


def rows(found):
    return list(csv.DictReader(io.StringIO(assessment_csv(found))))


def test_classes_that_do_not_occur_are_left_out(found):
    assert found.shown == [1, 3, 5]
    assert found.labelled == [1, 3]
    assert [row["class"] for row in rows(found)] == ["Land", "Building", "Unlabeled", TOTAL]
    assert [key for key in rows(found)[0] if key.startswith("ref_")] == ["ref_Land", "ref_Building"]


def test_numbers_of_a_class(found):
    land, building, unlabeled, total = rows(found)
    assert (land["id"], land["ref_Land"], land["ref_Building"]) == ("2", "8", "2")
    assert (land["users_accuracy"], land["users_margin"]) == ("0.8", "0.1")
    assert (land["mapped_m2"], land["area_m2"], land["area_margin"]) == ("100", "80.5", "4")
    assert (building["users_accuracy"], building["users_margin"]) == ("1", "")
    assert unlabeled["users_accuracy"] == ""
    assert (total["id"], total["ref_Building"], total["users_accuracy"]) == ("", "12", "0.85")
    assert (total["mapped_m2"], total["area_m2"]) == ("200", "200")


def test_the_result_has_the_same_classes_and_no_nan(found):
    result = found.result().to_json()
    assert list(result["classes"]) == result["confusion"]["rows"] == ["Land", "Building", "Unlabeled"]
    assert result["confusion"]["columns"] == ["Land", "Building"]
    assert result["confusion"]["counts"] == [[8, 2], [0, 9], [0, 1]]
    assert result["classes"]["Building"]["users"] == {"value": 1.0, "margin": None}
    assert result["overall_classified"] is None
    assert result["warnings"] == ["odd"]


def test_a_class_that_was_compared_counts_as_shown_without_an_area(found):
    assert replace(found, mapped=np.zeros(6)).shown == [1, 3, 5]


def test_an_estimate_as_json():
    assert estimate_json(IntervalEstimate(1 / 3, float("inf"))) == {"value": 0.333333333, "margin": None}
