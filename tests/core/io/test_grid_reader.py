"""Reading a raster on the pixels of another grid."""

import numpy as np
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.grid_reader import GridReader, whole_offset
from tests.factories import ONE_METRE, write_class_map

UTM40 = CRS.from_epsg(32640)


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 20), st.integers(1, 20))
def test_whole_offsets_are_seen(col, row, height, width):
    own = Grid(50, 60, ONE_METRE, UTM40)
    wanted = Grid(height, width, ONE_METRE @ Affine.translation(col, row), UTM40)
    assert whole_offset(own, wanted) == (col, row)
    assert whole_offset(own, Grid(height, width, ONE_METRE @ Affine.translation(col + 0.3, row), UTM40)) is None


def test_pixels_outside_are_no_data(tmp_path):
    path = write_class_map(tmp_path / "a.tif", np.full((4, 5), 3))
    own = Grid(4, 5, ONE_METRE, UTM40)
    with GridReader(path, own, Grid(8, 8, ONE_METRE @ Affine.translation(-2, -1), UTM40)) as reader:
        values = reader.read(Window(0, 0, 8, 8))
        assert values[1:5, 2:7].tolist() == np.full((4, 5), 3).tolist()
        assert values.sum() == 60
        assert not reader.read(Window(6, 0, 2, 8)).any()
