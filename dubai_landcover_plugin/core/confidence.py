"""Confidence rasters as they come back from disk: how probable the class of each pixel is."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from dubai_landcover_plugin.core.errors import RasterOpenError, RasterReadError
from dubai_landcover_plugin.core.raster import Grid, open_raster

CERTAIN = 100  # percent
UNKNOWN = 101  # stands for "no confidence is known" wherever percents are counted

_REMEDY = "Choose the confidence raster that Segment Land Cover wrote in the same run."

Percents = npt.NDArray[np.uint8]


class ConfidenceSource:
    """An open confidence raster, read by rows; a context manager.

    Args:
        path: One band of uint8, percent; 255 is no data.
        grid: Of the class map whose confidence it is.

    Raises:
        RasterOpenError: if it cannot be opened, is no confidence raster, or lies on other pixels.
    """

    def __init__(self, path: str | Path, grid: Grid) -> None:
        self.path = str(path)
        self._dataset: Any = open_raster(path)
        try:
            self._check(grid)
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ConfidenceSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    def read(self, first: int, last: int) -> Percents:
        """Return rows ``first`` to ``last`` (excluded), (last - first, W) uint8: 0..100, or ``UNKNOWN``.

        Raises:
            RasterReadError: if a block is damaged or a value is no percent.
        """
        return self._percents({"window": Window(0, first, self._dataset.width, last - first)})

    def at(self, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the confidence of some pixels near each other, percent, (N,); NaN where it is not known.

        Raises:
            RasterReadError: if a block is damaged or a value is no percent.
        """
        if not len(rows):
            return np.empty(0, np.float32)
        top, left = int(rows.min()), int(cols.min())
        window = Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1)
        values = self._percents({"window": window})[rows - top, cols - left].astype(np.float32)
        values[values == UNKNOWN] = np.nan
        return values

    def preview(self, height: int, width: int) -> Percents:
        """Return the whole raster in fewer pixels, (height, width) uint8: means, or ``UNKNOWN``.

        Raises:
            RasterReadError: if a block is damaged or a value is no percent.
        """
        return self._percents({"out_shape": (height, width), "resampling": Resampling.average})

    def _percents(self, how: dict[str, Any]) -> Percents:
        try:
            values: Percents = self._dataset.read(1, **how)
        except (RasterioError, RasterioIOError) as error:
            raise RasterReadError(f"{self.path} cannot be read: {error.__cause__ or error}.", _REMEDY) from error
        missing = values == (255 if self._dataset.nodata is None else self._dataset.nodata)
        values[missing] = UNKNOWN
        largest = int(values.max(where=~missing, initial=0))
        if largest > CERTAIN:
            raise RasterReadError(f"{self.path} holds {largest}; confidences are percents, 0 to 100.", _REMEDY)
        return values

    def _check(self, grid: Grid) -> None:
        dataset = self._dataset
        if dataset.count != 1 or dataset.dtypes[0] != "uint8" or "CLASS_1" in dataset.tags():
            raise RasterOpenError(f"{self.path} is no confidence raster.", _REMEDY)
        if (dataset.height, dataset.width) != (grid.height, grid.width):
            raise RasterOpenError(
                f"{self.path} has {dataset.width} × {dataset.height} px, the class map {grid.width} × {grid.height}.",
                _REMEDY,
            )
        corner = ~grid.transform @ (dataset.transform @ (grid.width, grid.height))
        origin = ~grid.transform @ (dataset.transform.c, dataset.transform.f)
        slip = max(abs(origin[0]), abs(origin[1]), abs(corner[0] - grid.width), abs(corner[1] - grid.height))
        if slip > 0.01 or dataset.crs != grid.crs:
            raise RasterOpenError(f"{self.path} does not lie on the pixels of the class map.", _REMEDY)
