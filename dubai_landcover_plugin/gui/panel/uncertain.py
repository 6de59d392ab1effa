"""Finds the place of a view where the model is least certain."""

from __future__ import annotations

from collections.abc import Sequence

from osgeo import gdal
from qgis.core import QgsPointXY, QgsRectangle

_CELLS = 40  # along the longer side of the view
_NODATA = 255


def least_certain(path: str, taken: Sequence[QgsRectangle]) -> tuple[QgsPointXY, float] | None:
    """Return the middle of the cell with the lowest mean confidence, and that confidence in percent.

    Args:
        path: Raster of percent, 255 without data.
        taken: Rectangles in its CRS; cells whose middle is in one of them are left out.

    Returns:
        None if there is no cell left.
    """
    dataset = gdal.Open(path)
    if dataset is None:
        return None
    width, height = dataset.RasterXSize, dataset.RasterYSize
    step = max(-(-max(width, height) // _CELLS), 1)
    columns, rows = max(width // step, 1), max(height // step, 1)
    x0, dx, rx, y0, ry, dy = dataset.GetGeoTransform()
    # The mean of each cell; GDAL leaves out pixels without data.
    means = dataset.GetRasterBand(1).ReadRaster(
        0, 0, width, height, columns, rows, gdal.GDT_Byte, resample_alg=gdal.GRIORA_Average
    )
    best: tuple[QgsPointXY, float] | None = None
    for number in range(rows * columns):
        if means[number] == _NODATA or (best is not None and means[number] >= best[1]):
            continue
        column = (number % columns + 0.5) * width / columns
        row = (number // columns + 0.5) * height / rows
        place = QgsPointXY(x0 + column * dx + row * rx, y0 + column * ry + row * dy)
        if not any(one.contains(place) for one in taken):
            best = place, float(means[number])
    return best
