"""The shift between two maps."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.change.change_codes import MISSING
from dubai_landcover_plugin.core.change.coregistration import estimate_shift
from dubai_landcover_plugin.core.grid.grid import Grid
from tests.core.change.cases import UTM40, built, town
from tests.factories import ONE_METRE


@pytest.mark.parametrize("shift", [(3, -2), (0, 0), (-7, 11)])
def test_a_shift_is_found_and_corrected(compare, shift):
    ids = town(200, 240)
    later, changed = built(ids)
    moved = np.roll(later, shift, (0, 1))
    outcome, _ = compare(ids, moved)
    found = outcome["shift"]
    assert (found["rows"], found["cols"]) == pytest.approx(shift, abs=0.25)
    assert found["metres"] == pytest.approx(np.hypot(*shift), abs=0.4)
    assert any("is shifted" in text for text in outcome["warnings"]) == (np.hypot(*shift) > 1)
    outcome, codes = compare(ids, moved, correct_shift=True)
    assert outcome["corrected"] == [shift[1], shift[0]]
    assert not any("is shifted" in text for text in outcome["warnings"])
    height, width = ids.shape
    top, left = max(-shift[0], 0), max(-shift[1], 0)
    expected = np.where(changed, ids * 10 + later, ids * 11)
    expected = expected[top : min(height - shift[0], height), left : min(width - shift[1], width)]
    assert codes.shape == expected.shape
    assert (codes == expected).mean() > 0.999  # rolled pixels at the rim of the window excepted


def test_shifts_of_parts_of_a_pixel_are_estimated(compare, make):
    fine = town(1200, 1200, 3)  # drawn at a quarter of a metre
    moved = np.roll(fine, (2, -3), (0, 1))
    outcome, _ = compare(fine[2::4, 2::4], moved[2::4, 2::4])
    assert (outcome["shift"]["rows"], outcome["shift"]["cols"]) == pytest.approx((0.5, -0.75), abs=0.2)


def test_unrelated_maps_have_no_shift(compare):
    outcome, _ = compare(town(300, 300, 1), town(300, 300, 2), correct_shift=True)
    assert outcome["shift"] is None
    assert outcome["corrected"] == [0, 0]
    assert any("could not be estimated" in text for text in outcome["warnings"])


def test_edges_of_the_data_are_no_edges():
    indices = np.zeros((100, 100), np.int16)
    first, second = indices.copy(), indices.copy()
    first[:, :30], second[:, :33] = MISSING, MISSING
    grid = Grid(100, 100, ONE_METRE, UTM40)
    assert estimate_shift(lambda w: (first[w.row :, w.col :], second[w.row :, w.col :]), grid) is None
