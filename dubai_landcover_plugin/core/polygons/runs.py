"""Run-length encoding of a strip of class ids, and which runs are neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.classes import NODATA_ID

Indices = npt.NDArray[np.int64]
Pairs = tuple[Indices, Indices]


@dataclass(frozen=True)
class Runs:
    """Horizontal runs of equal class ids in a strip of H rows and W columns, in row-major order.

    Args:
        run_of_pixel: (H, W) int32, index of the run that contains each pixel.
        starts: (N,) int64, row-major index of the first pixel of each run.
        class_ids: (N,) class id of each run, in the dtype of the strip.
        lengths: (N,) int64, pixels in each run.
    """

    run_of_pixel: npt.NDArray[np.int32]
    starts: Indices
    class_ids: npt.NDArray[Any]
    lengths: Indices

    @classmethod
    def encode(cls, ids: npt.NDArray[Any]) -> Runs:
        """Run-length encode a strip of class ids, (H, W)."""
        is_start = np.ones(ids.shape, bool)  # the first pixel of every row starts a run
        np.not_equal(ids[:, 1:], ids[:, :-1], out=is_start[:, 1:])
        starts = np.flatnonzero(is_start)
        lengths = np.diff(starts, append=ids.size)
        run_of_pixel = np.repeat(np.arange(len(starts), dtype=np.int32), lengths).reshape(ids.shape)
        return cls(run_of_pixel, starts, ids.ravel()[starts], lengths)

    @property
    def rows(self) -> Indices:
        """(N,) row of each run."""
        rows: Indices = self.starts // self.run_of_pixel.shape[1]
        return rows

    def vertical_neighbours(self) -> tuple[Indices, Indices, Indices]:
        """Return the pairs of runs that share a horizontal border: upper run, lower run, border length in px.

        A shared border starts where its upper or its lower run starts, so looking up from each start and down from each
        start finds every pair::

            upper row  |   a    |  b  |    a and c start together, found from both: counted once
            lower row  | c |     d    |    (a, d) starts with d, (b, d) starts with b
        """
        width = self.run_of_pixel.shape[1]
        run_of_pixel = self.run_of_pixel.ravel()
        index = np.arange(len(self.starts))
        # Pairs whose border starts with the lower run: the run above its first pixel.
        has_above = index[self.starts >= width]
        above = run_of_pixel[self.starts[has_above] - width].astype(np.int64)
        # Pairs whose border starts with the upper run: the run below its first pixel.
        has_below = index[self.starts < run_of_pixel.size - width]
        below = run_of_pixel[self.starts[has_below] + width].astype(np.int64)
        # Where both runs start in the same column, the first step has found the pair already.
        is_new = self.starts[below] != self.starts[has_below] + width
        upper = np.concatenate([above, has_below[is_new]])
        lower = np.concatenate([has_above, below[is_new]])
        # Length of the overlap of both runs, in the columns of the lower row.
        ends = self.starts + self.lengths
        overlap_start = np.maximum(self.starts[upper] + width, self.starts[lower])
        return upper, lower, np.minimum(ends[upper] + width, ends[lower]) - overlap_start

    def horizontal_neighbours(self) -> Pairs:
        """Return the pairs of runs that follow each other in a row: left run, right run."""
        right = np.flatnonzero(self.starts % self.run_of_pixel.shape[1])
        return right - 1, right

    def diagonal_neighbours(self) -> Pairs:
        """Return the pairs of runs that touch at a pixel corner alone: upper run, lower run."""
        runs = self.run_of_pixel
        pairs = []
        for upper, lower, shared in (
            (runs[:-1, :-1], runs[1:, 1:], runs[:-1, 1:]),  # upper left and lower right pixel
            (runs[:-1, 1:], runs[1:, :-1], runs[:-1, :-1]),  # upper right and lower left pixel
        ):
            at_corner = (upper != shared) & (lower != shared)
            pairs.append((upper[at_corner].astype(np.int64), lower[at_corner].astype(np.int64)))
        return np.concatenate([upper for upper, _ in pairs]), np.concatenate([lower for _, lower in pairs])

    def both_valid(self, first: Indices, second: Indices) -> npt.NDArray[np.bool_]:
        """Return for which pairs of runs, (P,), neither is nodata."""
        valid = self.class_ids != NODATA_ID
        both: npt.NDArray[np.bool_] = valid[first] & valid[second]
        return both
