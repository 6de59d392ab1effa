"""Reads both classified rasters and their confidence on the same pixels."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.change.alignment import Alignment
from dubai_landcover_plugin.core.change.change_codes import UNCERTAIN, UNKNOWN, ChangeCoding, Indices
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.class_map import ClassDecoder
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.io.grid_reader import GridReader
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest

Codes = npt.NDArray[Any]  # uint8 or uint16


@dataclass(frozen=True)
class PairStrip:
    """A strip of rows of both dates, (h, W) each.

    Args:
        earlier: int16, class index of the earlier date, see :meth:`.ChangeCoding.indices`.
        later: int16, class index of the later date.
        certain: bool, where both classes are known and reach the minimum confidence.
    """

    earlier: Indices
    later: Indices
    certain: npt.NDArray[np.bool_]

    def codes(self, coding: ChangeCoding) -> Codes:
        """Return the codes of the from–to raster, (h, W)."""
        has_data = (self.earlier >= UNKNOWN) & (self.later >= UNKNOWN)
        codes = np.where(has_data, UNCERTAIN, NODATA_ID).astype(coding.dtype)
        codes[self.certain] = coding.codes[self.earlier[self.certain], self.later[self.certain]]
        return codes


class AlignedPair:
    """Reads both classified rasters on the grid of their common area; a context manager.

    Args:
        request: Paths of the rasters and of their confidence, and the minimum confidence.
        grids: Grids of the earlier and of the later raster.
        decoders: Class ids of the values of both rasters.
        coding: Class indices.
        alignment: Grid of the common area.
    """

    def __init__(
        self,
        request: ChangeRequest,
        grids: tuple[Grid, Grid],
        decoders: tuple[ClassDecoder, ClassDecoder],
        coding: ChangeCoding,
        alignment: Alignment,
    ) -> None:
        self._min_percent = round(100 * request.min_confidence, 6)
        self._coding, self._decoders, self.grid = coding, decoders, alignment.grid
        targets = (alignment.grid, alignment.sampling)
        with ExitStack() as stack:
            self._maps = [
                stack.enter_context(GridReader(path, grid, target, decoder.fill))
                for path, grid, target, decoder in zip(
                    (request.earlier, request.later), grids, targets, decoders, strict=True
                )
            ]
            given = zip((request.earlier_confidence, request.later_confidence), grids, targets, strict=True)
            self._confidences = [
                stack.enter_context(ConfidenceSource(path, grid, target))
                for path, grid, target in given
                if path is not None
            ]
            self._open = stack.pop_all()

    def __enter__(self) -> AlignedPair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def classes(self, window: Window) -> tuple[Indices, Indices]:
        """Return the class indices of the earlier and of the later date in a window, (h, w) int16 each."""
        earlier, later = (
            decoder.ids(reader.read(window)) for reader, decoder in zip(self._maps, self._decoders, strict=True)
        )
        return self._coding.indices(earlier, later=False), self._coding.indices(later, later=True)

    def strip(self, first: int, last: int) -> PairStrip:
        """Return rows ``first`` to ``last`` (excluded)."""
        earlier, later = self.classes(self._window(first, last))
        certain = (earlier >= 0) & (later >= 0)
        if self._confidences and self._min_percent > 0:
            certain &= self.confidence(first, last) >= self._min_percent  # NaN compares as false
        return PairStrip(earlier, later, certain)

    def confidence(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Return the lower confidence of both dates in rows ``first`` to ``last`` (excluded), (h, W) percent.

        NaN where one of them is unknown.
        """
        window = self._window(first, last)
        percents = [source.window(window) for source in self._confidences]
        lower: npt.NDArray[np.float32] = np.minimum.reduce(percents)  # propagates NaN
        return lower

    def _window(self, first: int, last: int) -> Window:
        return Window(first, 0, last - first, self.grid.width)
