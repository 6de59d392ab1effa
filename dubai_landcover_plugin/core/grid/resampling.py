"""Resampling between grids of the same extent, one axis at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def cell_sums(values: npt.NDArray[np.floating], edges: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.float64]:
    """Return the area-weighted sum of pixels in each cell along ``axis``, float64.

    A pixel crossed by an edge contributes to both cells in proportion.

    Args:
        values: Array of any shape.
        edges: (n + 1,) ascending positions between 0 and the length of the axis; cell i is between edges i and i + 1.
        axis: The axis to sum along.
    """
    # Cumulative sums, interpolated linearly at the edges; their differences are the sums of the cells.
    moved = np.moveaxis(values, axis, -1)
    running = np.zeros((*moved.shape[:-1], moved.shape[-1] + 1))
    np.cumsum(moved, axis=-1, out=running[..., 1:])
    whole = np.minimum(np.floor(edges).astype(np.int64), moved.shape[-1])
    share = edges - whole
    after = np.minimum(whole + 1, moved.shape[-1])
    at_edges = running[..., whole] * (1 - share) + running[..., after] * share
    return np.moveaxis(np.diff(at_edges, axis=-1), -1, axis)


class Interpolation:
    """Linear interpolation when upsampling, area mean when downsampling, from working to native pixels.

    Args:
        working: Number of working pixels.
        native: Number of raster pixels.
    """

    def __init__(self, working: int, native: int) -> None:
        self.native = native
        if working > native:  # edges of the raster pixels, in working pixels, without the rounding of the division
            edges = np.round(np.arange(native + 1) * (working / native), 9)
            self._begin = np.floor(edges[:-1]).astype(np.int64)
            self._end = np.ceil(edges[1:]).astype(np.int64)
            lower, upper = edges[:-1, None], edges[1:, None]
            pixel = self._begin[:, None] + np.arange((self._end - self._begin).max())
            weights = (np.minimum(upper, pixel + 1) - np.maximum(lower, pixel)).clip(0) / (upper - lower)
        else:  # centres of the raster pixels between the centres of two working pixels, in working pixels
            centre = ((np.arange(native) + 0.5) * (working / native) - 0.5).clip(0, working - 1)
            self._begin = np.floor(centre).astype(np.int64)
            self._end = np.minimum(self._begin + 2, working)
            fraction = centre - self._begin
            weights = np.stack([1 - fraction, fraction], axis=1)
        # (n, native): weights of the first working pixel that a raster pixel needs, of the second, and so on
        self._weights = np.ascontiguousarray(weights.T.astype(np.float32))

    def needed(self, first: int, last: int) -> tuple[int, int]:
        """Return the half-open range of working pixels that raster pixels ``first`` to ``last`` (excluded) need."""
        return int(self._begin[first]), int(self._end[last - 1])

    def complete(self, available: int) -> int:
        """Return the number of raster pixels that the first ``available`` working pixels suffice for."""
        return int(np.searchsorted(self._end, available, side="right"))

    def __call__(self, values: Floats, axis: int, first: int, last: int, offset: int = 0) -> Floats:
        """Return raster pixels ``first`` to ``last`` (excluded) along ``axis``.

        The result does not depend on how a range is divided into calls.

        Args:
            values: Working pixels, starting at pixel ``offset`` along ``axis``.
            axis: The axis to resample.
            first: First raster pixel.
            last: End of the range of raster pixels, excluded.
            offset: Index of the first working pixel in ``values``.
        """
        shape = [1] * values.ndim
        shape[axis] = last - first
        lower, upper = self.needed(first, last)
        within: list[slice] = [slice(None)] * values.ndim
        within[axis] = slice(lower - offset, upper - offset)
        needed = np.ascontiguousarray(values[tuple(within)])  # once: numpy.take would copy all values each time
        begin = self._begin[first:last] - lower

        def weighted(number: int) -> Floats:
            """Return the weighted working pixels ``number`` after the first ones."""
            part: Floats = np.take(needed, begin + number, axis, mode="clip")  # beyond the last one the weight is 0
            part *= self._weights[number, first:last].reshape(shape)
            return part

        total = weighted(0)
        for number in range(1, len(self._weights)):
            total += weighted(number)
        return total
