import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.resampling import Interpolation, cell_sums
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA, ClassDecision
from dubai_landcover_plugin.protocol.classes import DUBAI


def test_decision_takes_the_highest_and_rounds_to_percent():
    probabilities = np.array([[0.1, 0.3], [0.9, 0.2], [0.0, 0.2], [0.0, 0.2], [0.0, 0.1]], np.float32)[:, None]
    labels, confidence, _ = ClassDecision(DUBAI, 0.5)(probabilities, np.array([[True, True]]), with_confidence=True)
    assert labels.tolist() == [[2, 6]]
    assert confidence.tolist() == [[90, 30]]


def test_decision_leaves_invalid_pixels_out():
    probabilities = np.full((5, 1, 2), 0.2, np.float32)
    labels, confidence, _ = ClassDecision(DUBAI)(probabilities, np.array([[True, False]]), with_confidence=True)
    assert labels.tolist() == [[1, 0]]
    assert confidence.tolist() == [[20, CONFIDENCE_NODATA]]
    assert ClassDecision(DUBAI)(probabilities, np.array([[True, False]]), with_confidence=False)[1] is None


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_interpolation_keeps_constants_and_range_in_any_pieces(working, native, data):
    axis = Interpolation(working, native)
    values = np.random.default_rng(working * 61 + native).random((1, working), np.float32)
    whole = axis(values, 1, 0, native)
    assert whole.shape == (1, native)
    assert whole.min() >= values.min() - 1e-6
    assert whole.max() <= values.max() + 1e-6
    np.testing.assert_allclose(axis(np.full((1, working), 0.25, np.float32), 1, 0, native), 0.25, rtol=1e-6)
    cut = data.draw(st.integers(0, native))
    pieces = []
    for first, last in ((0, cut), (cut, native)):
        if last > first:
            low, high = axis.needed(first, last)
            assert 0 <= low < high <= working
            pieces.append(axis(values[:, low:high], 1, first, last, low))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=1e-6)


def test_finer_pixels_are_interpolated_between_centres():
    values = np.array([[0.0, 1.0]], np.float32)
    assert Interpolation(2, 4)(values, 1, 0, 4).tolist() == [[0.0, 0.25, 0.75, 1.0]]


def test_coarser_pixels_are_means():
    values = np.array([[0.0, 1.0, 2.0, 4.0]], np.float32)
    assert Interpolation(4, 2)(values, 1, 0, 2).tolist() == [[0.5, 3.0]]


@pytest.mark.parametrize(("working", "native"), [(7, 7)])
def test_equal_pixels_stay(working, native):
    values = np.arange(7, dtype=np.float32)[None]
    assert (Interpolation(working, native)(values, 1, 0, native) == values).all()


def test_means_are_not_shifted():
    """A ramp stays a ramp with the same middle, whatever the ratio."""
    for working, native in ((1510, 1000), (442, 260), (17, 9)):
        ramp = (np.arange(working, dtype=np.float32) + 0.5)[None] / working
        centres = (np.arange(native) + 0.5) / native
        shift = (Interpolation(working, native)(ramp, 1, 0, native)[0] - centres) * native  # px
        assert abs(shift.mean()) < 1e-3
        assert abs(shift).max() < 0.15  # a cut pixel counts as if it lay in the middle of its share


def test_cells_share_the_pixels_that_their_edges_cut():
    sums = cell_sums(np.array([[1.0, 2.0, 4.0]]), np.array([0.0, 1.5, 3.0]), 1)
    assert sums.tolist() == [[2.0, 5.0]]
