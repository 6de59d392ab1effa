"""Resampling between pixel sizes: nothing is lost, pieces agree with the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.resampling import Interpolation, cell_sums

SIZES = st.integers(1, 40)


def test_a_divided_pixel_counts_for_both_cells():
    values = np.array([2.0, 4, 8])
    assert cell_sums(values, np.array([0, 1.5, 3]), 0).tolist() == [4, 10]
    assert cell_sums(values, np.array([0.25, 0.75]), 0).tolist() == [1]


@given(SIZES, SIZES, st.sampled_from([0, 1, 2]))
def test_cells_sum_up_to_the_whole(length, cells, axis):
    values = np.random.default_rng(length).random((length, length, length))
    sums = cell_sums(values, np.linspace(0, length, cells + 1), axis)
    assert sums.shape[axis] == cells
    np.testing.assert_allclose(sums.sum(axis), values.sum(axis))


@given(SIZES, SIZES)
def test_a_constant_stays_constant(working, native):
    out = Interpolation(working, native)(np.full((2, working), 7, np.float32), 1, 0, native)
    assert out.shape == (2, native)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, 7, rtol=1e-6)


@given(SIZES, SIZES)
def test_a_slope_stays_a_slope_between_the_outermost_centres(working, more):
    native = working + more
    centres = np.arange(working, dtype=np.float32) + 0.5
    out = Interpolation(working, native)(centres, 0, 0, native)
    expected = (np.arange(native) + 0.5) * (working / native)
    np.testing.assert_allclose(out, expected.clip(0.5, working - 0.5), rtol=1e-5)


@given(SIZES, SIZES, st.data())
def test_a_part_is_that_of_the_whole_and_needs_no_other_pixels(working, native, data):
    first = data.draw(st.integers(0, native - 1))
    last = data.draw(st.integers(first + 1, native))
    values = np.random.default_rng(working).random((3, working)).astype(np.float32)
    resample = Interpolation(working, native)
    begin, end = resample.needed(first, last)
    assert 0 <= begin < end <= working
    part = resample(values[:, begin:end], 1, first, last, begin)
    np.testing.assert_allclose(part, resample(values, 1, 0, native)[:, first:last], rtol=2e-5)


def test_coarser_pixels_are_means():
    assert Interpolation(6, 2)(np.arange(6, dtype=np.float32), 0, 0, 2).tolist() == [1, 4]


def test_finer_pixels_lie_between_neighbours_and_repeat_the_border():
    out = Interpolation(2, 4)(np.array([0, 4], np.float32), 0, 0, 4)
    assert out.tolist() == pytest.approx([0, 1, 3, 4])
