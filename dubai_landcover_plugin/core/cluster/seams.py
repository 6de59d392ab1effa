"""Rows that two shards share: each knows the sums of its own windows, and together they are those of the whole raster.

A shard of bands begins where the last band of the shard above reaches into it. It hands on its own sums for these rows
(the head), and the sums of its last band for the rows below it (the rest). Added up, they are bit for bit what one
process has there, because the blender adds the sums of a band above last.

Only where the model sees the raster's own pixels. Else a shard computes the band above its first once more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.segmentation.blending import FinishedBlock, Floats
from dubai_landcover_plugin.core.segmentation.class_rows import Bools, ClassMaps, Decision, RowSink
from dubai_landcover_plugin.core.segmentation.plan import Plan


@dataclass(frozen=True)
class Head:
    """The first rows of a shard, as far as its own windows know them.

    Args:
        sums: (K, n, W) weighted probabilities.
        valid: (n, W) true where the raster holds data.
    """

    sums: Floats
    valid: Bools

    def finish(self, rest: Floats, decision: Decision, sink: RowSink) -> None:
        """Write the rows, with what the shard above knows of them, (K, n or more, W)."""
        rows = self.sums.shape[1]
        sink.write_rows(*decision(self.sums + rest[:, :rows], self.valid, sink.wants_confidence))


def shared_rows(tiles: TileGrid, band: int) -> int:
    """Return how many rows of a band of windows the band above reaches into; 0 for the first."""
    starts = tiles.row_starts
    return 0 if band == 0 else starts[band - 1] + tiles.window_shape[0] - starts[band]


def can_share(plan: Plan) -> bool:
    """Return whether shards may share rows: each belongs to two bands of windows at most."""
    tiles = plan.tiles
    bands = range(1, len(tiles.row_starts))
    steps = [after - before for before, after in zip(tiles.row_starts, tiles.row_starts[1:], strict=False)]
    return plan.work.is_native and all(shared_rows(tiles, band) <= min(steps) for band in bands)


class HeadKeeper:
    """Keeps the head of a shard; all other rows go on to the maps that it stands before.

    Args:
        maps: Where finished rows go; their next row is the one below the head.
        tiles: The windows.
        band: The first of the shard.
        classes: Channels K of the probabilities.
    """

    def __init__(self, maps: ClassMaps, tiles: TileGrid, band: int, classes: int) -> None:
        self._maps = maps
        self._row = tiles.row_starts[band]
        self._rows = shared_rows(tiles, band)
        self._sums = np.zeros((classes, self._rows, tiles.width), np.float32)
        self._valid = np.zeros((self._rows, tiles.width), bool)

    @property
    def head(self) -> Head:
        """What was kept."""
        return Head(self._sums, self._valid)

    def saw(self, window: Window, valid: npt.NDArray[np.bool_]) -> None:
        """See :meth:`ClassMaps.saw`."""
        if window.row == self._row:
            self._valid[:, window.cols] = valid[: self._rows]
        self._maps.saw(window, valid)

    def put(self, block: FinishedBlock) -> None:
        """See :meth:`ClassMaps.put`."""
        if block.row == self._row:
            cols = block.probabilities.shape[2]
            self._sums[:, :, block.col : block.col + cols] = block.probabilities[:, : self._rows]
        self._maps.put(block)

    def complete_rows(self, available: int) -> int:
        """See :meth:`ClassMaps.complete_rows`."""
        return self._maps.complete_rows(available)

    def first_needed(self) -> int:
        """See :meth:`ClassMaps.first_needed`."""
        return self._maps.first_needed()
