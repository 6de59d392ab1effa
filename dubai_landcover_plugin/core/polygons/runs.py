"""Runs: neighbouring pixels of one class in one row, of which regions are made."""

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
    """The runs of a band, row by row.

    Args:
        of_pixel: (H, W) int32, the run of each pixel.
        starts: (N,) first pixel of each run, counted through the band.
        class_ids: (N,) as in the band.
        lengths: (N,) px.
    """

    of_pixel: npt.NDArray[np.int32]
    starts: Indices
    class_ids: npt.NDArray[Any]
    lengths: Indices

    @classmethod
    def of(cls, ids: npt.NDArray[Any]) -> Runs:
        """Find the runs of a band of class ids, (H, W)."""
        begins = np.ones(ids.shape, bool)
        np.not_equal(ids[:, 1:], ids[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        of_pixel = np.cumsum(begins, dtype=np.int32).reshape(ids.shape)
        of_pixel -= 1
        return cls(of_pixel, starts, ids.ravel()[starts], np.diff(starts, append=ids.size))

    @property
    def rows(self) -> Indices:
        """(N,) row of each run."""
        rows: Indices = self.starts // self.of_pixel.shape[1]
        return rows

    def below(self) -> tuple[Indices, Indices, Indices]:
        """Return upper run, lower run and shared border, px, wherever a run lies upon another."""
        width = self.of_pixel.shape[1]
        flat = self.of_pixel.ravel()
        index = np.arange(len(self.starts))
        # What two runs share begins where the one or the other begins.
        second = index[self.starts >= width]
        over = flat[self.starts[second] - width].astype(np.int64)
        first = index[self.starts < flat.size - width]
        beneath = flat[self.starts[first] + width].astype(np.int64)
        later = self.starts[beneath] != self.starts[first] + width  # where both begin, the pair is known already
        upper = np.concatenate([over, first[later]])
        lower = np.concatenate([second, beneath[later]])
        ends = self.starts + self.lengths
        begin = np.maximum(self.starts[upper] + width, self.starts[lower])
        return upper, lower, np.minimum(ends[upper] + width, ends[lower]) - begin

    def beside(self) -> Pairs:
        """Return left and right run wherever two lie side by side."""
        right = np.flatnonzero(self.starts % self.of_pixel.shape[1])
        return right - 1, right

    def across(self) -> Pairs:
        """Return the runs of pixels that touch at a corner, upper and lower ones."""
        of = self.of_pixel
        pairs = []
        for here, there, beside in ((of[:-1, :-1], of[1:, 1:], of[:-1, 1:]), (of[:-1, 1:], of[1:, :-1], of[:-1, :-1])):
            apart = (here != beside) & (there != beside)
            pairs.append((here[apart].astype(np.int64), there[apart].astype(np.int64)))
        return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])

    def hold_data(self, upper: Indices, lower: Indices) -> npt.NDArray[np.bool_]:
        """Return for which pairs of runs both hold data."""
        data = self.class_ids != NODATA_ID
        both: npt.NDArray[np.bool_] = data[upper] & data[lower]
        return both
