"""Simpler borders: vertices are taken away while neighbours keep sharing the border and none cross.

A vertex goes where the triangle with its two neighbours is smaller than the tolerance squared and holds no other vertex
of any border. That is the algorithm of Visvalingam and Whyatt (1993), doi:10.1179/000870493786962263, in rounds: in
each, all vertices go whose triangle is the smallest around. Two borders that do not cross before a round do not after
it, because neither triangle holds a vertex of the other's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.regions import connect

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max
_LARGEST = 1 << 40  # larger triangles count as equal
_SHUFFLE_BITS = 20  # breaks ties between equal triangles in an order that looks random but depends on the place alone


class BorderSimplifier:
    """Takes vertices away from borders.

    Args:
        x: (V,) column of each vertex.
        y: (V,) row of each vertex.
        neighbours: (V, 2) the vertices before and after each one that may go; -1 for those that stay.
        outer: (V,) vertices of the outer border: they go where they are on a straight line only.
        pinned: (V,) 1 and 2 for vertices whose borders go on below and above, out of sight; else 0.
        direct: (D, 2) pairs of vertices that stay and have a border without vertices between them.
        lattice: (rows, columns) true where any vertex is, those of the strip above too.
        first_row: Row of the raster of the first row of ``lattice``.
        tolerance: Side of the square that a triangle must be smaller than, px.
    """

    def __init__(
        self,
        x: Indices,
        y: Indices,
        neighbours: Indices,
        outer: Flags,
        pinned: npt.NDArray[np.int8],
        direct: Indices,
        lattice: Flags,
        first_row: int,
        tolerance: float,
    ) -> None:
        self._x, self._y, self._neighbours = x, y, neighbours
        self._lattice, self._first_row = lattice, first_row
        self.alive = np.ones(len(x), bool)
        self._free = neighbours[:, 0] >= 0
        most = max(int(np.ceil(min(2 * tolerance * tolerance, _LARGEST))) - 1, 0)  # of twice the area
        self._most = np.where(outer, 0, most)
        self._keys = np.full(len(x), _NEVER, np.int64)
        self._blocked = np.zeros(len(x), bool)
        self._arcs, self._left, self._least = _count_arcs(neighbours, self._free, pinned, direct)

    def run(self) -> Flags:
        """Take away what can go; return which vertices are left, (V,)."""
        self._measure(np.flatnonzero(self._free))
        active = np.flatnonzero(self._free & self._small())
        while len(active):
            keys = self._keys[active]
            ends = self._neighbours[active]
            chosen = active[(keys < self._keys[ends[:, 0]]) & (keys < self._keys[ends[:, 1]]) & (keys < _NEVER)]
            if not len(chosen):
                break
            stay = ~self._can_go(chosen)
            self._keys[chosen[stay]] = _NEVER
            self._blocked[chosen[stay]] = True
            gone = chosen[~stay]
            beside = self._take_away(gone)
            active = self._still_active(active, beside)
        return self.alive

    def _small(self) -> Flags:
        small: Flags = (self._keys >> _SHUFFLE_BITS) <= self._most
        return small

    def _still_active(self, active: Indices, beside: Indices) -> Indices:
        candidates = np.concatenate([active, beside])
        keep = self.alive[candidates] & ~self._blocked[candidates]
        keep &= (self._keys[candidates] >> _SHUFFLE_BITS) <= self._most[candidates]
        return self._each_once(candidates[keep])

    def _each_once(self, vertices: Indices) -> Indices:
        marked = np.zeros(len(self._x), bool)
        marked[vertices] = True
        return np.flatnonzero(marked)

    def _measure(self, vertices: Indices) -> None:
        """Compute the keys of vertices anew: twice the area of the triangle, then the shuffled place."""
        before, after = self._neighbours[vertices].T
        x, y = self._x, self._y
        cross = (x[before] - x[vertices]) * (y[after] - y[vertices])
        cross -= (y[before] - y[vertices]) * (x[after] - x[vertices])
        place = (x[vertices] * 0x9E3779B1 ^ y[vertices] * 0x85EBCA77) * 0xC2B2AE3D
        shuffled = (place >> 24) & ((1 << _SHUFFLE_BITS) - 1)
        self._keys[vertices] = np.minimum(np.abs(cross), _LARGEST - 1) << _SHUFFLE_BITS | shuffled
        self._blocked[vertices] = False

    def _can_go(self, vertices: Indices) -> Flags:
        """Return which vertices may go together."""
        may = self._leaves_enough(vertices)
        flat = (self._keys[vertices] >> _SHUFFLE_BITS) == 0  # on a straight line nothing can be in between
        ask = np.flatnonzero(may & ~flat)
        may[ask] = self._is_empty(vertices[ask])
        may |= flat
        return may

    def _leaves_enough(self, vertices: Indices) -> Flags:
        """Refuse vertices without which a border would collapse; where only some can go, the smallest may."""
        arcs = self._arcs[vertices]
        spare = self._left[arcs] - self._least[arcs]
        enough: Flags = np.bincount(arcs, minlength=len(self._left))[arcs] <= spare
        short = np.flatnonzero(~enough)
        if len(short):
            order = short[np.lexsort((self._keys[vertices[short]], arcs[short]))]
            first = np.ones(len(order), bool)
            first[1:] = arcs[order[1:]] != arcs[order[:-1]]
            enough[order[first & (spare[order] > 0)]] = True
        return enough

    def _take_away(self, vertices: Indices) -> Indices:
        """Remove vertices, none beside another; return those beside them that may go later."""
        self.alive[vertices] = False
        self._keys[vertices] = _NEVER
        self._lattice[self._y[vertices] - self._first_row, self._x[vertices]] = False
        self._left -= np.bincount(self._arcs[vertices], minlength=len(self._left))
        before, after = self._neighbours[vertices].T
        for end, other in ((before, after), (after, before)):
            free = self._free[end]
            ends = end[free]
            side = (self._neighbours[ends, 1] == vertices[free]).astype(np.int64)
            self._neighbours[ends, side] = other[free]
        beside = self._each_once(np.concatenate([before, after]))
        beside = beside[self._free[beside]]
        self._measure(beside)
        return beside

    def _is_empty(self, vertices: Indices) -> Flags:
        """Return for which vertices the triangle holds no other vertex, its edges included."""
        before, after = self._neighbours[vertices].T
        corners = np.stack([before, vertices, after], axis=1)
        xs, ys = self._x[corners], self._y[corners] - self._first_row
        seen: Flags = ys.min(axis=1) >= 0
        which = np.flatnonzero(seen)
        found = count_in_triangles(self._lattice, xs[which], ys[which])
        seen[which] = found == 3  # its own corners
        return seen


def count_in_triangles(lattice: Flags, xs: Indices, ys: Indices) -> Indices:
    """Return how many points of the lattice lie in each triangle or on its edges.

    Args:
        lattice: (rows, columns) which points count.
        xs: (T, 3) columns of the corners.
        ys: (T, 3) rows of the corners.
    """
    order = np.argsort(xs, axis=1, kind="stable")
    xs, ys = np.take_along_axis(xs, order, 1), np.take_along_axis(ys, order, 1)
    widths = xs[:, 2] - xs[:, 0] + 1
    of = np.repeat(np.arange(len(xs)), widths)
    x = np.arange(len(of)) - np.repeat(np.cumsum(widths) - widths, widths) + xs[of, 0]
    # In each column the triangle reaches from its long edge to one of the two short ones.
    long = _height(xs[of, 0], ys[of, 0], xs[of, 2], ys[of, 2], x)
    left = x <= xs[of, 1]
    short = np.where(
        left,
        _height(xs[of, 0], ys[of, 0], xs[of, 1], ys[of, 1], x),
        _height(xs[of, 1], ys[of, 1], xs[of, 2], ys[of, 2], x),
    )
    slack = 1e-9
    low = np.ceil(np.minimum(long, short) - slack).astype(np.int64)
    high = np.floor(np.maximum(long, short) + slack).astype(np.int64)
    counts = np.maximum(high - low + 1, 0)
    points = np.repeat(np.arange(len(of)), counts)
    y = np.arange(len(points)) - np.repeat(np.cumsum(counts) - counts, counts) + low[points]
    inside = lattice[y, x[points]]
    total: Indices = np.bincount(of[points[inside]], minlength=len(xs))
    return total


def _height(x0: Indices, y0: Indices, x1: Indices, y1: Indices, x: Indices) -> npt.NDArray[np.float64]:
    """Return y at ``x`` on the line from one point to another; the second point's where the line is upright."""
    run = x1 - x0
    heights: npt.NDArray[np.float64] = np.where(run > 0, y0 + (y1 - y0) * ((x - x0) / np.maximum(run, 1)), y1)
    return heights


