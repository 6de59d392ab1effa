"""Which classes of a raster an area covers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from osgeo import gdal, ogr, osr
from qgis.core import QgsGeometry

from dubai_landcover_plugin.gui.panel.region import layer_transform
from dubai_landcover_plugin.processing.layer_nodata import open_source
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr

_STRIP_PX = 2**20  # that are read at once
_MOST_PX = 2**26  # that are searched
_INSIDE = 255
_IS_ZERO = bytes([_INSIDE, *[0] * 255])


@dataclass(frozen=True)
class _Strip:
    """Rows of the raster around an area.

    Args:
        transform: Affine transform of its pixels.
        width: px.
        height: px.
        inside: 255 for pixels with their centre in the area, 0 for others, row by row.
        pixels: Class ids, 0 without data.
    """

    transform: tuple[float, ...]
    width: int
    height: int
    inside: bytes
    pixels: bytes


def classes_under(source: str, area: QgsGeometry, is_enough: Callable[[set[int]], bool]) -> set[int]:
    """Return the class ids of the pixels with their centre in an area; 0 stands for pixels without data.

    Args:
        source: The raster, as GDAL opens it.
        area: Polygon in the CRS of the raster.
        is_enough: Whether the search can stop with the ids found so far. It stops after 67 million pixels, too.

    Raises:
        RequestError: if the raster cannot be read.
    """
    dataset = open_source(source)
    if dataset is None:
        raise RequestError(tr("{path} cannot be read.", path=source), tr("Check the file."))
    found: set[int] = set()
    try:
        for strip in _strips(dataset, area):
            covered = _and(strip.inside, strip.pixels)
            found.update(value for value in range(1, 256) if value in covered)
            if any(_and(strip.inside, strip.pixels.translate(_IS_ZERO))):
                found.add(NODATA_ID)
            if is_enough(found):
                break
    except RuntimeError as error:
        raise RequestError(tr("{path} cannot be read.", path=source), str(error)) from error
    return found


def part_of_class(source: str, area: QgsGeometry, class_id: int) -> QgsGeometry:
    """Return the part of an area where a raster has a class, along the edges of pixels; empty without any.

    Args:
        source: The raster, as GDAL opens it.
        area: Polygon in the CRS of the raster; its first 67 million pixels count.
        class_id: The class.

    Raises:
        RequestError: if the raster cannot be read.
    """
    dataset = open_source(source)
    if dataset is None:
        raise RequestError(tr("{path} cannot be read.", path=source), tr("Check the file."))
    is_class = bytes(_INSIDE if value == class_id else 0 for value in range(256))
    parts = []
    try:
        for strip in _strips(dataset, area):
            parts += _polygons(strip, _and(strip.inside, strip.pixels.translate(is_class)))
    except RuntimeError as error:
        raise RequestError(tr("{path} cannot be read.", path=source), str(error)) from error
    return QgsGeometry.unaryUnion(parts)


def _strips(dataset: gdal.Dataset, area: QgsGeometry) -> Iterator[_Strip]:
    """Yield the parts of a raster around an area, from the top."""
    transform = layer_transform(dataset)
    inverse, box = gdal.InvGeoTransform(transform), area.boundingBox()
    corners = [
        gdal.ApplyGeoTransform(inverse, x, y)
        for x in (box.xMinimum(), box.xMaximum())
        for y in (box.yMinimum(), box.yMaximum())
    ]
    left, top = (max(math.floor(min(values)), 0) for values in zip(*corners))
    right, bottom = (math.ceil(max(values)) for values in zip(*corners))
    right, bottom = min(right, dataset.RasterXSize), min(bottom, dataset.RasterYSize)
    width, band = right - left, dataset.GetRasterBand(1)
    if width <= 0 or bottom <= top:
        return
    shape = ogr.CreateGeometryFromWkb(bytes(area.asWkb()))
    without_data = band.GetNoDataValue()
    height = max(_STRIP_PX // width, 1)
    for row in range(top, min(bottom, top + _MOST_PX // width), height):
        rows = min(height, bottom - row)
        pixels = bytes(band.ReadRaster(left, row, width, rows, buf_type=gdal.GDT_Byte))
        if without_data is not None and 0 < without_data < 256:
            pixels = pixels.replace(bytes([int(without_data)]), b"\0")
        x, y = gdal.ApplyGeoTransform(transform, left, row)
        place = (x, *transform[1:3], y, *transform[4:6])
        yield _Strip(place, width, rows, _mask(shape, place, width, rows), pixels)


def _mask(shape: ogr.Geometry, transform: tuple[float, ...], width: int, height: int) -> bytes:
    """Return 255 for the pixels with their centre in a shape, 0 for others."""
    mask = _in_memory(transform, width, height)
    reference = osr.SpatialReference('LOCAL_CS["raster"]')  # the same for both; GDAL warns without one
    mask.SetSpatialRef(reference)
    memory = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = memory.CreateLayer("area", reference, ogr.wkbUnknown)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(shape)
    layer.CreateFeature(feature)
    gdal.RasterizeLayer(mask, [1], layer, burn_values=[_INSIDE])
    return bytes(mask.GetRasterBand(1).ReadRaster(0, 0, width, height))


def _polygons(strip: _Strip, mask: bytes) -> list[QgsGeometry]:
    """Return the areas of a mask that are not 0, in the CRS of the raster."""
    made = _in_memory(strip.transform, strip.width, strip.height)
    band = made.GetRasterBand(1)
    band.WriteRaster(0, 0, strip.width, strip.height, mask)
    memory = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = memory.CreateLayer("areas", None, ogr.wkbPolygon)
    gdal.Polygonize(band, band, layer, -1, [])
    found = [QgsGeometry() for _ in range(layer.GetFeatureCount())]
    for geometry, feature in zip(found, layer):
        geometry.fromWkb(bytes(feature.GetGeometryRef().ExportToWkb()))
    return found


def _in_memory(transform: tuple[float, ...], width: int, height: int) -> gdal.Dataset:
    made = gdal.GetDriverByName("MEM").Create("", width, height, 1, gdal.GDT_Byte)
    made.SetGeoTransform(transform)
    return made


def _and(one: bytes, other: bytes) -> bytes:
    """Return both bit by bit; much faster as whole numbers than byte by byte."""
    both = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return both.to_bytes(len(one), "little")
