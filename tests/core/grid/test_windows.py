from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window, fitting_side, spread_order, window_starts
from dubai_landcover_plugin.protocol.errors import TilingError


@given(st.integers(1, 3000), st.integers(1, 600), st.data())
def test_starts_cover_the_axis_with_the_overlap_and_few_windows(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    starts = window_starts(length, size, overlap)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] + size >= length
    assert starts[-1] == max(length - size, 0)
    assert all(later - earlier <= size - overlap for earlier, later in pairwise(starts))
    assert len(starts) == 1 + -(-max(length - size, 0) // (size - overlap))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.data())
def test_windows_lie_inside_and_cover_every_pixel(height, width, size, data):
    grid = TileGrid(height, width, size, data.draw(st.integers(0, size - 1)))
    seen = np.zeros((height, width), int)
    windows = list(grid)
    for window in windows:
        assert (window.height, window.width) == grid.window_shape
        part = seen[window.rows, window.cols]
        assert part.shape == grid.window_shape
        part += 1
    assert seen.min() >= 1
    assert len(windows) == len(grid)
    assert windows == sorted(windows, key=lambda window: (window.row, window.col))


@given(st.integers(1, 20_000), st.sampled_from([64, 256, 512]), st.integers(0, 24), st.sampled_from([1, 16, 32]))
def test_a_fitting_side_wastes_no_more_than_the_preferred_one(length, preferred, overlap, multiple):
    side = fitting_side(length, preferred, overlap, multiple)
    assert side % multiple == 0
    assert 0.7 * preferred <= side <= 1.3 * preferred

    def computed(size):
        return len(window_starts(length, size, overlap)) * min(size, length)

    assert computed(side) <= computed(preferred)


def test_windows_that_fit_waste_little():
    """The mosaic of tile 8: 37 % of the pixels were computed twice with windows of 512 px and 64 px of overlap."""
    sides = [fitting_side(length, 512, 24, 32) for length in (4437, 6447)]
    grid = TileGrid(4437, 6447, (sides[0], sides[1]), 24)
    assert len(grid) * sides[0] * sides[1] < 1.08 * 4437 * 6447


@pytest.mark.parametrize("overlap", [-1, 48])
def test_an_overlap_without_stride_fits_nothing(overlap):
    with pytest.raises(TilingError, match=r"0 to 47 px for windows of 48 px"):
        fitting_side(1000, 64, overlap, 16)


def test_bands_and_indices_are_those_of_the_whole():
    grid = TileGrid(90, 70, (32, 16), 8)
    windows = list(grid)
    assert [grid[index] for index in range(len(grid))] == windows
    assert [*grid.windows_of(0, 2), *grid.windows_of(2, len(grid.row_starts))] == windows


@pytest.mark.parametrize("overlap", [-1, 32, 40])
def test_overlap_without_stride_is_refused(overlap):
    with pytest.raises(TilingError, match=r"0 to 31 px"):
        TileGrid(100, 100, 32, overlap)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty_raster_is_refused(shape):
    with pytest.raises(TilingError, match="at least 1×1 px"):
        TileGrid(*shape, 32, 0)


def test_window_tells_where_it_is():
    assert str(Window(10, 20, 5, 6)) == "rows 10–14, columns 20–25"


def test_the_order_of_windows_is_spread_and_complete():
    order = spread_order(20, 30)
    assert sorted(order) == list(range(600))
    quarters = {(index // 30 // 10, index % 30 // 15) for index in order[:8]}
    assert len(quarters) == 4
