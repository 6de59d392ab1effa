"""The region of a classified raster at a place: its pixels of one class that share edges, as a polygon."""

from __future__ import annotations

import math

from osgeo import gdal, ogr
from qgis.core import QgsGeometry, QgsPointXY

from dubai_landcover_plugin.processing.layer_nodata import open_source
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr

_FIRST, _LARGEST = 256, 4096  # px: sides of the windows that are searched


def region_at(path: str, x: float, y: float) -> tuple[int, QgsGeometry, bool]:
    """Return the region at a place.

    Args:
        path: The classified raster, as GDAL opens it.
        x: Coordinate in the raster's CRS.
        y: Coordinate in the raster's CRS.

    Returns:
        Class id, polygon in the raster's CRS, and whether the region is larger than 4096 px and was cut.

    Raises:
        RequestError: if the place is outside of the raster or has no data, or the raster cannot be read.
    """
    dataset = open_source(path)
    if dataset is None:
        raise RequestError(tr("{path} cannot be read.", path=path), tr("Check the file."))
    transform = layer_transform(dataset)
    inverse = gdal.InvGeoTransform(transform)
    col, row = (math.floor(value) for value in gdal.ApplyGeoTransform(inverse, x, y))
    width, height = dataset.RasterXSize, dataset.RasterYSize
    if not (0 <= col < width and 0 <= row < height):
        raise RequestError(tr("The place is outside of the raster."), tr("Click on the raster."))
    value = int.from_bytes(dataset.GetRasterBand(1).ReadRaster(col, row, 1, 1, buf_type=gdal.GDT_Byte), "little")
    if value in (NODATA_ID, dataset.GetRasterBand(1).GetNoDataValue()):
        raise RequestError(tr("The place has no data."), tr("Click where the raster has data."))
    size = _FIRST
    while True:
        left, top = max(col - size // 2, 0), max(row - size // 2, 0)
        right, bottom = min(col + size // 2, width), min(row + size // 2, height)
        geometry = _polygon(dataset, (left, top, right, bottom), value, (col, row))
        is_cut = _touches(geometry, left, top, right, bottom, width, height)
        if not is_cut or size >= _LARGEST:
            return value, _in_crs(geometry, transform), is_cut
        size *= 2


def layer_transform(dataset: gdal.Dataset) -> tuple[float, ...]:
    """Return the affine transform from pixels to the coordinates of a layer: QGIS counts rows without one downwards."""
    return dataset.GetGeoTransform(can_return_null=True) or (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def _polygon(
    dataset: gdal.Dataset, window: tuple[int, int, int, int], value: int, place: tuple[int, int]
) -> ogr.Geometry:
    """Return the region of a window at a pixel, in pixel coordinates."""
    left, top, right, bottom = window
    part = gdal.GetDriverByName("MEM").Create("", right - left, bottom - top, 1, gdal.GDT_Byte)
    part.SetGeoTransform((left, 1, 0, top, 0, 1))
    band = part.GetRasterBand(1)
    size = right - left, bottom - top
    pixels = dataset.GetRasterBand(1).ReadRaster(left, top, *size, buf_type=gdal.GDT_Byte)
    same = bytes(255 if pixel == value else 0 for pixel in range(256))
    band.WriteRaster(0, 0, *size, pixels.translate(same))
    band.SetNoDataValue(0)
    source = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = source.CreateLayer("regions", None, ogr.wkbPolygon)
    gdal.Polygonize(band, band.GetMaskBand(), layer, -1, [])
    centre = ogr.Geometry(ogr.wkbPoint)
    centre.AddPoint_2D(place[0] + 0.5, place[1] + 0.5)
    layer.SetSpatialFilter(centre)
    return next(feature.GetGeometryRef().Clone() for feature in layer if feature.GetGeometryRef().Contains(centre))


def _touches(geometry: ogr.Geometry, left: int, top: int, right: int, bottom: int, width: int, height: int) -> bool:
    """Return whether a region reaches a side of its window that is not the raster's."""
    west, east, north, south = geometry.GetEnvelope()
    across = (west <= left and left > 0) or (east >= right and right < width)
    return across or (north <= top and top > 0) or (south >= bottom and bottom < height)


def _in_crs(geometry: ogr.Geometry, transform: tuple[float, ...]) -> QgsGeometry:
    """Return a polygon in pixel coordinates as one in the CRS of the raster."""
    rings = []
    for number in range(geometry.GetGeometryCount()):
        points = geometry.GetGeometryRef(number).GetPoints()
        rings.append([QgsPointXY(*gdal.ApplyGeoTransform(transform, *point[:2])) for point in points])
    return QgsGeometry.fromPolygonXY(rings)
