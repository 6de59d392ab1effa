"""Raster formats that the engine's GDAL reads, by driver.

QGIS's GDAL may read more, such as ECW and MrSID; rasters of those are copied before the engine reads them.
"""

from __future__ import annotations

ENGINE_DRIVERS = (
    "AAIGrid", "AIG", "BMP", "BSB", "COG", "DIMAP", "DTED", "EHdr", "ENVI", "ERS", "GIF", "GPKG", "GRIB", "GSAG",
    "GSBG", "GTI", "GTiff", "HDF5", "HDF5Image", "HFA", "ISIS3", "JPEG", "JP2OpenJPEG", "KMLSUPEROVERLAY",
    "MBTiles", "MEM", "MRF", "NITF", "PCIDSK", "PCRaster", "PDS4", "PNG", "PNM", "RMF", "RST", "Rasterlite", "SAFE",
    "SAGA", "SENTINEL2", "SGI", "SRTMHGT", "USGSDEM", "VRT", "WCS", "WEBP", "WMS", "WMTS", "XYZ", "Zarr", "netCDF",
)  # fmt: skip
"""Drivers in the packages that ``requirements/`` pins; those of rare formats are left out."""


def is_engine_format(driver: str) -> bool:
    """Return whether the engine reads a raster that a driver of QGIS's GDAL opens.

    QGIS's GDAL may read JPEG 2000 with another driver (JP2ECW, JP2KAK) than the engine.
    """
    return driver in ENGINE_DRIVERS or driver.startswith("JP2")
