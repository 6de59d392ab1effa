"""How windows cover a raster. Integers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dubai_landcover_plugin.protocol.errors import TilingError

_SIDES = (0.75, 1.25)  # of the preferred side


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


def fitting_side(length: int, preferred: int, overlap: int, multiple: int) -> int:
    """Return the side of the windows that computes the fewest pixels along an axis, px.

    Windows of one fixed side seldom fit an axis: spread evenly, they share more than they need to. Sides from three to
    five quarters of the preferred one are looked at; where two compute the same, the one nearer to it is taken.

    Args:
        length: Of the axis, px.
        preferred: The side that suits the network, px.
        overlap: What neighbours share at least, px.
        multiple: The side is a multiple of it.

    Raises:
        TilingError: if ``overlap`` leaves no stride.
    """
    least, most = (multiple * max(round(preferred * share / multiple), 1) for share in _SIDES)
    if length <= most:
        return most  # a single window, cut to the axis
    if not 0 <= overlap < least:
        raise TilingError(f"The overlap must lie in 0..{least - 1} px for windows of {least} px, got {overlap} px.")
    sides = range(least, most + 1, multiple)
    return min(sides, key=lambda side: (len(window_starts(length, side, overlap)) * side, abs(side - preferred)))


@dataclass(frozen=True)
class TileGrid:
    """Overlapping windows over a raster, row by row, all of one shape.

    Where the raster is shorter than a window, the window is cut to the raster.

    Args:
        height: Rows of the raster, px.
        width: Columns of the raster, px.
        size: Side of a window, or its height and width, px.
        overlap: What neighbouring windows share at least, px.

    Raises:
        TilingError: if a length is not positive or the overlap leaves no stride.
    """

    height: int
    width: int
    size: int | tuple[int, int]
    overlap: int

    def __post_init__(self) -> None:
        if min(self.height, self.width, *self._size) < 1:
            height, width = self._size
            raise TilingError(
                f"Raster and window need at least 1 px, got {self.height}×{self.width} px and {height}×{width} px."
            )
        for side in self._size:
            window_starts(side, side, self.overlap)  # refuses an overlap that leaves no stride

    @property
    def _size(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def window_shape(self) -> tuple[int, int]:
        """Height and width of every window, px."""
        height, width = self._size
        return min(height, self.height), min(width, self.width)

    @cached_property
    def row_starts(self) -> list[int]:
        """First row of each band of windows."""
        return window_starts(self.height, self._size[0], self.overlap)

    @cached_property
    def col_starts(self) -> list[int]:
        """First column of each window in a band."""
        return window_starts(self.width, self._size[1], self.overlap)

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def __getitem__(self, index: int) -> Window:
        rows, cols = self.row_starts, self.col_starts
        return Window(rows[index // len(cols)], cols[index % len(cols)], *self.window_shape)

    def __iter__(self) -> Iterator[Window]:
        return self.bands(0, len(self.row_starts))

    def bands(self, first: int, last: int) -> Iterator[Window]:
        """Yield the windows of bands ``first`` to ``last`` (excluded)."""
        height, width = self.window_shape
        for row in self.row_starts[first:last]:
            for col in self.col_starts:
                yield Window(row, col, height, width)
