"""Windows that cover a raster with overlap, in integer pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dubai_landcover_plugin.protocol.errors import TilingError
from dubai_landcover_plugin.protocol.translation import tr

_SIDES = (0.75, 1.25)  # of the preferred side


@dataclass(frozen=True)
class Window:
    """Half-open rectangle of pixels; row 0, col 0 is the upper-left pixel of the raster."""

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
        return tr(
            "rows {row}–{last_row}, columns {col}–{last_col}",
            row=self.row,
            last_row=self.row + self.height - 1,
            col=self.col,
            last_col=self.col + self.width - 1,
        )


def window_starts(length: int, size: int, overlap: int) -> list[int]:
    """Return the offsets of windows along one axis, px: as few windows as possible, evenly spaced.

    The first window starts at 0, the last ends at ``length``, and neighbours overlap by at least ``overlap`` px.

    Args:
        length: Length of the axis, px.
        size: Length of a window, px.
        overlap: Minimum overlap of neighbouring windows, px.

    Raises:
        TilingError: if ``overlap`` is not in 0..size - 1.
    """
    if not 0 <= overlap < size:
        raise TilingError(
            tr(
                "The overlap must be 0 to {most} px for windows of {window} px, got {overlap} px.",
                most=size - 1,
                window=size,
                overlap=overlap,
            ),
            tr("Lower the overlap or increase the window."),
        )
    last = max(length - size, 0)
    steps = -(-last // (size - overlap))
    return [last * step // steps for step in range(steps + 1)] if steps else [0]


def spread_windows(height: int, width: int, count: int, side: int) -> list[Window]:
    """Return ``count`` × ``count`` small windows from corner to corner; three are at the corners, middles and centre.

    Args:
        height: Height of the raster, px.
        width: Width of the raster, px.
        count: Windows along each axis, at least 2; fewer where they would coincide.
        side: Side of a window, px; the windows of smaller rasters are smaller.
    """
    rows, cols = min(side, height), min(side, width)
    shares = [index / (count - 1) for index in range(count)]
    places = ((int((height - rows) * down), int((width - cols) * right)) for down in shares for right in shares)
    return [Window(row, col, rows, cols) for row, col in dict.fromkeys(places)]


def spread_order(rows: int, columns: int) -> list[int]:
    """Return the windows of a grid in an order in which each part of the list is spread over the grid.

    Source: Roberts 2018, the quasirandom sequence R2, https://extremelearning.com.au/unreasonable-effectiveness-of-
    quasirandom-sequences/
    """
    down, right = 0.7548776662466927, 0.5698402909980532
    places = (
        (int((0.5 + step * down) % 1.0 * rows), int((0.5 + step * right) % 1.0 * columns))
        for step in range(1, min(4 * rows * columns, 20_000) + 1)
    )
    return list(dict.fromkeys((*(row * columns + col for row, col in places), *range(rows * columns))))


def fitting_side(length: int, preferred: int, overlap: int, multiple: int) -> int:
    """Return the side of the windows, px, that computes the fewest pixels along an axis.

    Evenly spaced windows of the preferred side overlap by more than necessary unless they fit the axis. All multiples
    of ``multiple`` from 0.75 to 1.25 times the preferred side are compared; ties go to the nearest one.

    Args:
        length: Length of the axis, px.
        preferred: Preferred side of a window, px.
        overlap: Minimum overlap of neighbouring windows, px.
        multiple: Stride of the network, px; the side is a multiple of it.

    Raises:
        TilingError: if ``overlap`` is not smaller than the smallest side compared.
    """
    least, most = (multiple * max(round(preferred * share / multiple), 1) for share in _SIDES)
    if length <= most:
        return most  # a single window, clipped to the axis
    if not 0 <= overlap < least:
        raise TilingError(
            tr(
                "The overlap must be 0 to {most} px for windows of {window} px, got {overlap} px.",
                most=least - 1,
                window=least,
                overlap=overlap,
            ),
            tr("Lower the overlap or increase the window."),
        )
    sides = range(least, most + 1, multiple)
    return min(sides, key=lambda side: (len(window_starts(length, side, overlap)) * side, abs(side - preferred)))


@dataclass(frozen=True)
class TileGrid:
    """Overlapping windows of one shape over a raster, in row-major order. A row of windows is a tile row.

    Windows are clipped to rasters that are smaller than a window.

    Args:
        height: Rows of the raster, px.
        width: Columns of the raster, px.
        size: Side of a window, or its height and width, px.
        overlap: Minimum overlap of neighbouring windows, px.

    Raises:
        TilingError: if a length is below 1 px or the overlap is not smaller than the window.
    """

    height: int
    width: int
    size: int | tuple[int, int]
    overlap: int

    def __post_init__(self) -> None:
        if min(self.height, self.width, *self._size) < 1:
            height, width = self._size
            raise TilingError(
                tr(
                    "Raster and window must be at least 1×1 px, got {height}×{width} px and "
                    "{other_height}×{other_width} px.",
                    height=self.height,
                    width=self.width,
                    other_height=height,
                    other_width=width,
                )
            )
        for side in self._size:
            window_starts(side, side, self.overlap)  # checks the overlap

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
        """First pixel row of each tile row."""
        return window_starts(self.height, self._size[0], self.overlap)

    @cached_property
    def col_starts(self) -> list[int]:
        """First pixel column of each window in a tile row."""
        return window_starts(self.width, self._size[1], self.overlap)

    def __len__(self) -> int:
        return len(self.row_starts) * len(self.col_starts)

    def __getitem__(self, index: int) -> Window:
        rows, cols = self.row_starts, self.col_starts
        return Window(rows[index // len(cols)], cols[index % len(cols)], *self.window_shape)

    def __iter__(self) -> Iterator[Window]:
        return self.windows_of(0, len(self.row_starts))

    def windows_of(self, first: int, last: int) -> Iterator[Window]:
        """Yield the windows of tile rows ``first`` to ``last`` (excluded)."""
        height, width = self.window_shape
        for row in self.row_starts[first:last]:
            for col in self.col_starts:
                yield Window(row, col, height, width)
