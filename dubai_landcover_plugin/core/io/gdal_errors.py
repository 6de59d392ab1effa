"""The exceptions of rasterio, and their text."""

from __future__ import annotations

from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, RasterioError

GDAL_ERRORS = (RasterioError, CPLE_BaseError, CRSError)
"""All exceptions that stand for an error of GDAL or PROJ; some functions of rasterio let those of its internal module
through, on a full disk or a CRS that cannot be read, for example."""


def cause(error: BaseException) -> str:
    """Return what GDAL says about an error, without the full stop at its end."""
    return str(error.__cause__ or error).rstrip(".")
