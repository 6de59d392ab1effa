"""Both maps and their confidence on the same pixels."""

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
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.io.grid_reader import GridReader
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest

Codes = npt.NDArray[Any]  # uint8 or uint16


@dataclass(frozen=True)
class Band:
    """Rows of both dates, (h, W) each.

    Args:
        earlier: Position of the class in the coding.
        later: The same for the later date.
        sure: Where both classes are known and, if a minimum is set, sure enough.
    """

    earlier: Indices
    later: Indices
    sure: npt.NDArray[np.bool_]

    def codes(self, coding: ChangeCoding) -> Codes:
        """Return the codes of the from–to raster."""
        has_data = (self.earlier >= UNKNOWN) & (self.later >= UNKNOWN)
        codes = np.where(has_data, UNCERTAIN, NODATA_ID).astype(coding.dtype)
        codes[self.sure] = coding.codes[self.earlier[self.sure], self.later[self.sure]]
        return codes


class BothDates:
    """Reads both maps by rows of the common area; a context manager.

    Args:
        request: Names the rasters, and the least confidence.
        grids: Of the maps.
        coding: Of their classes.
        alignment: How they come to the same pixels.
    """

    def __init__(
        self, request: ChangeRequest, grids: tuple[Grid, Grid], coding: ChangeCoding, alignment: Alignment
    ) -> None:
        self._least = round(100 * request.min_confidence, 6)
        self._coding, self.grid = coding, alignment.grid
        wanted = (alignment.grid, alignment.sampling)
        with ExitStack() as stack:
            self._maps = [
                stack.enter_context(GridReader(path, own, there))
                for path, own, there in zip((request.earlier, request.later), grids, wanted, strict=True)
            ]
            given = zip((request.earlier_confidence, request.later_confidence), grids, wanted, strict=True)
            self._confidences = [
                stack.enter_context(ConfidenceSource(path, own, there))
                for path, own, there in given
                if path is not None
            ]
            self._open = stack.pop_all()

    def __enter__(self) -> BothDates:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def classes(self, window: Window) -> tuple[Indices, Indices]:
        """Return the positions of the classes in the coding, earlier and later."""
        earlier, later = (reader.read(window) for reader in self._maps)
        return self._coding.indices(earlier, later=False), self._coding.indices(later, later=True)

    def band(self, first: int, last: int) -> Band:
        """Return rows ``first`` to ``last`` (excluded)."""
        earlier, later = self.classes(self._window(first, last))
        sure = (earlier >= 0) & (later >= 0)
        if self._confidences and self._least > 0:
            sure &= self.confidence(first, last) >= self._least  # false where it is NaN
        return Band(earlier, later, sure)

    def confidence(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Return the lower confidence of both dates, percent; NaN where one is not known."""
        window = self._window(first, last)
        found = [source.window(window) for source in self._confidences]
        least: npt.NDArray[np.float32] = np.minimum.reduce(found)  # NaN wins
        return least

    def _window(self, first: int, last: int) -> Window:
        return Window(first, 0, last - first, self.grid.width)
