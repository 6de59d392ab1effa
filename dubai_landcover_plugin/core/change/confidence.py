"""Confidence rasters: how sure the class of each pixel is, percent."""

from __future__ import annotations

from types import TracebackType

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.alignment import GridReader
from dubai_landcover_plugin.core.errors import BandError, GeoreferenceError
from dubai_landcover_plugin.core.raster import Grid, open_raster
from dubai_landcover_plugin.core.windows import Window

_NODATA = 255.0  # where the file names none
_REMEDY = "Choose the confidence raster that was made with the classified one."


class ConfidenceReader:
    """Reads a confidence raster on the pixels of a grid; a context manager.

    Args:
        path: The confidence raster.
        own: Grid of the classified raster that it belongs to.
        grid: Where to read.

    Raises:
        RasterOpenError: if it cannot be opened.
        BandError: if it has several bands.
        GeoreferenceError: if it lies on other pixels than the classified raster.
    """

    def __init__(self, path: str, own: Grid, grid: Grid) -> None:
        self._nodata = _check(path, own)
        self._reader = GridReader(path, own, grid, self._nodata)

    def __enter__(self) -> ConfidenceReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def read(self, window: Window) -> npt.NDArray[np.float32]:
        """Return percent, (height, width) float32; NaN where it is not known.

        Raises:
            RasterReadError: if a block is damaged.
        """
        values = self._reader.read(window)
        found: npt.NDArray[np.float32] = values.astype(np.float32)
        found[(values == self._nodata) | ~((found >= 0) & (found <= 100))] = np.nan
        return found


def _check(path: str, own: Grid) -> float:
    """Return the nodata value of a confidence raster that suits a classified one."""
    with open_raster(path) as dataset:
        bands, shape, transform, nodata = dataset.count, dataset.shape, dataset.transform, dataset.nodata
    if bands != 1:
        raise BandError(f"{path} is no confidence raster: it has {bands} bands, one is needed.", _REMEDY)
    if shape != (own.height, own.width) or not transform.almost_equals(own.transform, 1e-6 * abs(own.transform.a or 1)):
        raise GeoreferenceError(
            f"{path} has other pixels ({shape[1]} × {shape[0]}) than its classified raster "
            f"({own.width} × {own.height}).",
            _REMEDY,
        )
    return _NODATA if nodata is None else float(nodata)
