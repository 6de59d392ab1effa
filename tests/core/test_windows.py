from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.errors import TilingError
from dubai_landcover_plugin.core.windows import TileGrid, Window, window_starts


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


@pytest.mark.parametrize("overlap", [-1, 32, 40])
def test_overlap_without_stride_is_refused(overlap):
    with pytest.raises(TilingError, match=r"0\.\.31 px"):
        TileGrid(100, 100, 32, overlap)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty_raster_is_refused(shape):
    with pytest.raises(TilingError, match="at least 1 px"):
        TileGrid(*shape, 32, 0)


def test_window_tells_where_it_is():
    assert str(Window(10, 20, 5, 6)) == "rows 10–14, columns 20–25"
