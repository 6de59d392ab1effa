"""Raster formats of the engine."""

import rasterio

from dubai_landcover_plugin.protocol.raster_formats import ENGINE_DRIVERS, is_engine_format


def test_the_engine_has_every_driver():
    with rasterio.Env() as environment:
        assert set(ENGINE_DRIVERS) <= set(environment.drivers())


def test_formats_of_other_gdals_are_not_among_them():
    assert is_engine_format("GTiff")
    assert is_engine_format("JP2ECW")  # a driver of another name for JPEG 2000
    assert not is_engine_format("ECW")
    assert not is_engine_format("MrSID")
