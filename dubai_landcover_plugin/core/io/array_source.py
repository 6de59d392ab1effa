"""Reads arrays with the resampling of GDAL, as :class:`.RasterSource` reads files."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from rasterio._io import MemoryDataset
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

Values = npt.NDArray[np.uint8 | np.float32]
Bools = npt.NDArray[np.bool_]


def resampling_of(scale: tuple[float, float]) -> Resampling:
    """Return the method with which pixels are read at another size: averages if coarser, else bilinear.

    Args:
        scale: Pixels that are read for each pixel of the result, along rows and columns.
    """
    return Resampling.average if max(scale) > 1 else Resampling.bilinear


def read_array(
    values: Values, valid: Bools | None, area: tuple[float, float, float, float], shape: tuple[int, int]
) -> tuple[Values, Bools]:
    """Return an area of an array at another size; the pixels are those of a file with these values.

    Invalid pixels do not contribute.

    Args:
        values: (C, H, W) uint8 or float32, C at least 1.
        valid: (H, W) true where there is data; None for everywhere.
        area: First row and column, height and width of the area, px; may be fractions.
        shape: Height and width of the result, px.

    Returns:
        Values (C, h, w) of the same type and validity (h, w).
    """
    row, col, height, width = area
    how = {
        "window": RasterioWindow(col, row, width, height),
        "resampling": resampling_of((height / shape[0], width / shape[1])),
    }
    count = len(values)
    if valid is None:
        with _dataset(np.ascontiguousarray(values)) as dataset:
            return dataset.read(out_shape=(count, *shape), **how), np.ones(shape, np.bool_)
    if values.dtype != np.uint8:
        with _dataset(np.where(valid, values, np.float32(np.nan))) as dataset:
            dataset.nodata = np.nan
            read = dataset.read(out_shape=(count, *shape), **how)
        return read, np.isfinite(read).all(axis=0)
    alpha = np.where(valid, 255, 0).astype(np.uint8)  # GDAL leaves out transparent pixels
    with _dataset(np.concatenate([values, alpha[None]])) as dataset:
        dataset.colorinterp = (*[ColorInterp.undefined] * count, ColorInterp.alpha)
        read = dataset.read(out_shape=(count + 1, *shape), **how)
    return read[:-1], read[-1] > 0


def _dataset(values: Values) -> MemoryDataset:
    """Return a dataset that shares the memory of a contiguous array."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return MemoryDataset(values)
