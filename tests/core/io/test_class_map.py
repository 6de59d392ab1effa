"""Classified rasters: what is one, and reading it in strips."""

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError, RasterReadError
from tests.factories import ONE_METRE, random_pixels, write_class_map, write_raster

IDS = np.arange(11 * 7).reshape(11, 7) % 7


@pytest.mark.parametrize("rows", [1, 4, 11, 50])
def test_strips_of_any_height_make_up_the_raster(tmp_path, rows):
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", IDS)) as source:
        strips = list(source.strips(rows))
    assert [first for first, _ in strips] == list(range(0, 11, rows))
    assert (np.concatenate([ids for _, ids in strips]) == IDS).all()


def test_grid_classes_and_model_are_those_of_the_file(tmp_path):
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", IDS, model="town")) as source:
        assert (source.scheme, source.model) == (DUBAI, "town")
        assert (source.grid.height, source.grid.width, source.grid.transform) == (11, 7, ONE_METRE)


@pytest.mark.parametrize("record", ["", "{", "[1, 2]", "null"])
def test_a_damaged_record_is_an_unknown_model(tmp_path, record):
    path = write_class_map(tmp_path / "m.tif", IDS)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(LANDCOVER_RUN=record)
    with ClassifiedSource(path) as source:
        assert source.model == ""


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (random_pixels(9, 9), r"it has 3 band\(s\) of uint8"),
        (np.ones((1, 9, 9), np.int16), r"it has 1 band\(s\) of int16"),
        (np.ones((1, 9, 9), np.uint8), "no class names"),
    ],
    ids=["image", "int16", "no names"],
)
def test_other_rasters_are_refused_and_closed(tmp_path, pixels, words):
    path = write_raster(tmp_path / "o.tif", pixels)
    with pytest.raises(RasterOpenError, match=words):
        ClassifiedSource(path)
    path.rename(tmp_path / "moved.tif")  # an open file could not be renamed on Windows
    with pytest.raises(RasterOpenError):
        ClassifiedSource(path)


def test_unnamed_ids_are_refused_with_the_known_ones(tmp_path):
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", IDS)) as source:
        source.check_ids(range(7))
        source.check_ids([])
        with pytest.raises(ClassSchemeError, match="its classes are 1 Water, 2 Land"):
            source.check_ids([1, 7])


def test_a_preview_shows_the_most_frequent_class(tmp_path):
    ids = np.full((8, 8), 2)
    ids[:4, :4] = 4
    ids[1:3, 1:3] = 1  # fewer pixels than the rest, in the middle of the cell
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", ids)) as source:
        assert source.preview(2, 2).tolist() == [[4, 2], [2, 2]]


def test_a_damaged_block_is_an_error_with_the_path(tmp_path):
    ids = np.random.default_rng(0).integers(1, 6, (64, 64))
    path = tmp_path / "m.tif"
    write_class_map(path, ids, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    with rasterio.open(path) as dataset:
        start = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    with ClassifiedSource(path) as source:
        assert (source.read(0, 16) == ids[:16]).all()
        with pytest.raises(RasterReadError, match=r"m\.tif cannot be read"):
            source.read(0, 64)


def test_the_cache_is_limited_inside_only():
    with rasterio.Env():
        with limited_cache():
            assert rasterio.env.getenv()["GDAL_CACHEMAX"] == 128 << 20
        assert "GDAL_CACHEMAX" not in rasterio.env.getenv()
