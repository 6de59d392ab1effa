"""Exceptions of rasterio, also those of its internal module."""

import inspect

import pytest
import rasterio._err
import rasterio.errors
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS


def test_all_exceptions_of_rasterio_are_covered():
    found = [kind for kind in vars(rasterio._err).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    found += [kind for kind in vars(rasterio.errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    others = {kind.__name__ for kind in found if not issubclass(kind, (*GDAL_ERRORS, Warning, ValueError, KeyError))}
    assert len(found) > 20
    assert others <= {"FileError", "FileOverwriteError", "GDALBehaviorChangeException"}, "those of the program rio only"


def test_a_crs_that_cannot_be_read_is_one():
    with pytest.raises(GDAL_ERRORS):
        CRS.from_user_input("EPSG:999999")
