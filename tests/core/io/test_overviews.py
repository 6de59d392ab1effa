"""Overviews are compared with the pixels that they stand for."""

import os

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.overviews import overview_agrees, used_level
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from tests.factories import random_pixels

RGB = ("red", "green", "blue")


@pytest.mark.parametrize(("scale", "level"), [(1.0, None), (1.6, None), (1.7, 0), (3.0, 0), (4.0, 1), (100.0, 2)])
def test_the_level_that_gdal_reads(scale, level):
    assert used_level([2, 4, 8], scale) == level


def terrain(height=301, width=207):
    """A smooth image with noise, uint8 (3, H, W)."""
    rows, cols = np.mgrid[:height, :width]
    smooth = 120 + 60 * np.sin(rows / 9) + 40 * np.cos(cols / 7)
    noise = np.random.default_rng(0).normal(0, 12, (3, height, width))
    return np.clip(smooth + noise, 1, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["nearest", "average", "bilinear", "cubic", "lanczos", "mode"])
@pytest.mark.parametrize("pixels", [terrain(), random_pixels(301, 207)], ids=["terrain", "noise"])
def test_true_overviews_pass(raster, method, pixels):
    path = raster(pixels)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling[method])
    with rasterio.open(path) as dataset:
        assert all(overview_agrees(dataset, band, factor) for band in (1, 3) for factor in (2, 4, 8))


def spoil(path, change):
    """Build overviews, then change the pixels without them."""
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(change(dataset.read()))
    return path


CHANGES = [
    pytest.param(lambda pixels: 255 - pixels, id="another image"),
    pytest.param(lambda pixels: np.roll(pixels, 12, 1), id="moved"),
    pytest.param(lambda pixels: (pixels // 4 + 1).astype(np.uint8), id="another stretch"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_wrong_overviews_are_not_read(raster, change):
    path = spoil(raster(terrain(), tiled=True, blockxsize=64, blockysize=64), change)
    with RasterSource(str(path), RGB) as source:
        shape, scale = (150, 103), (301 / 150, 207 / 103)
        chip = source.read(Window(0, 0, *shape), shape, scale)
        source.read_sample()
        again = source.reopen()
        with again:
            assert (again.read(Window(0, 0, *shape), shape, scale).values == chip.values).all()
            assert again.warnings == []
    assert len(source.warnings) == 1
    assert "do not show its pixels" in source.warnings[0]
    with rasterio.open(path, overview_level=None) as dataset:
        assert abs(chip.values.mean() - dataset.read().mean()) < 1


@pytest.mark.parametrize("shape", [(3, 600, 500), (1, 150, 103), "cut"], ids=str)
def test_overviews_of_another_raster_beside_the_file(raster, shape):
    path = raster(terrain(), tiled=True, blockxsize=64, blockysize=64)
    shown = terrain(150, 103) if shape == "cut" else np.ones(shape, np.uint8)
    other = raster(shown, "other.tif", tiled=True, blockxsize=64, blockysize=64)
    if shape == "cut":
        os.truncate(other, 30_000)
    other.rename(f"{path}.ovr")
    with RasterSource(str(path), RGB) as source:
        source.check_overviews(2.0)
        chip = source.read(Window(0, 0, 150, 103), (150, 103), (301 / 150, 207 / 103))
    assert abs(chip.values.mean() - terrain().mean()) < 1
    assert len(source.warnings) == 1


def test_overviews_that_were_never_filled(raster):
    path = raster(random_pixels(512, 640), tiled=True, blockxsize=64, blockysize=64)
    spoil(path, lambda pixels: pixels // 255 + 250)  # overviews stay dark
    with RasterSource(str(path), RGB) as source:
        source.read(Window(0, 0, 256, 320), (256, 320), (2.0, 2.0))
        assert len(source.warnings) == 1
