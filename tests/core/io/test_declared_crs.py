"""The CRS of files, and marks of its absence."""

import pytest
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.declared_crs import declared_crs

DEGREES = (
    '{}["{}",DATUM["unknown",SPHEROID["unknown",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]]'
)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        DEGREES.format("GEOGCS", "Undefined geographic SRS"),
        DEGREES.format("GEOGCS", "GCS_Undefined_geographic_SRS"),  # in a shapefile
        'LOCAL_CS["Undefined Cartesian SRS",UNIT["Meter",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]',
        'LOCAL_CS["Undefined SRS",UNIT["unknown",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]',
        'ENGCRS["Undefined Cartesian SRS with unknown unit",EDATUM["Unknown engineering datum"],CS[Cartesian,2],'
        'AXIS["x",unspecified],AXIS["y",unspecified],LENGTHUNIT["unknown",1]]',
    ],
)
def test_undefined_systems_are_none(text):
    assert declared_crs(text) is None


@pytest.mark.parametrize("text", ["EPSG:4326", "EPSG:32640", DEGREES.format("GEOGCS", "Undefined Bay 1902")])
def test_other_systems_are_kept(text):
    assert declared_crs(text) == CRS.from_user_input(text)
    assert declared_crs(CRS.from_user_input(text)) == CRS.from_user_input(text)
