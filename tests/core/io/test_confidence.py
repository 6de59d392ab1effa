import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.confidence import UNKNOWN, ConfidenceSource
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from tests.factories import ONE_METRE

GRID = Grid(2, 3, ONE_METRE, CRS.from_epsg(32640))
VALUES = [[0, 55, 100], [101, 120, 255]]


@pytest.fixture
def confidence(tmp_path):
    """Return a function that writes a confidence raster."""

    def write(values, dtype="uint8", nodata=None, crs="EPSG:32640", transform=ONE_METRE, tags=(), count=1, **options):
        values = np.asarray(values)
        path = tmp_path / "c.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=count, dtype=dtype,
            nodata=nodata, crs=crs, transform=transform, **options,
        ) as file:  # fmt: skip
            file.write(np.stack([values.astype(dtype)] * count))
            file.update_tags(**dict(tags))
        return path

    return write


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_every_type_is_read_as_percent(confidence, dtype):
    with ConfidenceSource(confidence(VALUES, dtype), GRID) as source:
        rows = source.read(0, 2)
        window = source.window(Window(0, 0, 2, 3))
        pixels = source.at(np.array([0, 0, 1]), np.array([1, 2, 1]))
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, [[0, 55, 100], [UNKNOWN, UNKNOWN, UNKNOWN]])
    assert window.dtype == np.float32
    np.testing.assert_array_equal(window, [[0, 55, 100], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(pixels, [55, 100, np.nan])


def test_real_numbers_are_rounded_where_they_are_counted(confidence):
    with ConfidenceSource(confidence([[54.6, np.nan, -1]], "float32"), Grid(1, 3, ONE_METRE, None)) as source:
        assert source.read(0, 1).tolist() == [[55, UNKNOWN, UNKNOWN]]
        assert source.window(Window(0, 0, 1, 3))[0, 0] == np.float32(54.6)


def test_nodata_of_the_file_counts(confidence):
    with ConfidenceSource(confidence(VALUES, nodata=0), GRID) as source:
        assert source.read(0, 1).tolist() == [[UNKNOWN, 55, 100]]


@pytest.mark.parametrize("crs", ["EPSG:4326", None])
def test_the_crs_does_not_count(confidence, crs):
    with ConfidenceSource(confidence(VALUES, crs=crs), GRID) as source:
        assert source.read(0, 1).tolist() == [[0, 55, 100]]


def test_another_grid_is_read_through_the_class_map_s(confidence):
    path = confidence(VALUES, crs=None)
    shifted = Grid(3, 3, ONE_METRE @ Affine.translation(1, -1), GRID.crs)
    with ConfidenceSource(path, GRID, shifted) as source:
        found = source.window(Window(0, 0, 3, 3))
    np.testing.assert_array_equal(found, [[np.nan] * 3, [55, 100, np.nan], [np.nan] * 3])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"count": 2}, "confidence raster"),
        ({"tags": {"CLASS_1": "Water #E2A929"}}, "confidence raster"),
        ({"transform": ONE_METRE @ Affine.translation(0.5, 0)}, "other pixels than"),
    ],
)
def test_other_rasters_are_refused(confidence, changes, text):
    with pytest.raises(RasterOpenError, match=text):
        ConfidenceSource(confidence(VALUES, **changes), GRID)


def test_another_size_is_named(confidence):
    with pytest.raises(RasterOpenError, match=r"3 × 2 px.*3 × 5 px"):
        ConfidenceSource(confidence(VALUES), Grid(5, 3, ONE_METRE, GRID.crs))


def test_damaged_blocks_are_named(confidence):
    path = confidence(np.full((200, 3), 50), compress="deflate")
    with rasterio.open(path) as file:
        start = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[start : start + 8] = bytes(8)
    path.write_bytes(content)
    with (
        ConfidenceSource(path, Grid(200, 3, ONE_METRE, None)) as source,
        pytest.raises(RasterReadError, match=r"c\.tif cannot be read"),
    ):
        source.read(0, 200)
