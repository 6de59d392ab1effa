"""The part of a raster that a run classifies: polygons in any CRS. Windows without such a pixel are not computed.

Inside the polygons the result is that of a run over the whole raster, because windows, stretch and the ground around
the polygons are the same; outside is no data.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.grid.work_grid import WorkGrid
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.io.areas import Areas

Mask = npt.NDArray[np.bool_]

_NAME = "polygons"
_REACH = 1  # working pixels: interpolation to the raster's pixels reads the neighbours


class AreaOfInterest:
    """Polygons on a raster, and the windows that they need.

    Args:
        areas: The polygons in pixel coordinates.
        grid: Grid of the raster.
        work: The working pixels.
        tiles: The windows over them.

    Raises:
        GeoreferenceError: if no pixel has its centre in a polygon.
    """

    def __init__(self, areas: Areas, grid: Grid, work: WorkGrid, tiles: TileGrid) -> None:
        self._areas, self._grid, self._work = areas, grid, work
        self._needed = frozenset((one.row, one.col) for one in tiles if areas.touch(self._on_raster(one)))
        if not self._needed:
            raise GeoreferenceError(
                tr(
                    "No pixel of the raster has its centre in one of the {count:,} {name}.",
                    count=len(areas),
                    name=tr(_NAME),
                ),
                tr("Draw larger polygons, or choose another layer."),
            )

    @property
    def windows(self) -> int:
        """Number of windows that are computed, where the raster has data."""
        return len(self._needed)

    @property
    def polygons(self) -> int:
        """Number of polygons."""
        return len(self._areas)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the outlines on the raster, see :attr:`.Areas.digest`."""
        return self._areas.digest

    def needs(self, window: Window) -> bool:
        """Return whether pixels in the polygons depend on a window of the plan."""
        return (window.row, window.col) in self._needed

    def mask(self, window: Window) -> Mask:
        """Return the pixels of the raster in a window with their centre in a polygon, (height, width) bool."""
        return self._areas.mask(window)

    def bounds(self) -> Window:
        """Return the bounds of the polygons in working pixels."""
        whole = Window(0, 0, self._grid.height, self._grid.width)
        found = self._areas.bounds(whole) or whole
        down, across = self._work.scale
        row, col = math.floor(found.row / down), math.floor(found.col / across)
        bottom = min(math.ceil(found.rows.stop / down), self._work.height)
        right = min(math.ceil(found.cols.stop / across), self._work.width)
        return Window(row, col, bottom - row, right - col)

    def work_mask(self, window: Window) -> Mask:
        """Return the working pixels in a window whose middle is in a polygon, (height, width) bool."""
        down, across = self._work.scale
        rows = ((np.arange(window.row, window.rows.stop) + 0.5) * down).astype(np.int64)
        cols = ((np.arange(window.col, window.cols.stop) + 0.5) * across).astype(np.int64)
        rows, cols = rows.clip(0, self._grid.height - 1), cols.clip(0, self._grid.width - 1)
        own = Window(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1)
        return self.mask(own)[np.ix_(rows - own.row, cols - own.col)]

    def _on_raster(self, window: Window) -> Window:
        """Return the pixels of the raster that depend on a window of working pixels."""
        if self._work.is_native:
            return window
        down, across = self._work.scale
        top, left = max(window.row - _REACH, 0) * down, max(window.col - _REACH, 0) * across
        bottom, right = (window.rows.stop + _REACH) * down, (window.cols.stop + _REACH) * across
        row, col = math.floor(top), math.floor(left)
        height = min(math.ceil(bottom), self._grid.height) - row
        return Window(row, col, height, min(math.ceil(right), self._grid.width) - col)


def area_of_interest(
    source: str, grid: Grid, work: WorkGrid, tiles: TileGrid
) -> tuple[AreaOfInterest, tuple[str, ...], tuple[str, ...]]:
    """Return the polygons of a layer on a raster, messages for the log, and warnings.

    Args:
        source: The layer, see :func:`.read_vector`.
        grid: Grid of the raster.
        work: The working pixels.
        tiles: The windows over them.

    Raises:
        RasterOpenError: if the layer cannot be read.
        RequestError: if it has no polygons, or one that is not valid.
        GeoreferenceError: if no polygon is on the raster.
    """
    from dubai_landcover_plugin.core.io.areas import read_areas  # loads GDAL a second time; most runs need no polygons

    areas, warnings = read_areas(source, grid, tr(_NAME), refuse_invalid=True)
    found = AreaOfInterest(areas, grid, work, tiles)
    note = tr(
        "Area of interest: {polygons:,} {name} of {source}, {windows:,} of {other_windows:,} windows.",
        polygons=found.polygons,
        name=tr(_NAME),
        source=source,
        windows=found.windows,
        other_windows=len(tiles),
    )
    return found, (note,), tuple(warnings)