def _count_arcs(
    neighbours: Indices, free: Flags, pinned: npt.NDArray[np.int8], direct: Indices
) -> tuple[Indices, Indices, Indices]:
    """Return the arc of each vertex that may go, its vertices, and how many must be left.

    An arc is a border between two vertices that stay. Three vertices keep a ring a ring, two one that begins and ends
    at the same vertex, one keeps two arcs between the same two vertices apart; the second one may lie in another strip.
    """
    vertices = np.flatnonzero(free)
    inner = np.repeat(free[:, None], 2, axis=1) & (neighbours >= 0)
    inner &= free[np.maximum(neighbours, 0)]
    rows, sides = np.nonzero(inner)
    arcs = connect(len(free), rows, neighbours[rows, sides])
    count = int(arcs.max(initial=-1)) + 1
    left = np.bincount(arcs[vertices], minlength=count)
    least = np.where(left > 0, 3, 0)
    # Ends: the neighbours that stay.
    rows, sides = np.nonzero(free[:, None] & ~inner)
    order = np.argsort(arcs[rows], kind="stable")
    ends = neighbours[rows[order], sides[order]].reshape(-1, 2)
    of = arcs[rows[order]].reshape(-1, 2)[:, 0]
    low, high = ends.min(axis=1), ends.max(axis=1)
    key = low * len(free) + high
    direct = direct.min(axis=1) * len(free) + direct.max(axis=1)
    _, place, times = np.unique(np.concatenate([key, direct]), return_inverse=True, return_counts=True)
    shared = times[place[: len(key)]] > 1
    least[of] = np.where(low == high, 2, shared | ((pinned[low] > 0) & (pinned[low] == pinned[high])))
    return arcs, left, least
