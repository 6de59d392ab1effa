"""The result of a comparison: JSON, table and tags agree."""

import csv
import io

import numpy as np
import pytest

from dubai_landcover_plugin.core.change.change_codes import MISSING, UNCERTAIN, UNKNOWN, ChangeCoding
from dubai_landcover_plugin.core.change.coregistration import Shift
from dubai_landcover_plugin.core.change.result import Comparison
from dubai_landcover_plugin.core.change.transitions import TransitionMatrix
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.core.change.cases import UTM40, scheme
from tests.factories import ONE_METRE

CODING = ChangeCoding(scheme("Water", "Land"), scheme("Water", "Land"))
EARLIER = np.array([[0, 0, 1, 1, 1, UNKNOWN, MISSING]], np.int16)
LATER = np.array([[0, 1, 1, 1, 0, 0, 1]], np.int16)
CERTAIN = np.array([[True, True, True, False, True, False, False]])


@pytest.fixture
def outcome():
    grid = Grid(1, 7, ONE_METRE, UTM40)
    transitions = TransitionMatrix(2, grid)
    transitions.add(0, EARLIER, LATER, CERTAIN)
    transitions.areas *= 4
    return Comparison(
        ChangeRequest("a.tif", "b.tif", "o.tif"), CODING, transitions, Shift(2, -1, 4.5, 3, 1.0), (2, -1), ("", "m"),
        1, 7, None, ("odd",),
    )  # fmt: skip


def test_codes_that_occur_and_their_pixels(outcome):
    assert outcome.pixels_by_code() == {UNCERTAIN: 2, 11: 1, 12: 1, 21: 1, 22: 1}
    assert [code.id for code in outcome.legend()] == [UNCERTAIN, 11, 12, 21, 22]
    assert outcome.areas_by_code()[21] == pytest.approx(4, rel=2e-3)
    assert outcome.areas_by_code()[UNCERTAIN] == pytest.approx(2, rel=2e-3)


def test_the_json_has_the_same_numbers(outcome):
    result = outcome.result()
    assert {entry["code"]: entry["pixels"] for entry in result.legend} == outcome.pixels_by_code()
    assert result.changed + result.unchanged + result.uncertain == pytest.approx(result.compared)
    assert result.changed == pytest.approx(8, rel=2e-3)
    assert result.classes["Water"]["gain"] == result.classes["Land"]["loss"]
    assert (result.shift["cols"], result.shift["metres"], result.corrected) == (2, 4.5, (2, -1))
    assert (result.polygon_count, result.models, result.warnings) == (None, ("", "m"), ("odd",))


def test_the_table_has_all_pairs_and_adds_up(outcome):
    rows = list(csv.DictReader(io.StringIO(outcome.table())))
    assert [(row["from"], row["to"], row["code"], row["changed"]) for row in rows] == [
        ("Water", "Water", "11", "no"), ("Water", "Land", "12", "yes"), ("Land", "Water", "21", "yes"),
        ("Land", "Land", "22", "no"), ("", "Unlabeled", "1", ""),
    ]  # fmt: skip
    assert sum(float(row["percent"]) for row in rows) == pytest.approx(100 * 16 / 18, abs=1e-3)  # the rest is uncertain
    assert [row["uncertain_pixels"] for row in rows] == ["0", "0", "0", "1", "1"]
    assert sum(int(row["pixels"]) + int(row["uncertain_pixels"]) for row in rows) == outcome.transitions.all_pixels


def test_tags_explain_codes_and_classes(outcome):
    tags = outcome.tags()
    assert tags["CHANGE_12"] == "Water → Land"
    assert (tags["CHANGE_CLASS_1"], tags["CHANGE_CLASS_2"]) == ("Water", "Land")
    assert tags["CHANGE_CODING"].startswith("10 × number")
    outcome.transitions.pixels[0, 1] = 0
    assert "CHANGE_12" not in outcome.tags()
