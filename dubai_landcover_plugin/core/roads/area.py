"""Area of a class in memory, and distances to its edge along rays."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.ground import Floats, Points

FULL, UNKNOWN = 254, 255  # coverage of a cell that is all of the class; a cell of nodata
_STEP = 0.5  # cells: a gap that is narrower may be missed
_BISECTIONS = 5  # 1/64 of a cell
_STRIP = 64  # rows of cells that are packed together
_BAND = 512  # rows of cells that are unpacked at once, without margins
_BLEND = 2.0  # cells on both sides of the edge in which partly covered cells are summed

Coverage = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


def is_class(coverage: Coverage) -> npt.NDArray[np.bool_]:
    """Return the cells of which at least half is of the class."""
    mask: npt.NDArray[np.bool_] = (coverage >= FULL // 2) & (coverage != UNKNOWN)
    return mask


@dataclass(frozen=True)
class Hits:
    """Where rays leave the class.

    Args:
        distance: (N,) from the start of each ray, in the unit of its vector; NaN if the ray starts outside of the class
            or is longer than its limit.
        open: (N,) whether the ray leaves the class to nodata or the outside of the raster.
    """

    distance: Floats
    open: npt.NDArray[np.bool_]


@dataclass
class RoadArea:
    """Share of the class in each cell, in compressed strips of rows.

    Args:
        height: Height of the raster, px.
        width: Width of the raster, px.
        cell: Side of a cell, px.
    """

    height: int
    width: int
    cell: int
    _strips: list[tuple[int, int, bytes]] = field(default_factory=list)

    @property
    def cols(self) -> int:
        """Number of columns of cells."""
        return -(-self.width // self.cell)

    def add(self, first: int, coverage: Coverage) -> None:
        """Append rows of cells from row ``first``, (n, W): 0 to 254, 255 for nodata."""
        for start in range(0, len(coverage), _STRIP):
            part = coverage[start : start + _STRIP]
            self._strips.append((first + start, first + start + len(part), zlib.compress(part.tobytes(), 1)))

    def read(self, first: int, last: int) -> Coverage:
        """Return rows ``first`` to ``last`` (excluded) of cells; rows outside of the raster are unknown."""
        rows = np.full((last - first, self.cols), UNKNOWN, np.uint8)
        for start, stop, packed in self._strips:
            top, bottom = max(first, start), min(last, stop)
            if top < bottom:
                strip = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(stop - start, self.cols)
                rows[top - first : bottom - first] = strip[top - start : bottom - start]
        return rows

    def cast(self, points: Points, vectors: Points, limits: Floats, starts: Floats | None = None) -> Hits:
        """Return where rays leave the class.

        Args:
            points: (N, 2) starts of the rays, px.
            vectors: (N, 2) direction of each ray: its step in px for a distance of 1.
            limits: (N,) largest distance.
            starts: (N,) distance within which the ray is known to be in the class. None: 0.
        """
        rays = np.concatenate([points.T, vectors.T]) / self.cell  # (4, N) x, y, and their steps, cells
        scale = np.maximum(np.hypot(rays[2], rays[3]), 1e-12)  # cells for a distance of 1
        rays[2:] /= scale
        edge = self._exit(rays)
        farthest = np.minimum(limits * scale, edge + 1)
        nearest = np.zeros(len(points)) if starts is None else np.minimum(starts * scale, farthest)
        distance, is_open = np.full(len(points), np.nan), np.zeros(len(points), bool)
        band = np.floor(rays[1] / _BAND).astype(np.int64)
        order = np.argsort(band, kind="stable")
        edges = np.flatnonzero(np.diff(band[order], prepend=-1)) if len(order) else np.empty(0, int)
        for chosen in np.split(order, edges[1:]) if len(order) else []:
            first = int(band[chosen[0]]) * _BAND
            margin = int(farthest[chosen].max()) + 4
            window = _Window(self.read(first - margin, first + _BAND + margin), first - margin)
            distance[chosen], is_open[chosen] = window.cast(
                rays[:, chosen], nearest[chosen], farthest[chosen], self.cell > 1
            )
        # The last row and column of cells may be partly outside of the raster.
        distance = np.where(is_open, np.minimum(distance, edge), distance) / scale
        return Hits(np.where(distance <= limits, distance, np.nan), is_open)

    def _exit(self, rays: Floats) -> Floats:
        """Return the distance at which each ray leaves the raster, (N,) cells."""
        far = []
        for origin, way, size in zip(rays[:2], rays[2:], (self.width / self.cell, self.height / self.cell)):
            with np.errstate(divide="ignore", invalid="ignore"):
                far.append(np.where(way > 0, (size - origin) / way, np.where(way < 0, -origin / way, np.inf)))
        result: Floats = np.maximum(np.minimum(*far), 0)
        return result


class _Window:
    """Unpacked rows of cells, with a border of unknown columns.

    Args:
        rows: (n, W) coverage.
        top: First row.
    """

    def __init__(self, rows: Coverage, top: int) -> None:
        self._height, self._width, self._top = rows.shape[0], rows.shape[1] + 2, top
        self._cells = np.pad(rows, ((0, 0), (1, 1)), constant_values=UNKNOWN).ravel()
        self._is_class = is_class(self._cells)

    def cast(
        self, rays: Floats, nearest: Floats, farthest: Floats, partly: bool
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the distance at which each ray leaves the class, cells, NaN if nowhere, and whether to the unknown."""
        distance, is_open = np.full(len(nearest), np.nan), np.zeros(len(nearest), bool)
        low = np.where(self._inside(rays, nearest), nearest, 0.0)
        active = np.flatnonzero(self._inside(rays, low))
        leaving = [np.empty(0, np.int64)]
        near, at, limit = rays[:, active], low[active], farthest[active]
        while len(active):
            # Steps until the first sample outside of the class, or to the limit.
            high = at + _STEP
            inside = self._inside(near, high)
            leaving.append(active[~inside])
            low[leaving[-1]] = at[~inside]
            going = np.flatnonzero(inside & (high <= limit))
            active, near, at, limit = active[going], near[:, going], high[going], limit[going]
        found = np.concatenate(leaving)
        distance[found], is_open[found] = self._bisect(rays[:, found], low[found])
        if partly:
            distance = self._refined(rays, distance)
        return distance, is_open

    def _at(self, rays: Floats, distance: Floats) -> Indices:
        """Return the flat index of the cells at a distance along rays."""
        x, y, across, down = rays
        col = np.floor(x + distance * across).astype(np.int64).clip(-1, self._width - 2)
        index: Indices = (np.floor(y + distance * down).astype(np.int64) - self._top).clip(0, self._height - 1)
        index *= self._width
        index += col
        index += 1
        return index

    def _inside(self, rays: Floats, distance: Floats) -> npt.NDArray[np.bool_]:
        """Return whether rays are in the class at a distance."""
        return self._is_class.take(self._at(rays, distance))

    def _bisect(self, rays: Floats, low: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the edge between a sample in the class and the next one."""
        high = low + _STEP
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            inside = self._inside(rays, middle)
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        return (low + high) / 2, self._cells.take(self._at(rays, high)) == UNKNOWN

    def _refined(self, rays: Floats, distance: Floats) -> Floats:
        """Sum the coverage of cells near the edge, which are partly covered where pixels are aggregated."""
        start = np.maximum(distance - _BLEND, 0)
        total = start.copy()
        going = ~np.isnan(distance)
        step = 1 / 8
        for index in range(round(2 * _BLEND / step)):
            at = start + (index + 0.5) * step
            coverage = self._cells.take(self._at(rays, np.nan_to_num(at)))
            share = np.where(coverage == UNKNOWN, 0, coverage / FULL)
            beyond = at > distance
            going &= ~(beyond & ((share == 0) | (share > 0.5)))  # only the partly covered cells at the edge
            total += np.where(going, share * step, 0)
        return total
