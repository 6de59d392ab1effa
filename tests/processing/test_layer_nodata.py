"""No data values of layers, and the values that copies hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateTransformContext, QgsRasterLayer, QgsRasterRange, QgsRectangle

from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.layer_nodata import nodata_text, single_value
from tests.processing.qgis_fixtures import RecordingFeedback, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
VALUES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


@pytest.mark.parametrize(
    ("ranges", "missing"),
    [
        ([(1, 3)], [1, 2, 3]),
        ([(-5, 2.5)], [0, 1, 2]),
        ([(254.5, 1e9), (0, 0)], [0, 255]),
        ([(-9, -3), (7, 7)], [7]),
        ([(300, 400)], []),
    ],
)
def test_ranges_are_no_data_in_the_copy(tmp_path: Path, ranges: list[tuple[float, float]], missing: list[int]):
    layer = QgsRasterLayer(write_raster(tmp_path / "all.tif", VALUES), "all")
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(*pair) for pair in ranges])
    source = raster_input(layer, has_options=False)
    context, feedback = QgsCoordinateTransformContext(), RecordingFeedback()
    with opened_for_engine(source, QgsRectangle(), 1.0, context, feedback) as (path, _):
        band = (dataset := gdal.Open(path)).GetRasterBand(1)
        values, nodata = band.ReadAsArray(), band.GetNoDataValue()
        assert values.dtype == np.uint8
        del band, dataset
    valid = np.ones(values.shape, bool) if nodata is None else values != nodata
    assert sorted(set(range(256)) - set(values[valid].tolist())) == missing
    assert (values[valid] == VALUES[0][valid]).all()


def test_a_value_on_all_bands_is_an_option_of_the_request(tmp_path: Path):
    layer = QgsRasterLayer(write_raster(tmp_path / "two.tif", np.concatenate([VALUES, VALUES])), "two")
    provider = layer.dataProvider()
    for band in (1, 2):
        provider.setUserNoDataValue(band, [QgsRasterRange(9, 9)])
    found = raster_input(layer)
    assert (found.path, found.nodata) == (layer.source(), 9)
    assert found.notes == ("No data values set on the layer 'two' are used: 9.",)
    provider.setUserNoDataValue(2, [])
    assert (raster_input(layer).path, raster_input(layer).nodata) == ("", None)


def test_texts_and_single_values():
    ranges = {1: [QgsRasterRange(3, 9), QgsRasterRange(0, 0)]}
    assert nodata_text(ranges) == "0, 3 to 9"
    assert single_value(ranges, 1) is None
    assert single_value({1: [QgsRasterRange(0, 0)]}, 1) == 0
    assert single_value({1: [QgsRasterRange(0, 0)]}, 2) is None
