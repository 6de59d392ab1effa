"""Small rasters of a view."""

from __future__ import annotations

import numpy as np
import rasterio

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.teaching.view_raster import write_view
from dubai_landcover_plugin.protocol.class_tags import scheme_from_tags
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.factories import ONE_METRE

VALUES = np.arange(48, dtype=np.uint8).reshape(6, 8) % 7


def test_classes_have_names_colours_and_nodata(tmp_path):
    grid = Grid(6, 8, ONE_METRE, rasterio.crs.CRS.from_epsg(32640))
    assert write_view(str(tmp_path / "v.tif"), VALUES, grid, 1, DUBAI) == (6, 8)
    with rasterio.open(tmp_path / "v.tif") as dataset:
        assert np.array_equal(dataset.read(1), VALUES)
        assert (dataset.nodata, dataset.transform, dataset.crs) == (0, grid.transform, grid.crs)
        assert scheme_from_tags(dataset.tags()) == DUBAI
        assert dataset.colormap(1)[1] == (*DUBAI.classes[0].rgb, 255)
    assert [path.name for path in tmp_path.iterdir()] == ["v.tif"]


def test_coarser_files_take_the_middle_pixels(tmp_path):
    grid = Grid(6, 8, ONE_METRE, None)
    assert write_view(str(tmp_path / "c.tif"), VALUES, grid, 2, None) == (3, 4)
    with rasterio.open(tmp_path / "c.tif") as dataset:
        assert np.array_equal(dataset.read(1), VALUES[1::2, 1::2])
        assert (dataset.nodata, dataset.transform.a, dataset.transform.c) == (255, 2, ONE_METRE.c)
    assert write_view(str(tmp_path / "c.tif"), VALUES, grid, 100, None) == (1, 1)
