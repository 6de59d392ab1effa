"""Arrays are read with the pixels of files."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from dubai_landcover_plugin.core.io.array_source import read_array, resampling_of
from tests.factories import random_pixels


@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize(
    ("area", "shape"),
    [
        ((0, 0, 40, 50), (15, 20)),
        ((3, 7, 20, 30), (9, 13)),
        ((3.5, 7.25, 20, 20), (50, 50)),
        ((0, 0, 40, 50), (90, 77)),
    ],
)
def test_pixels_are_those_of_a_file(raster, area, shape, nodata):
    pixels = random_pixels(40, 50)
    valid = np.random.default_rng(1).random((40, 50)) > 0.3
    valid[:12, :12] = False
    path = raster(pixels if nodata is None else np.where(valid, pixels, 0), nodata=nodata)
    read, found = read_array(pixels, None if nodata is None else valid, area, shape)
    row, col, height, width = area
    how = {"window": Window(col, row, width, height), "out_shape": (3, *shape)}
    with rasterio.open(path) as dataset:
        expected = dataset.read(resampling=resampling_of((height / shape[0], width / shape[1])), **how)
    known = np.ones(shape, bool) if nodata is None else (expected != 0).any(axis=0)
    assert (found != known).mean() < 0.01  # a share of validity below 1/510 is rounded to none
    both = found & known
    assert (read[:, both] == expected[:, both]).all()
