"""Turns blended probabilities of working pixels into rows of class ids on the raster's own pixels.

Every block is resampled as soon as it is complete, in small parts that fit into the processor's cache. Only the few
working rows and columns that further blocks need are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dubai_landcover_plugin.core.grid.resampling import Interpolation
from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.blending import FinishedBlock, Floats
from dubai_landcover_plugin.core.segmentation.class_rows import Bools, ClassDecision, MapRows, RowSink

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.segmentation.area_of_interest import AreaOfInterest

_PART_VALUES = 1 << 18  # resampled probabilities of a part, about; 0.5 MB


class ResampledMaps:
    """Rows of classes of a run at the model's ground sampling distance, resampled to the raster's pixels.

    Args:
        tiles: The windows over the working pixels.
        decision: Assigns the classes.
        outputs: Receives the rows.
        source: The raster, opened separately to read the validity of its own pixels.
        area: The polygons outside of which is no data; None: the whole raster.
    """

    def __init__(
        self,
        tiles: TileGrid,
        decision: ClassDecision,
        outputs: RowSink,
        source: RasterSource,
        area: AreaOfInterest | None = None,
    ) -> None:
        self._decision, self._outputs, self._source, self._area = decision, outputs, source, area
        self._rows = Interpolation(tiles.height, outputs.grid.height)
        self._cols = Interpolation(tiles.width, outputs.grid.width)
        self._height, self._width = tiles.height, tiles.width
        self._classes = len(decision.scheme.classes)
        self._above = np.zeros((self._classes, 0, tiles.width), np.float32)  # working rows above the current tile row
        self._kept = self._above  # those above the next one
        self._end = 0  # end of the raster rows that the current tile row completes
        self._maps = MapRows(0, outputs, self._classes)  # these rows
        self._beside = np.zeros((self._classes, 0, 0), np.float32)  # columns left of the next block, on raster rows

    def set_validity(self, window: Window, valid: Bools) -> None:
        """Ignore the mask of the working pixels: validity is read for the raster's own pixels."""

    def complete_rows(self, available: int) -> int:
        """See :meth:`ClassMaps.complete_rows`."""
        return self._rows.complete(available)

    def first_needed(self) -> int:
        """See :meth:`ClassMaps.first_needed`."""
        return self._first_needed(self._outputs.row)

    def _first_needed(self, row: int) -> int:
        """Return the first working row that a raster row needs."""
        return self._rows.needed(row, row + 1)[0] if row < self._rows.native else self._height

    def add_block(self, block: FinishedBlock) -> None:
        """See :meth:`ClassMaps.add_block`."""
        if not block.col:
            self._start_tile_row(block.row + block.probabilities.shape[1])
        cols = slice(block.col, block.col + block.probabilities.shape[2])
        self._write_columns(block, cols)
        self._keep_rows(block, cols)
        if cols.stop == self._width:
            self._above = self._kept
            if self._end > self._outputs.row:
                self._maps.write(0, self._end - self._outputs.row)

    def _start_tile_row(self, available: int) -> None:
        """Prepare for a tile row after which the first ``available`` working rows are complete."""
        first = self._outputs.row
        self._end = max(self._rows.complete(available), first)
        self._maps = MapRows(self._end - first, self._outputs, self._classes)
        self._beside = np.zeros((self._classes, self._end - first, 0), np.float32)
        rows = max(available - self._first_needed(self._end), 0)
        self._kept = np.empty((self._classes, rows, self._width), np.float32)

    def _keep_rows(self, block: FinishedBlock, cols: slice) -> None:
        """Keep the last rows of a block that the next tile row needs."""
        rows = self._kept.shape[1]
        values = block.probabilities
        if rows > values.shape[1]:
            values = np.concatenate([self._above[:, :, cols], values], axis=1)
        self._kept[:, :, cols] = values[:, values.shape[1] - rows :]

    def _write_columns(self, block: FinishedBlock, cols: slice) -> None:
        """Resample and decide the raster columns that a block completes."""
        begin = cols.start - self._beside.shape[2]  # first working column at hand
        first, last = self._cols.complete(cols.start), self._cols.complete(cols.stop)
        keep = self._cols.needed(last, last + 1)[0] if last < self._cols.native else cols.stop
        row = self._outputs.row
        window = Window(row, first, self._end - row, last - first)
        valid = self._valid(window)
        beside = np.empty((self._classes, window.height, cols.stop - keep), np.float32)
        step = max(_PART_VALUES // (self._classes * (cols.stop - cols.start)), 1)
        for top in range(row, self._end, step):
            bottom = min(top + step, self._end)
            part = slice(top - row, bottom - row)
            values = np.concatenate([self._beside[:, part], self._resample_rows(block, cols, top, bottom)], axis=2)
            beside[:, part] = values[:, :, keep - begin :]
            if last > first and valid[part].any():
                probabilities = self._cols(values, 2, first, last, begin)
                self._decide(probabilities, valid[part], part, window.cols)
        self._beside = beside

    def _resample_rows(self, block: FinishedBlock, cols: slice, top: int, bottom: int) -> Floats:
        """Return raster rows ``top`` to ``bottom`` (excluded) of the working columns of a block."""
        values, offset = block.probabilities, block.row
        needed, end = self._rows.needed(top, bottom)
        if needed < block.row:
            values = np.concatenate([self._above[:, :, cols], values[:, : end - block.row]], axis=1)
            offset -= self._above.shape[1]
        return self._rows(values, 1, top, bottom, offset)

    def _valid(self, window: Window) -> Bools:
        """Return where pixels of the raster have data and are in the area, (height, width)."""
        if not window.height or not window.width:
            return np.zeros((window.height, window.width), bool)
        if self._area is None:
            return self._source.read_validity(window)
        wanted = self._area.mask(window)
        return wanted & self._source.read_validity(window) if wanted.any() else wanted

    def _decide(self, probabilities: Floats, valid: Bools, rows: slice, cols: slice) -> None:
        # Next to windows without data the interpolation mixes in zeros: dividing by the sum normalizes again.
        total = probabilities.sum(axis=0)
        probabilities /= np.maximum(total, 1e-6)
        self._maps.decide(self._decision, probabilities, valid & (total > 1e-6), rows, cols)
