"""Reads a raster on the pixels of another grid."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio import Env
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.raster_access import gdal_options, open_raster
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import tr

_WHOLE_PX = 0.05  # grids this close to a whole-pixel offset share their pixels: no resampling
_PLANE = CRS.from_epsg(3857)  # for rasters without a CRS: WarpedVRT needs one; source and target share it


def whole_offset(grid: Grid, target: Grid) -> tuple[int, int] | None:
    """Return the column and row of ``grid`` at the first pixel of ``target``; None unless they share their pixels."""
    if grid.crs != target.crs:
        return None
    # Corners of the target in pixels of both grids: with shared pixels the difference is one whole offset.
    to_own = ~grid.transform @ target.transform
    corners = np.array([(x, y) for x in (0, target.width) for y in (0, target.height)], float)
    offsets = np.array([to_own @ tuple(corner) for corner in corners]) - corners
    whole = np.rint(offsets[0])
    if np.abs(offsets - whole).max() > _WHOLE_PX:
        return None
    return int(whole[0]), int(whole[1])


class GridReader:
    """Reads the first band of a raster on the pixels of another grid; a context manager.

    Args:
        path: The raster.
        own: Grid of the raster.
        grid: Grid to read on; nearest neighbour unless both share their pixels.
        nodata: Nodata value of the raster, also returned outside it. None for a raster with a mask or alpha band
            instead: 0 is returned outside it and where the mask says so.

    Raises:
        RasterOpenError: if it cannot be opened.
    """

    def __init__(self, path: str, own: Grid, grid: Grid, nodata: float | None = NODATA_ID) -> None:
        self.path = path
        self._grid, self._nodata = grid, NODATA_ID if nodata is None else nodata
        self._is_masked = nodata is None
        self._offset = whole_offset(own, grid)
        self._stack = ExitStack()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                self._dataset = self._stack.enter_context(open_raster(path))
                if self._offset is None:
                    self._dataset = self._stack.enter_context(self._warped())
        except GDAL_ERRORS as error:
            self._stack.close()
            raise RasterOpenError(
                tr("GDAL cannot read {path}: {error}.", path=path, error=error), tr("Check the path and the file.")
            ) from error

    def __enter__(self) -> GridReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, window: Window) -> npt.NDArray[Any]:
        """Return the pixels of a window of the grid, (height, width) in the raster's type.

        Raises:
            RasterReadError: if a block is damaged.
        """
        # The part of the window inside the raster, in pixels of the raster; the rest stays nodata.
        col, row = self._offset or (0, 0)
        left, top = max(window.col + col, 0), max(window.row + row, 0)
        right = min(window.col + col + window.width, self._dataset.width)
        bottom = min(window.row + row + window.height, self._dataset.height)
        found = np.full((window.height, window.width), self._nodata, self._dataset.dtypes[0])
        if left >= right or top >= bottom:
            return found
        try:
            part = RasterioWindow(left, top, right - left, bottom - top)
            with Env(**gdal_options(self.path)):
                values = self._dataset.read(1, window=part)
                if self._is_masked:
                    values[self._dataset.read_masks(1, window=part) == 0] = self._nodata
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read: {error}.", path=self.path, error=cause(error)),
                tr("The file is damaged: copy it again."),
            ) from error
        first_row, first_col = top - window.row - row, left - window.col - col
        found[first_row : first_row + values.shape[0], first_col : first_col + values.shape[1]] = values
        return found

    def _warped(self) -> WarpedVRT:
        place: dict[str, Any] = {"crs": self._grid.crs}
        if self._grid.crs is None:
            place = {"crs": _PLANE, "src_crs": _PLANE, "src_transform": self._dataset.transform}
        if not self._is_masked:  # GDAL honours a mask only where it is given no nodata value
            place |= {"src_nodata": self._nodata, "nodata": self._nodata}
        return WarpedVRT(
            self._dataset,
            transform=self._grid.transform,
            height=self._grid.height,
            width=self._grid.width,
            resampling=Resampling.nearest,
            **place,
        )
