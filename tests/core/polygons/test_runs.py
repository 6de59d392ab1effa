"""Runs of a strip and their neighbours, against a count pixel by pixel."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.polygons.runs import Runs

STRIPS = arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3))


@given(STRIPS)
def test_runs_give_the_strip_back(ids):
    runs = Runs.encode(ids)
    assert (np.repeat(runs.class_ids, runs.lengths).reshape(ids.shape) == ids).all()
    assert (runs.class_ids[runs.run_of_pixel] == ids).all()
    assert (runs.rows == runs.starts // ids.shape[1]).all()


@given(STRIPS)
def test_runs_are_as_long_as_they_can_be_and_end_with_the_row(ids):
    runs = Runs.encode(ids)
    for row, line in enumerate(ids):
        assert (runs.rows == row).sum() == 1 + np.count_nonzero(np.diff(line))
    assert (runs.starts % ids.shape[1] + runs.lengths <= ids.shape[1]).all()


@given(STRIPS)
def test_vertical_neighbours_share_as_many_pixels_as_counted_one_by_one(ids):
    runs = Runs.encode(ids)
    upper, lower, lengths = runs.vertical_neighbours()
    counted = Counter(zip(runs.run_of_pixel[:-1].ravel().tolist(), runs.run_of_pixel[1:].ravel().tolist(), strict=True))
    found = dict(zip(zip(upper.tolist(), lower.tolist(), strict=True), lengths.tolist(), strict=True))
    assert len(found) == len(upper)  # no pair twice
    assert found == counted


@given(STRIPS)
def test_horizontal_neighbours_follow_each_other_in_a_row(ids):
    runs = Runs.encode(ids)
    left, right = runs.horizontal_neighbours()
    assert (runs.rows[left] == runs.rows[right]).all()
    assert (runs.class_ids[left] != runs.class_ids[right]).all()
    assert len(left) == len(runs.starts) - len(ids)


@given(STRIPS)
def test_diagonal_neighbours_touch_at_a_corner_alone(ids):
    runs = Runs.encode(ids)
    number = runs.run_of_pixel
    expected = Counter()
    for row in range(ids.shape[0] - 1):
        for col in range(ids.shape[1] - 1):
            (a, b), (c, d) = number[row : row + 2, col : col + 2].tolist()
            expected[a, d] += a != b and d != b
            expected[b, c] += b != a and c != a
    found = Counter(zip(*(pairs.tolist() for pairs in runs.diagonal_neighbours()), strict=True))
    assert found == +expected


def test_nodata_is_not_valid_on_either_side():
    runs = Runs.encode(np.array([[0, 1, 2]], np.uint8))
    first, second = np.array([0, 1, 1]), np.array([1, 0, 2])
    assert runs.both_valid(first, second).tolist() == [False, False, True]
