"""Sizes that headers describe are those of whole files, at most."""

import os

import pytest
import rasterio
import rasterio.shutil

from dubai_landcover_plugin.core.io.least_size import may_be_cut, sizes_needed
from tests.factories import random_pixels


@pytest.mark.parametrize(
    ("driver", "suffix", "options", "slack"),
    [
        ("ENVI", ".dat", {"INTERLEAVE": "BIP"}, 0),
        ("PCIDSK", ".pix", {}, 0),
        ("PCIDSK", ".pix", {"INTERLEAVING": "TILED"}, 1 << 17),
        ("HFA", ".img", {}, 15_000),  # names and tables follow the pixels
        ("HFA", ".img", {"COMPRESSED": "YES"}, 15_000),
        ("HFA", ".img", {"USE_SPILL": "YES"}, 1000),
        ("GPKG", ".gpkg", {}, 0),
        ("GTiff", ".tif", {}, None),
    ],
)
def test_whole_files(raster, tmp_path, driver, suffix, options, slack):
    path = tmp_path / f"copy{suffix}"
    rasterio.shutil.copy(raster(random_pixels(200, 300)), path, driver=driver, **options)
    with rasterio.open(path) as dataset:
        sizes = dict(sizes_needed(dataset))
    assert bool(sizes) == (slack is not None)
    if sizes:
        file = max(sizes, key=lambda one: one.stat().st_size)  # the spill file, if there is one
        assert file.stat().st_size - slack <= sizes[file] <= file.stat().st_size
        assert driver == "GPKG" or may_be_cut(path)


def test_a_tree_that_is_cut(raster, tmp_path):
    path = tmp_path / "copy.img"
    rasterio.shutil.copy(raster(random_pixels(20, 30)), path, driver="HFA")
    with rasterio.open(path) as dataset:
        os.truncate(path, 200)
        assert dict(sizes_needed(dataset))[path] > 200


def test_files_that_are_never_checked(tmp_path):
    assert not may_be_cut(tmp_path / "missing.img")
    (tmp_path / "image.tif").write_bytes(b"II*\0")
    assert not may_be_cut(tmp_path / "image.tif")
