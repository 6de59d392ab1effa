"""Reads confidence rasters: the probability of each pixel's class, percent."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.grid_reader import GridReader
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import tr

CERTAIN = 100  # percent
UNKNOWN = 101  # in uint8 arrays: the confidence is not known

_NODATA = 255.0  # of files that declare none
_LARGEST_OFFSET = 0.01  # px between the corners of both rasters
_REMEDY = "Choose the confidence raster that Segment Land Cover wrote in the same run."

Percents = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]


class ConfidenceSource:
    """An open confidence raster; a context manager.

    One band of integers or floats, percent (0..100, not 0..1). Nodata (255 if the file declares none), NaN and values
    outside 0..100 mean that the confidence is not known. The CRS of the file is ignored: its pixels must be those of
    the classified raster.

    Args:
        path: The confidence raster.
        own: Grid of the classified raster that it belongs to.
        target: Grid on which :meth:`window` reads, nearest neighbour; None reads on ``own``.

    Raises:
        RasterOpenError: if it cannot be opened, is not a confidence raster, or has other pixels than ``own``.
    """

    def __init__(self, path: str | Path, own: Grid, target: Grid | None = None) -> None:
        self.path = str(path)
        self._dataset: Any = open_raster(path)
        self._reader: GridReader | None = None
        try:
            self._check(own)
            self._nodata = _NODATA if self._dataset.nodata is None else float(self._dataset.nodata)
            if target is not None:
                self._reader = GridReader(self.path, own, target, self._nodata)
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ConfidenceSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()
        if self._reader is not None:
            self._reader.__exit__(kind, error, trace)

    def read(self, first: int, last: int) -> Percents:
        """Return rows ``first`` to ``last`` (excluded), (last - first, W) uint8: 0..100, or ``UNKNOWN``.

        Raises:
            RasterReadError: if a block is damaged.
        """
        return self._percents({"window": RasterioWindow(0, first, self._dataset.width, last - first)})

    def window(self, window: Window) -> npt.NDArray[np.float32]:
        """Return a window of the target grid, (height, width) float32, percent; NaN where it is not known.

        Raises:
            RasterReadError: if a block is damaged.
        """
        if self._reader is not None:
            values = self._reader.read(window)
        else:
            values = self._values({"window": RasterioWindow(window.col, window.row, window.width, window.height)})
        found: npt.NDArray[np.float32] = values.astype(np.float32)
        found[~self._known(values)] = np.nan
        return found

    def at(self, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the confidence of single pixels, (N,) float32, percent; NaN where it is not known.

        The window around all of them is read: they should be close to each other.

        Args:
            rows: (N,) rows.
            cols: (N,) columns.

        Raises:
            RasterReadError: if a block is damaged.
        """
        if not len(rows):
            return np.empty(0, np.float32)
        top, left = int(rows.min()), int(cols.min())
        window = RasterioWindow(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1)
        found = self._whole(self._values({"window": window})[rows - top, cols - left])
        values = found.astype(np.float32)
        values[found == UNKNOWN] = np.nan
        return values

    def preview(self, height: int, width: int) -> Percents:
        """Return the whole raster at a lower resolution, (height, width) uint8: means, or ``UNKNOWN``.

        Raises:
            RasterReadError: if a block is damaged.
        """
        return self._percents({"out_shape": (height, width), "resampling": Resampling.average})

    def _percents(self, how: dict[str, Any]) -> Percents:
        """Return whole percents, uint8, with ``UNKNOWN`` where the confidence is not known."""
        return self._whole(self._values(how))

    def _whole(self, values: Values) -> Percents:
        """Return values as whole percents, uint8, with ``UNKNOWN`` where the confidence is not known."""
        percents: Percents = np.where(self._known(values), values, UNKNOWN)
        return percents if percents.dtype == np.uint8 else np.rint(percents).astype(np.uint8)

    def _values(self, how: dict[str, Any]) -> Values:
        try:
            values: Values = self._dataset.read(1, **how)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read: {error}.", path=self.path, error=cause(error)), tr(_REMEDY)
            ) from error
        return values

    def _known(self, values: Values) -> npt.NDArray[np.bool_]:
        known: npt.NDArray[np.bool_] = (values != self._nodata) & (values >= 0) & (values <= CERTAIN)
        return known

    def _check(self, grid: Grid) -> None:
        dataset = self._dataset
        if dataset.count != 1 or np.dtype(dataset.dtypes[0]).kind not in "uif" or "CLASS_1" in dataset.tags():
            raise RasterOpenError(tr("{path} is not a confidence raster.", path=self.path), tr(_REMEDY))
        if (dataset.height, dataset.width) != (grid.height, grid.width):
            raise RasterOpenError(
                tr(
                    "{path} has {width} × {height} px, the classified raster {other_width} × {other_height} px.",
                    path=self.path,
                    width=dataset.width,
                    height=dataset.height,
                    other_width=grid.width,
                    other_height=grid.height,
                ),
                tr(_REMEDY),
            )
        # Opposite corners of the confidence raster in pixels of the classified one.
        corner = ~grid.transform @ (dataset.transform @ (grid.width, grid.height))
        origin = ~grid.transform @ (dataset.transform.c, dataset.transform.f)
        offset = max(abs(origin[0]), abs(origin[1]), abs(corner[0] - grid.width), abs(corner[1] - grid.height))
        if offset > _LARGEST_OFFSET:
            raise RasterOpenError(
                tr("{path} has other pixels than the classified raster.", path=self.path), tr(_REMEDY)
            )
