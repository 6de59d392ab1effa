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


def window_starts(length: int, size: int, stride: int) -> list[int]:
    """Return offsets along one axis (px); the last is pulled back to the edge.

    Raises:
        TilingError: if ``stride`` would leave gaps.
    """
    if not 0 < stride <= size:
        raise TilingError(f"stride must lie in 1..{size} px, got {stride}")
    last = max(length - size, 0)  # a shorter axis is padded by the reader
    return [*range(0, last, stride), last]


@dataclass(frozen=True)
class TileGrid:
    """Overlapping square windows over a raster, row by row.

    Args:
        height: Rows of the raster, px.
        width: Columns of the raster, px.
        size: Side of a window, px.
        overlap: What neighbouring windows share at least, px; below ``size``.

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
                f"Raster and window need at least 1 px, got {self.height}×{self.width} and {self.size}."
            )
        if not 0 <= self.overlap < self.size:
            raise TilingError(
                f"The overlap must lie in 0..{self.size - 1} px for windows of {self.size} px, "
                f"got {self.overlap}."
            )

    @property
    def row_starts(self) -> list[int]:
        """First row of each band of windows."""
        return window_starts(self.height, self.size, self.size - self.overlap)

    @property
    def col_starts(self) -> list[int]:
        """First column of each window in a band."""
        return window_starts(self.width, self.size, self.size - self.overlap)

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def __iter__(self) -> Iterator[Window]:
        for row in self.row_starts:
            for col in self.col_starts:
                yield Window(row, col, self.size, self.size)
