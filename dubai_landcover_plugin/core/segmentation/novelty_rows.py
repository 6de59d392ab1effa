"""Writes the novelty of the ground as a raster on the pixels of the classified one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter
from dubai_landcover_plugin.core.segmentation.novelty import NoveltyMeter, cell_statistics, nearer_percents
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.core.segmentation.window_reader import read_window
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.ground_samples import CELL
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

NOVELTY_NODATA = 255
STRIP = 16  # rows of cells that are read at once
_COLUMNS = 64  # columns of cells that are read at once

Bytes = npt.NDArray[np.uint8]


class NoveltyRows:
    """Measures the novelty of cells of :data:`.CELL` working pixels and writes it for rows of the raster.

    A cell has the percentage of cells of the training images, among those of other places, that are nearer to the
    training than it is. Cells that contain an invalid pixel have no value. Less than a cell at the right and at the
    bottom gets the value of the cell beside it. It depends on raster, extent and model alone: the raster is read
    again, strip by strip, when its rows are due, so that rows of a resumed run or of a cluster need nothing else.

    Args:
        plan: Working resolution and stretch.
        source: The raster, opened separately.
        metadata: Metadata of the model.
        writer: The novelty raster.

    Raises:
        BundleError: if the model has no ground samples.
    """

    def __init__(self, plan: Plan, source: RasterSource, metadata: BundleMetadata, writer: LandCoverWriter) -> None:
        samples = metadata.require_ground()
        self.writer = writer
        self._plan, self._source, self._mean = plan, source, metadata.mean
        self._meter, self._quantiles = NoveltyMeter(np.array(samples.cells)), samples.distances
        self._shape = plan.work.height // CELL, plan.work.width // CELL  # whole cells
        self._strip, self._values = -1, np.empty((0, 0), np.uint8)

    def write_rows(self, first: int, labels: Bytes) -> None:
        """Append the rows of the novelty raster that belong to rows of class ids, (n, W) uint8.

        Args:
            first: Index of the first of these rows.
            labels: The class ids; where they are nodata, the novelty is too.

        Raises:
            RasterReadError: if a block of the raster is damaged.
            OutputError: if the disk is full.
        """
        count, width = labels.shape
        values = np.full((count, width), NOVELTY_NODATA, np.uint8)
        if all(self._shape):
            rows = self._cells(first, count, self._source.grid.height, self._plan.work.height)
            cols = self._cells(0, width, width, self._plan.work.width)
            for strip in np.unique(rows // STRIP):
                chosen = rows // STRIP == strip
                values[chosen] = self._measured(int(strip))[:, cols][rows[chosen] - strip * STRIP]
            values[labels == NODATA_ID] = NOVELTY_NODATA
        self.writer.write_rows(values)

    @staticmethod
    def _cells(first: int, count: int, length: int, working: int) -> npt.NDArray[np.int64]:
        """Return the cell of each raster pixel along an axis, (count,): that of the pixel's centre.

        Args:
            first: First raster pixel.
            count: Number of raster pixels.
            length: Length of the axis in raster pixels.
            working: Its length in working pixels, at least one cell.
        """
        centres = (np.arange(first, first + count) + 0.5) * (working / length)
        return np.minimum(centres.astype(np.int64) // CELL, working // CELL - 1)

    def _measured(self, strip: int) -> Bytes:
        """Return the novelty of the cells of a strip, (rows, columns) uint8, percent."""
        if strip != self._strip:
            top, columns = strip * STRIP, self._shape[1]
            height = min(STRIP, self._shape[0] - top)
            parts = [
                self._measure(top, left, height, min(_COLUMNS, columns - left)) for left in range(0, columns, _COLUMNS)
            ]
            self._strip, self._values = strip, np.concatenate(parts, axis=1)
        return self._values

    def _measure(self, top: int, left: int, height: int, width: int) -> Bytes:
        """Read a block of cells and return their novelty, (height, width) uint8, percent."""
        window = Window(top * CELL, left * CELL, height * CELL, width * CELL)
        item = read_window(self._plan, self._source, window, self._mean)
        values = np.full((height, width), NOVELTY_NODATA, np.uint8)
        if item.chip is not None:
            whole = item.valid.reshape(height, CELL, width, CELL).all(axis=(1, 3))
            distances = self._meter.distances(cell_statistics(item.chip, item.valid))
            values[whole] = np.rint(nearer_percents(distances, self._quantiles))
        return values
