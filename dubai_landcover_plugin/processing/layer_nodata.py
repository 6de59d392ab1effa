"""No data values that are set on a raster layer in QGIS, in addition to or instead of those of its source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsProcessingException,
    QgsProcessingUtils,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterNuller,
    QgsRasterRange,
)

from dubai_landcover_plugin.protocol.translation import joined, tr

Ranges = Mapping[int, Sequence[QgsRasterRange]]
"""Ranges of no data values by band."""
_LIMITS = {
    Qgis.DataType.Byte: (0.0, 255.0),
    Qgis.DataType.UInt16: (0.0, 65535.0),
    Qgis.DataType.Int16: (-32768.0, 32767.0),
    Qgis.DataType.UInt32: (0.0, 4294967295.0),
    Qgis.DataType.Int32: (-2147483648.0, 2147483647.0),
}
"""Smallest and largest value of the whole-number types."""


def open_source(source: str) -> gdal.Dataset | None:
    """Open the source of a layer with QGIS's GDAL; return None where it cannot."""
    try:
        return gdal.OpenEx(source, gdal.OF_RASTER)
    except RuntimeError:
        return None


def user_nodata(provider: QgsRasterDataProvider) -> dict[int, list[QgsRasterRange]]:
    """Return the no data values that are set in addition to the source's; empty without any."""
    found = {band: provider.userNoDataValues(band) for band in _bands(provider)}
    return {band: ranges for band, ranges in found.items() if ranges}


def ignores_nodata(provider: QgsRasterDataProvider) -> bool:
    """Return whether the source's own no data value is switched off."""
    bands = _bands(provider)
    return any(provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band) for band in bands)


def single_value(ranges: Ranges, bands: int) -> float | None:
    """Return the one value that is no data in all bands; None where there are several or ranges."""
    values = {(one.min(), one.max()) for listed in ranges.values() for one in listed}
    if len(ranges) != bands or len(values) != 1:
        return None
    low, high = values.pop()
    return low if low == high else None


def nodata_text(ranges: Ranges) -> str:
    """Return the values and ranges of all bands as a text such as ``0, 3 to 9``."""
    pairs = sorted({(one.min(), one.max()) for listed in ranges.values() for one in listed})
    return joined(f"{low:g}" if low == high else tr("{low:g} to {high:g}", low=low, high=high) for low, high in pairs)


def without_nodata(layer: QgsRasterLayer) -> str:
    """Return a temporary virtual raster of a layer's source that has no no data value.

    Raises:
        QgsProcessingException: if GDAL cannot open the source.
    """
    path = QgsProcessingUtils.generateTempFilename("without_nodata.vrt")
    dataset = open_source(layer.source())
    if dataset is None or gdal.Translate(path, dataset, format="VRT", noData="none") is None:
        raise QgsProcessingException(
            tr("The no data value of the layer '{name}' cannot be switched off.", name=layer.name())
            + " "
            + tr("Save the layer as GeoTIFF without it first.")
        )
    return path


def nuller(provider: QgsRasterDataProvider, ranges: Ranges) -> QgsRasterNuller:
    """Return the part of a pipe that makes values of a layer no data.

    QGIS's writer takes the first value of the first range as the no data value of the file, so that one is put first
    that the type of the band can hold.
    """
    made = QgsRasterNuller()
    for band, listed in ranges.items():
        limits = _LIMITS.get(provider.sourceDataType(band))
        held = [one for one in listed if limits is None or _first_value(one, limits) is not None]
        if held:
            first = held[0].min() if limits is None else _first_value(held[0], limits)
            made.setNoData(band, [QgsRasterRange(first, first), *held])
    return made


def _first_value(one: QgsRasterRange, limits: tuple[float, float]) -> float | None:
    """Return the smallest whole number in a range and within limits; None without any."""
    low, high = limits
    first = low if one.min() < low else math.ceil(one.min()) if one.min() <= high else None
    return float(first) if first is not None and first <= one.max() else None


def _bands(provider: QgsRasterDataProvider) -> range:
    return range(1, provider.bandCount() + 1)
