"""Rows shared by two shards: each shard sums its own windows, and the two sums are added where rows are written.

A shard is a range of tile rows. It starts at the first row of its first tile row, where the last tile row of the shard
above ends later. A shard therefore returns two sums besides its finished rows: the *head*, its own sums for its first
rows, and the *carry*, its sums for the rows below its last tile row. Head plus the carry of the shard above is
bit-identical to the sums of a single process, because :class:`.TileRowBlender` adds the sums of the tile row above
last.

Only possible at the raster's own resolution. In resampled runs a shard computes the tile row above its first one again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.segmentation.blending import FinishedBlock, Floats
from dubai_landcover_plugin.core.segmentation.class_rows import Bools, ClassDecision, ClassMaps, RowSink
from dubai_landcover_plugin.core.segmentation.plan import Plan


@dataclass(frozen=True)
class ShardHead:
    """Sums of a shard for the rows that it shares with the shard above.

    Args:
        sums: (K, n, W) float32 weighted probabilities.
        valid: (n, W) true where the raster has data.
    """

    sums: Floats
    valid: Bools

    def finish(self, carry: Floats, decision: ClassDecision, sink: RowSink) -> None:
        """Add the carry of the shard above, (K, n or more, W), and write the rows."""
        rows = self.sums.shape[1]
        asked = sink.with_confidence, sink.with_probabilities
        sink.write_rows(*decision(self.sums + carry[:, :rows], self.valid, *asked))


def shared_rows(tiles: TileGrid, tile_row: int) -> int:
    """Return the number of pixel rows that a tile row shares with the one above; 0 for the first."""
    starts = tiles.row_starts
    return 0 if tile_row == 0 else starts[tile_row - 1] + tiles.window_shape[0] - starts[tile_row]


def can_share(plan: Plan) -> bool:
    """Return whether shards can share rows: no resampling, and each pixel row is in at most two tile rows."""
    tiles = plan.tiles
    tile_rows = range(1, len(tiles.row_starts))
    steps = [after - before for before, after in zip(tiles.row_starts, tiles.row_starts[1:], strict=False)]
    return plan.work.is_native and all(shared_rows(tiles, tile_row) <= min(steps) for tile_row in tile_rows)


class ShardHeadRecorder:
    """Records the head of a shard and passes all blocks on to the class maps.

    Args:
        maps: Class maps that write the finished rows; their next row is the first below the head.
        tiles: The windows.
        tile_row: First tile row of the shard.
        classes: Channels K of the probabilities.
    """

    def __init__(self, maps: ClassMaps, tiles: TileGrid, tile_row: int, classes: int) -> None:
        self._maps = maps
        self._row = tiles.row_starts[tile_row]
        self._rows = shared_rows(tiles, tile_row)
        self._sums = np.zeros((classes, self._rows, tiles.width), np.float32)
        self._valid = np.zeros((self._rows, tiles.width), bool)

    @property
    def head(self) -> ShardHead:
        """The recorded head."""
        return ShardHead(self._sums, self._valid)

    def set_validity(self, window: Window, valid: npt.NDArray[np.bool_]) -> None:
        """See :meth:`ClassMaps.set_validity`."""
        if window.row == self._row:
            self._valid[:, window.cols] = valid[: self._rows]
        self._maps.set_validity(window, valid)

    def add_block(self, block: FinishedBlock) -> None:
        """See :meth:`ClassMaps.add_block`."""
        if block.row == self._row:
            cols = block.probabilities.shape[2]
            self._sums[:, :, block.col : block.col + cols] = block.probabilities[:, : self._rows]
        self._maps.add_block(block)

    def complete_rows(self, available: int) -> int:
        """See :meth:`ClassMaps.complete_rows`."""
        return self._maps.complete_rows(available)

    def first_needed(self) -> int:
        """See :meth:`ClassMaps.first_needed`."""
        return self._maps.first_needed()
