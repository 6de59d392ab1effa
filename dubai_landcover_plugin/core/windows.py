"""How windows cover a raster. Integers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dubai_landcover_plugin.core.errors import TilingError


@dataclass(frozen=True)
class Window:
    """Half-open pixel rectangle; origin at the upper-left pixel of the raster."""

    row: int
    col: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Rows of the window as a slice of the raster."""
        return slice(self.row, self.row + self.height)

    @property
    def cols(self) -> slice:
        """Columns of the window as a slice of the raster."""
        return slice(self.col, self.col + self.width)

    def __str__(self) -> str:
        return f"rows {self.row}–{self.row + self.height - 1}, columns {self.col}–{self.col + self.width - 1}"


def window_starts(length: int, size: int, overlap: int) -> list[int]:
    """Return offsets along one axis (px): as few windows as possible, spread evenly.

    The first window starts at 0, the last ends at ``length``, and neighbours share ``overlap`` px or a little more.

    Raises:
        TilingError: if ``overlap`` leaves no stride.
    """
    if not 0 <= overlap < size:
        raise TilingError(f"The overlap must lie in 0..{size - 1} px for windows of {size} px, got {overlap} px.")
    last = max(length - size, 0)
    steps = -(-last // (size - overlap))
    return [last * step // steps for step in range(steps + 1)] if steps else [0]


@dataclass(frozen=True)
class TileGrid:
    """Overlapping windows over a raster, row by row, all of one shape.

    Where the raster is shorter than a window, the window is cut to the raster.

    Args:
        height: Rows of the raster, px.
        width: Columns of the raster, px.
        size: Side of a window, px.
        overlap: What neighbouring windows share at least, px.

    Raises:
        TilingError: if a length is not positive or the overlap leaves no stride.
    """

    height: int
    width: int
    size: int
    overlap: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.size < 1:
            raise TilingError(
                f"Raster and window need at least 1 px, got {self.height}×{self.width} px and {self.size} px."
            )
        window_starts(self.height, self.size, self.overlap)  # refuses an overlap that leaves no stride

    @property
    def window_shape(self) -> tuple[int, int]:
        """Height and width of every window, px."""
        return min(self.size, self.height), min(self.size, self.width)

    @property
    def row_starts(self) -> list[int]:
        """First row of each band of windows."""
        return window_starts(self.height, self.size, self.overlap)

    @property
    def col_starts(self) -> list[int]:
        """First column of each window in a band."""
        return window_starts(self.width, self.size, self.overlap)

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def __iter__(self) -> Iterator[Window]:
        height, width = self.window_shape
        cols = self.col_starts
        for row in self.row_starts:
            for col in cols:
                yield Window(row, col, height, width)
