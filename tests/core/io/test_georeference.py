"""CRS and transforms that no map has are refused with the values."""

import warnings

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.io.georeference import grid_of
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from tests.factories import ONE_METRE, random_pixels


def virtual(folder, raster, transform):
    path = folder / "placed.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="10" rasterYSize="12"><SRS>EPSG:32640</SRS><GeoTransform>{transform}</GeoTransform>'
        f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{raster(random_pixels(12, 10))}'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        ("nan,1,0,0,0,-1", "not finite: 1, 0, nan"),
        ("300000,inf,0,2780000,0,-1", "not finite"),
        ("300000,1,0,2780000,0,0", "without area"),
        ("1e300,1e300,0,1e300,0,-1e300", "coordinates above 1e\\+12"),
        ("300000,1,0,2780000,0,-1e15", "coordinates above"),
    ],
)
def test_impossible_transforms(tmp_path, raster, transform, text):
    with rasterio.open(virtual(tmp_path, raster, transform)) as dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(GeoreferenceError, match=text):
            grid_of(dataset, None, pixel_space=False)


def test_a_crs_that_gdal_cannot_understand(raster):
    class Broken:
        name, gcps, rpcs = "a.tif", ((), None), None

        @property
        def crs(self):
            raise rasterio.errors.CRSError("bad")

    with pytest.raises(GeoreferenceError, match=r"CRS of a\.tif cannot be understood: bad\. Assign it again"):
        grid_of(Broken(), None, pixel_space=False)


def test_the_place_of_a_raster(raster):
    with rasterio.open(raster(np.ones((3, 12, 10), np.uint8))) as dataset:
        grid = grid_of(dataset, None, pixel_space=False)
        assert (grid.height, grid.width, grid.transform, grid.crs.to_epsg()) == (12, 10, ONE_METRE, 32640)
        assert grid_of(dataset, "EPSG:32639", pixel_space=False).crs.to_epsg() == 32639


def test_metres_are_not_degrees(raster):
    path = raster(np.ones((3, 12, 10), np.uint8))
    with (
        rasterio.open(path) as dataset,
        pytest.raises(GeoreferenceError, match=r"up to 2,\d{3},\d{3}, which are not degrees, .* EPSG:4326.*--crs"),
    ):
        grid_of(dataset, "EPSG:4326", pixel_space=False)
