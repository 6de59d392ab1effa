"""Which pixels count as missing."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.io.validity import (
    can_occur,
    equals_any,
    is_alpha,
    is_measured,
    nodata_warning,
    rounded,
)

LOWEST = float(np.finfo(np.float32).min)


@pytest.mark.parametrize(
    ("stored", "stated", "same"),
    [
        (np.float32(0.1), 0.1, True),
        (np.float32(-9999.9), -9999.9, True),
        (np.float32(-12345678), -1.23457e7, True),  # six significant digits
        (np.float32(-12346000), -1.23457e7, False),
        (np.float64(-9999.0), -9999.4, False),
        (np.int16(-9999), -9999.0, True),
        (np.uint8(0), -9999.0, False),
        (np.float32(np.nan), np.nan, False),  # is_measured() finds it
    ],
)
def test_nodata_in_the_type_of_the_band(stored, stated, same):
    values = np.array([stored, stored])
    assert equals_any(values, [rounded(stated, values.dtype.name)]).tolist() == [same, same]


def test_what_no_sensor_measures():
    values = np.array([0, -9999, np.nan, np.inf, LOWEST, -3.40282e38, 1e20, 1e18], np.float32)
    assert is_measured(values).tolist() == [True, True, False, False, False, False, False, True]
    assert is_measured(np.array([-1.7976931348623157e308])).tolist() == [False]


@pytest.mark.parametrize(
    ("value", "kind", "possible"),
    [(255, "uint8", True), (256, "uint8", False), (-1, "uint8", False), (0.5, "int16", False), (0.5, "float32", True),
     (np.nan, "uint8", False)],
)  # fmt: skip
def test_values_that_a_type_holds(value, kind, possible):
    assert can_occur(value, kind) == possible


class TestAlpha:
    @pytest.mark.parametrize("full", [255, 65535, 1])
    def test_transparent_and_opaque(self, full):
        values = np.zeros((20, 50), np.uint16)
        values[6:] = full
        assert is_alpha([values])
        values[:2, :30] = full // 2  # soft edges
        assert is_alpha([values])

    def test_lossy_compression_changes_it_a_little(self):
        noise = np.random.default_rng(0).integers(0, 4, (20, 50))
        assert is_alpha([np.where(np.arange(50) < 20, noise, 255 - noise).astype(np.uint8)])

    def test_near_infrared(self):
        values = np.random.default_rng(0).integers(20, 200, (20, 50)).astype(np.uint8)
        values[:8] = 0  # a lake
        assert not is_alpha([values])

    def test_all_transparent(self):
        assert is_alpha([np.zeros((2, 5), np.uint8)])

    @pytest.mark.parametrize("width", [16, 40, 64])
    @pytest.mark.parametrize("full", [255, 65535, 1.0])
    def test_faded_edges_of_a_mosaic(self, width, full):
        rows, cols = np.mgrid[:192, :192]
        distance = np.minimum.reduce([rows, cols, 191 - rows, 191 - cols])
        values = np.clip(distance / width, 0, 1) * full
        values = values.astype(np.float32) if full == 1.0 else np.rint(values).astype(np.uint16)
        assert is_alpha([values[row : row + 64, col : col + 64] for row in (0, 64, 128) for col in (0, 64, 128)])

    def test_saturated_near_infrared(self):
        values = np.random.default_rng(0).integers(20, 200, (64, 64)).astype(np.uint8)
        values[:20] = 255
        assert not is_alpha([values])


class TestNodataWarning:
    def pixels(self, colour, count, bands=3, dtype=np.uint8):
        values = np.random.default_rng(0).integers(1, 200, (bands, 1000)).astype(dtype)
        values[:, :count] = np.array(colour)[:, None]
        return values

    def test_one_value(self):
        assert "30% of the sampled pixels have the value 255" in nodata_warning(self.pixels([255] * 3, 300))
        assert "(--nodata 255)" in nodata_warning(self.pixels([255] * 3, 300))
        assert "--nodata -9999)" in nodata_warning(self.pixels([-9999] * 3, 300, dtype=np.float32))

    def test_one_colour(self):
        assert 'NODATA_VALUES="255 0 255"' in nodata_warning(self.pixels([255, 0, 255], 300))

    @pytest.mark.parametrize("count", [0, 50, 1000])
    def test_ordinary_and_constant_rasters(self, count):
        assert nodata_warning(self.pixels([255] * 3, count)) is None
        assert nodata_warning(np.zeros((3, 0), np.uint8)) is None
