import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.windows import TileGrid, window_starts
from dubai_landcover_plugin.core.segmentation.blending import TileRowBlender, axis_weights, trim_width
from dubai_landcover_plugin.core.segmentation.class_rows import most_probable


@given(st.integers(1, 300), st.integers(2, 64), st.data())
def test_weights_add_up_to_one_and_never_vanish_at_the_border(length, size, data):
    overlap = data.draw(st.integers(0, size // 2))
    trim = data.draw(st.integers(0, overlap // 2))
    size = min(size, length)
    overlap = min(overlap, size - 1)
    trim = min(trim, overlap // 2)
    starts = window_starts(length, size, overlap)
    weights = axis_weights(length, starts, size, overlap, trim)
    total = np.zeros(length)
    for weight, start in zip(weights, starts, strict=True):
        assert (weight >= 0).all()
        total[start : start + size] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert weights[0][0] > 0
    assert weights[-1][-1] > 0


def test_what_a_cut_edge_makes_wrong_counts_nothing():
    trim = trim_width(overlap=16, receptive_radius=5)
    assert trim == 5
    first, second = axis_weights(48, [0, 16], 32, 16, trim)
    assert (first[-5:] == 0).all()
    assert (second[:5] == 0).all()
    assert (first[:16] == 1).all()


@pytest.mark.parametrize(("overlap", "radius", "trim"), [(16, None, 4), (16, 3, 3), (16, 100, 8), (0, 5, 0)])
def test_trim_follows_the_receptive_radius_where_the_overlap_allows(overlap, radius, trim):
    assert trim_width(overlap, radius) == trim


@given(st.integers(1, 70), st.integers(1, 70), st.integers(4, 24), st.data())
def test_blocks_give_back_a_field_that_windows_agree_on(height, width, size, data):
    grid = TileGrid(height, width, size, data.draw(st.integers(0, size // 2)))
    radius = data.draw(st.sampled_from([None, 0, 2]))
    field = np.random.default_rng(height * 100 + width).random((3, height, width), np.float32)
    blender = TileRowBlender(grid, 3, radius)
    seen = np.zeros((height, width), int)
    blended = np.full_like(field, np.nan)
    for window in grid:
        for block in blender.add(window, field[:, window.rows, window.cols].copy()):
            _, rows, cols = block.probabilities.shape
            place = slice(block.row, block.row + rows), slice(block.col, block.col + cols)
            blended[(slice(None), *place)] = block.probabilities
            seen[place] += 1
    assert (seen == 1).all()  # each pixel is handed out once
    np.testing.assert_allclose(blended, field, atol=1e-5)


def test_skipped_windows_leave_the_others_as_they_are():
    grid = TileGrid(40, 40, 16, 0)
    blender = TileRowBlender(grid, 1)
    blended = np.zeros((40, 40))
    for window in grid:
        skipped = window.row == 0
        chip = None if skipped else np.ones((1, 16, 16), np.float32)
        for block in blender.add(window, chip):
            _, rows, cols = block.probabilities.shape
            blended[block.row : block.row + rows, block.col : block.col + cols] = block.probabilities[0]
    assert (blended[16:] == 1).all()
    assert (blended[:12] == 0).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(4, 24), st.data())
def test_windows_that_disagree_are_averaged_by_their_weights(height, width, size, data):
    """Each pixel is the sum over all windows of probability times row weight times column weight."""
    grid = TileGrid(height, width, size, data.draw(st.integers(0, size // 2)))
    draw = np.random.default_rng(height * 100 + width)
    answers = {window: draw.random((2, *grid.window_shape), np.float32) for window in grid}
    trim = trim_width(grid.overlap, None)
    weights = [
        dict(zip(starts, axis_weights(length, starts, side, grid.overlap, trim), strict=True))
        for length, starts, side in zip(
            (height, width), (grid.row_starts, grid.col_starts), grid.window_shape, strict=True
        )
    ]
    wanted, blended = np.zeros((2, height, width)), np.zeros((2, height, width))
    blender = TileRowBlender(grid, 2)
    for window, answer in answers.items():
        wanted[:, window.rows, window.cols] += answer * np.outer(weights[0][window.row], weights[1][window.col])
        for block in blender.add(window, answer.copy()):
            _, rows, cols = block.probabilities.shape
            blended[:, block.row : block.row + rows, block.col : block.col + cols] = block.probabilities
    np.testing.assert_allclose(blended, wanted, atol=1e-5)


def test_the_likeliest_class_is_that_of_argmax():
    draw = np.random.default_rng(0)
    for classes in (1, 2, 5, 9):
        values = np.round(draw.random((classes, 40, 30), np.float32), 1)  # with ties
        ids = draw.permutation(np.arange(1, 255))[:classes]
        highest, labels = most_probable(values, ids.tolist())
        np.testing.assert_array_equal(labels, ids[values.argmax(axis=0)])
        np.testing.assert_array_equal(highest, values.max(axis=0))


def test_carry_holds_the_overlap_only():
    blender = TileRowBlender(TileGrid(100_000, 64, 64, 8), 5)
    assert blender._below.shape[1] <= 10
