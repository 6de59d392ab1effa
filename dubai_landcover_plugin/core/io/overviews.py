"""Compares the overviews of a raster with its pixels: wrong ones would decide classes and stretch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window as RasterioWindow

_SIDE = 16  # overview pixels a side that are compared at a place
_FULL_SIDE = 1024  # raster pixels a side that are read at most
_PLACES = ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))  # shares of height and width
_FINER = 1.2  # GDAL takes an overview that is up to this many times coarser than requested
_SLACK = 0.1  # of the range of values at the place: cubic resampling and lossy compression overshoot
_WRONG = 0.25  # share of pixels outside the range of theirs from which on a level is wrong


def used_level(factors: list[int], scale: float) -> int | None:
    """Return the index of the overview that GDAL reads at ``scale`` raster pixels per pixel; None for none."""
    usable = [index for index, factor in enumerate(factors) if factor <= scale * _FINER]
    return max(usable, key=lambda index: factors[index]) if usable else None


def overview_agrees(dataset: rasterio.DatasetReader, band: int, factor: int) -> bool:
    """Return whether an overview shows the raster: its values are within the range of the pixels they stand for.

    Args:
        dataset: The raster.
        band: The band to compare.
        factor: Decimation of the overview.
    """
    if factor < 1:  # the overviews of a larger raster
        return False
    side = min(max(_FULL_SIDE // factor, 1), _SIDE)
    compared, wrong = 0, 0
    for down, right in _PLACES:
        # A window of whole overview pixels around the place.
        rows, cols = (min(side, length // factor) for length in (dataset.height, dataset.width))
        if not (rows and cols):
            return True
        top = int((dataset.height // factor - rows) * down) * factor
        left = int((dataset.width // factor - cols) * right) * factor
        window = RasterioWindow(left, top, cols * factor, rows * factor)
        overview = dataset.read(band, window=window, out_shape=(rows, cols)).astype(np.float64)
        low, high = _ranges(dataset.read(band, window=window).astype(np.float64), factor)
        slack = _SLACK * (high.max() - low.min()) + 1e-6 * max(abs(high.max()), abs(low.min()))
        wrong += int(((overview < low - slack) | (overview > high + slack)).sum())
        compared += overview.size
    return wrong <= _WRONG * compared


def _ranges(pixels: npt.NDArray[np.float64], factor: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the lowest and the highest of the pixels of each overview pixel and of one pixel around them."""
    padded = np.pad(pixels, 1, mode="edge")
    shape = (pixels.shape[0] // factor, factor, pixels.shape[1] // factor, factor)
    low, high = pixels.copy(), pixels.copy()
    for down in range(3):  # the 3×3 neighbourhood of each pixel
        for right in range(3):
            shifted = padded[down : down + pixels.shape[0], right : right + pixels.shape[1]]
            np.fmin(low, shifted, out=low)
            np.fmax(high, shifted, out=high)
    return np.fmin.reduce(low.reshape(shape), (1, 3)), np.fmax.reduce(high.reshape(shape), (1, 3))
