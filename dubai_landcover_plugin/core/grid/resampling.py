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
        self._coarser = working > native
        if self._coarser:  # edges of the raster pixels, in working pixels
            self._edges = np.arange(native + 1) * (working / native)
            self._edges[-1] = working
        else:  # centres of the raster pixels between the centres of two working pixels, in working pixels
            centre = (np.arange(native) + 0.5) * (working / native) - 0.5
            centre = centre.clip(0, working - 1)
            self._lower = np.floor(centre).astype(np.int64)
            self._upper = np.minimum(self._lower + 1, working - 1)
            self._fraction = (centre - self._lower).astype(np.float32)

    def needed(self, first: int, last: int) -> tuple[int, int]:
        """Return the half-open range of working pixels that raster pixels ``first`` to ``last`` (excluded) need."""
        if self._coarser:
            return int(np.floor(self._edges[first])), int(np.ceil(self._edges[last]))
        return int(self._lower[first]), int(self._upper[last - 1]) + 1

    def __call__(self, values: Floats, axis: int, first: int, last: int, offset: int = 0) -> Floats:
        """Return raster pixels ``first`` to ``last`` (excluded) along ``axis``.

        Args:
            values: Working pixels, starting at pixel ``offset`` along ``axis``.
            axis: The axis to resample.
            first: First raster pixel.
            last: End of the range of raster pixels, excluded.
            offset: Index of the first working pixel in ``values``.
        """
        shape = [1] * values.ndim
        shape[axis] = last - first
        if self._coarser:
            return self._means(values, axis, first, last, offset)
        fraction = self._fraction[first:last].reshape(shape)
        lower = np.take(values, self._lower[first:last] - offset, axis)
        upper = np.take(values, self._upper[first:last] - offset, axis)
        between: Floats = lower + (upper - lower) * fraction
        return between

    def _means(self, values: Floats, axis: int, first: int, last: int, offset: int) -> Floats:
        """Return the area means of the working pixels in each raster pixel."""
        lower, upper = self._edges[first:last], self._edges[first + 1 : last + 1]
        begin = np.floor(lower).astype(np.int64)
        shape = [1] * values.ndim
        shape[axis] = last - first
        total: npt.NDArray[np.float64] | None = None
        # The first working pixel of each raster pixel, then the second, and so on: few passes over the smaller array.
        for number in range(int((np.ceil(upper) - begin).max())):
            pixel = begin + number
            weight = (np.minimum(upper, pixel + 1) - np.maximum(lower, pixel)).clip(0) / (upper - lower)
            taken = np.take(values, np.minimum(pixel - offset, values.shape[axis] - 1), axis)
            part = taken * weight.reshape(shape)
            total = part if total is None else np.add(total, part, out=total)
        means: Floats = (np.zeros(0) if total is None else total).astype(np.float32)
        return means
