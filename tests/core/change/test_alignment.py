"""Maps of other grids and CRSs."""

import os

import numpy as np
import pytest
import rasterio
import rasterio.features
from affine import Affine
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.change.alignment import align
from dubai_landcover_plugin.core.change.change_codes import UNCERTAIN
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.protocol.errors import (
    GeoreferenceError,
)
from tests.core.change.cases import UTM40, built, town
from tests.factories import ONE_METRE, write_raster


def test_only_the_common_area_of_shifted_tiles_is_compared(compare, make):
    ids = town(100, 120)
    first = make("a.tif", ids[:80, :90])
    second = make("b.tif", ids[30:, 40:], transform=ONE_METRE @ Affine.translation(40, 30))
    outcome, codes = compare(first, second)
    assert codes.shape == (50, 50)
    assert (codes == ids[30:80, 40:90] * 11).all()
    with rasterio.open(outcome["output"]) as dataset:
        assert dataset.transform == ONE_METRE @ Affine.translation(40, 30)
    assert any("50 × 50 px" in text for text in outcome["warnings"])


@pytest.mark.parametrize(
    ("transform", "size"),
    [
        (ONE_METRE @ Affine.translation(0.4, 0.3), (160, 200)),
        (ONE_METRE @ Affine.scale(0.5), (320, 400)),
        (ONE_METRE @ Affine.translation(100, -60) @ Affine.rotation(30), (260, 300)),
        (Affine(1, 0, 300_000, 0, 1, 2_779_840), (160, 200)),
    ],
    ids=["offset", "half a metre", "rotated", "upwards"],
)
@pytest.mark.parametrize("crs", [UTM40, None], ids=["UTM", "no CRS"])
def test_other_grids_are_read_on_the_earlier_ones_pixels(compare, make, transform, size, crs):
    ids = town()
    later, changed = built(ids)
    to_first = ~ONE_METRE @ transform
    rows, cols = np.indices(size) + 0.5
    x, y = to_first.a * cols + to_first.b * rows + to_first.c, to_first.d * cols + to_first.e * rows + to_first.f
    inside = (x >= 0) & (x < 200) & (y >= 0) & (y < 160)
    drawn = np.zeros(size, np.uint8)
    drawn[inside] = later[y[inside].astype(int), x[inside].astype(int)]
    outcome, codes = compare(make("a.tif", ids, crs=crs), make("b.tif", drawn, transform=transform, crs=crs))
    assert any("resampled" in text for text in outcome["warnings"])
    window = align(Grid(160, 200, ONE_METRE, crs), Grid(*size, transform, crs)).window
    part = np.s_[window.row : window.row + window.height, window.col : window.col + window.width]
    expected = np.where(changed, ids * 10 + later, ids * 11)[part]
    found = codes > 0
    assert found.mean() > 0.7
    assert (codes == expected)[found].mean() > 0.93
    houses = changed[part] & found
    assert (codes == expected)[houses].mean() > 0.9
    assert outcome["shift"]["pixels"] < 0.5


def test_another_crs(compare, make):
    ids = town()
    later, changed = built(ids)
    rows, cols = np.indices((170, 210)) + 0.5
    (west, east), (north, south) = warp_points("EPSG:32640", "EPSG:4326", [300_000, 300_200], [2_780_000, 2_779_840])[
        :2
    ]
    transform = Affine((east - west) / 200, 0, west, 0, -(north - south) / 160, north)
    lon, lat = transform.a * cols + transform.c, transform.e * rows + transform.f
    x, y = (
        np.array(v).reshape(lon.shape) for v in warp_points("EPSG:4326", "EPSG:32640", lon.ravel(), lat.ravel())[:2]
    )
    col, row = np.floor(x - 300_000).astype(int), np.floor(2_780_000 - y).astype(int)
    inside = (col >= 0) & (col < 200) & (row >= 0) & (row < 160)
    drawn = np.zeros((170, 210), np.uint8)
    drawn[inside] = later[row[inside], col[inside]]
    outcome, codes = compare(make("a.tif", ids), make("b.tif", drawn, transform=transform, crs="EPSG:4326"))
    assert any("another CRS" in text for text in outcome["warnings"])
    assert codes.shape == ids.shape
    assert (codes == np.where(changed, ids * 10 + later, ids * 11)).mean() > 0.9
    assert outcome["shift"]["pixels"] < 0.5


def test_confidence_moves_with_its_map(compare, make, tmp_path):
    ids = town(120, 120)
    place = {"transform": ONE_METRE @ Affine.translation(20, 10)}
    confidence = np.full((1, 100, 100), 80, np.uint8)
    confidence[0, :50] = 40
    path = str(write_raster(tmp_path / "c.tif", confidence, **place))
    _, codes = compare(ids, make("b.tif", ids[10:110, 20:120], **place), later_confidence=path, min_confidence=0.5)
    assert (codes[:50] == UNCERTAIN).all()
    assert (codes[50:] > UNCERTAIN).all()


def test_rasters_of_other_places_are_refused(compare, make, tmp_path):
    far = make("b.tif", town(), transform=ONE_METRE @ Affine.translation(5000, 0))
    with pytest.raises(GeoreferenceError, match="do not overlap"):
        compare(town(), far)
    with pytest.raises(GeoreferenceError, match="later raster has no CRS"):
        compare(town(), make("c.tif", town(), transform=ONE_METRE @ Affine.translation(1, 0), crs=None))
    assert sorted(os.listdir(tmp_path)) == ["b.tif", "c.tif", "earlier.tif"]


def test_one_crs_is_enough_for_equal_grids(compare, make):
    outcome, _ = compare(make("a.tif", town(), crs=None), town())
    assert outcome["unit"] == "m²"
    assert outcome["changed"] == 0
