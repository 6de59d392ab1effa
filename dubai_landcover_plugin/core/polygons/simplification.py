"""Simplification of the boundaries of a coverage: neighbours keep sharing them, and none cross.

Visvalingam–Whyatt: a vertex is removed if the triangle with its two neighbours is smaller than the tolerance, smallest
triangle first. Two constraints keep the coverage valid: the triangle must not contain another vertex of any boundary,
and no boundary may collapse. A third one keeps the minimum mapping unit: the triangle must not be larger than what the
feature that loses it can spare. Vertices are removed in rounds: each removes all vertices whose triangle is smaller
than those of both neighbours. As no triangle contains a vertex of another boundary, boundaries that do not cross before
a round do not cross after it.

Source:
    M. Visvalingam, J. D. Whyatt 1993, Line generalisation by repeated elimination of points,
    https://doi.org/10.1179/000870493786962263
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.area_budget import AreaBudget
from dubai_landcover_plugin.core.polygons.regions import label_components

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max
_MAX_AREA = 1 << 40  # larger triangles count as equal; leaves room for the tie-break in 64 bits
_TIE_BITS = 20  # low bits of a key: a hash of the vertex's coordinates, which breaks ties between equal triangles


class BoundarySimplifier:
    """Removes vertices from the boundaries of one strip.

    Args:
        x: (V,) int64, column of each vertex.
        y: (V,) int64, row of each vertex.
        neighbours: (V, 2) int64, the vertices before and after each removable vertex; -1 for fixed ones.
        outer: (V,) bool, vertices at nodata, which are removed from straight lines only.
        pinned: (V,) int8, 1 or 2 for vertices whose boundaries continue below or above the strip, else 0.
        direct: (D, 2) int64, pairs of fixed vertices that are joined by a boundary without vertices between them.
        occupied: (rows, columns) bool, pixel corners with a vertex, those of the strip above included. Changed in
            place.
        first_row: Row of the raster of the first row of ``occupied``.
        tolerance: Side of the square whose area a triangle must be smaller than, px.
        faces: (V, 2) int64, faces on the left and on the right of the way over each removable vertex, from its first
            neighbour to its second; for ``budget``.
        budget: Area that the features of the faces can lose; changed in place. None sets no limit.
    """

    def __init__(
        self,
        x: Indices,
        y: Indices,
        neighbours: Indices,
        outer: Flags,
        pinned: npt.NDArray[np.int8],
        direct: Indices,
        occupied: Flags,
        first_row: int,
        tolerance: float,
        faces: Indices,
        budget: AreaBudget | None = None,
    ) -> None:
        self._x, self._y, self._neighbours = x, y, neighbours
        self._faces, self._budget = faces, budget
        self._occupied, self._first_row = occupied, first_row
        self.kept = np.ones(len(x), bool)
        self._free = neighbours[:, 0] >= 0
        # Largest allowed double area of a triangle, an integer as all coordinates are.
        max_area = max(int(np.ceil(min(2 * tolerance * tolerance, _MAX_AREA))) - 1, 0)
        self._max_area = np.where(outer, 0, max_area)
        self._keys = np.full(len(x), _NEVER, np.int64)  # priority of each vertex, smallest first
        self._blocked = np.zeros(len(x), bool)  # cannot be removed until a neighbour changes
        self._unaffordable = np.zeros(len(x), bool)  # cannot be removed until the feature that loses area gains some
        self._arcs, self._arc_vertices, self._arc_minimum = _find_arcs(neighbours, self._free, pinned, direct)

    def run(self) -> Flags:
        """Remove all vertices that can be removed; return which are kept, (V,) bool."""
        self._update_keys(np.flatnonzero(self._free))
        self._run_rounds(np.flatnonzero(self._free & self._is_small()))
        # Features may have gained area since one of their vertices was refused.
        affordable, left = self._affordable_again(), -1
        while len(affordable) and left != int(self.kept.sum()):
            left = int(self.kept.sum())
            self._update_keys(affordable)
            self._run_rounds(affordable)
            affordable = self._affordable_again()
        return self.kept

    def _run_rounds(self, active: Indices) -> None:
        """Remove vertices in rounds, starting from those that may be removed."""
        while len(active):
            # Local minima: vertices whose triangle is smaller than those of both neighbours.
            keys = self._keys[active]
            ends = self._neighbours[active]
            minima = active[(keys < self._keys[ends[:, 0]]) & (keys < self._keys[ends[:, 1]]) & (keys < _NEVER)]
            if not len(minima):
                break
            refused = ~self._is_removable(minima)
            self._keys[minima[refused]] = _NEVER
            self._blocked[minima[refused]] = True
            changed = self._remove(minima[~refused])
            active = self._still_active(active, changed)

    def _affordable_again(self) -> Indices:
        """Return the vertices that were refused because of the area that a feature would lose, and need not be now."""
        refused = np.flatnonzero(self._unaffordable & self.kept)
        if self._budget is None or not len(refused):
            return refused
        losing, _, area = self._area_changes(self._budget, refused)
        return refused[self._budget.affords(losing, area)]

    def _is_small(self) -> Flags:
        small: Flags = (self._keys >> _TIE_BITS) <= self._max_area
        return small

    def _still_active(self, active: Indices, changed: Indices) -> Indices:
        """Return the vertices that may be removed in later rounds."""
        candidates = np.concatenate([active, changed])
        keep = self.kept[candidates] & ~self._blocked[candidates]
        keep &= (self._keys[candidates] >> _TIE_BITS) <= self._max_area[candidates]
        return self._unique(candidates[keep])

    def _unique(self, vertices: Indices) -> Indices:
        marked = np.zeros(len(self._x), bool)
        marked[vertices] = True
        return np.flatnonzero(marked)

    def _update_keys(self, vertices: Indices) -> None:
        """Compute the keys of vertices: twice the area of their triangle, then a hash of the place as a tie-break.

        The hash depends on the coordinates alone, so that the result does not depend on how strips are numbered.
        """
        before, after = self._neighbours[vertices].T
        x, y = self._x, self._y
        cross = (x[before] - x[vertices]) * (y[after] - y[vertices])
        cross -= (y[before] - y[vertices]) * (x[after] - x[vertices])
        mixed = (x[vertices] * 0x9E3779B1 ^ y[vertices] * 0x85EBCA77) * 0xC2B2AE3D
        tie_break = (mixed >> 24) & ((1 << _TIE_BITS) - 1)
        self._keys[vertices] = np.minimum(np.abs(cross), _MAX_AREA - 1) << _TIE_BITS | tie_break
        self._blocked[vertices] = self._unaffordable[vertices] = False

    def _is_removable(self, vertices: Indices) -> Flags:
        """Return which vertices, (N,), can be removed together."""
        removable = self._keeps_arcs(vertices)
        collinear = (self._keys[vertices] >> _TIE_BITS) == 0  # the triangle has no area and contains nothing
        to_check = np.flatnonzero(removable & ~collinear)
        removable[to_check] = self._is_empty(vertices[to_check])
        to_pay = np.flatnonzero(removable & ~collinear)
        removable[to_pay] = self._take_area(vertices[to_pay])
        removable |= collinear
        return removable

    def _take_area(self, vertices: Indices) -> Flags:
        """Return for which vertices, (N,), features can spare the area that they lose, and count it as lost."""
        if self._budget is None:
            return np.ones(len(vertices), bool)
        losing, gaining, area = self._area_changes(self._budget, vertices)
        taken = self._budget.take(losing, gaining, area, self._keys[vertices])
        self._unaffordable[vertices[~taken]] = True
        return taken

    def _area_changes(self, budget: AreaBudget, vertices: Indices) -> tuple[Indices, Indices, npt.NDArray[np.float64]]:
        """Return the features that lose and gain area without the vertices, and the area, (N,) each."""
        corners = np.stack([self._x, self._y])
        before, after = self._neighbours[vertices].T
        return budget.changes(corners[:, before], corners[:, vertices], corners[:, after], self._faces[vertices])

    def _keeps_arcs(self, vertices: Indices) -> Flags:
        """Return which vertices can be removed without an arc falling below its minimum.

        Where an arc can lose fewer vertices than are asked for, only the one with the smallest key is removed.
        """
        arcs = self._arcs[vertices]
        spare = self._arc_vertices[arcs] - self._arc_minimum[arcs]
        enough: Flags = np.bincount(arcs, minlength=len(self._arc_vertices))[arcs] <= spare
        short = np.flatnonzero(~enough)
        if len(short):
            order = short[np.lexsort((self._keys[vertices[short]], arcs[short]))]
            is_first = np.ones(len(order), bool)
            is_first[1:] = arcs[order[1:]] != arcs[order[:-1]]
            enough[order[is_first & (spare[order] > 0)]] = True
        return enough

    def _remove(self, vertices: Indices) -> Indices:
        """Remove vertices, no two of them neighbours; return the removable neighbours, whose keys have changed."""
        self.kept[vertices] = False
        self._keys[vertices] = _NEVER
        self._occupied[self._y[vertices] - self._first_row, self._x[vertices]] = False
        self._arc_vertices -= np.bincount(self._arcs[vertices], minlength=len(self._arc_vertices))
        # Link the neighbours of each removed vertex to each other.
        before, after = self._neighbours[vertices].T
        for end, other in ((before, after), (after, before)):
            free = self._free[end]
            ends = end[free]
            side = (self._neighbours[ends, 1] == vertices[free]).astype(np.int64)
            self._neighbours[ends, side] = other[free]
        changed = self._unique(np.concatenate([before, after]))
        changed = changed[self._free[changed]]
        self._update_keys(changed)
        return changed

    def _is_empty(self, vertices: Indices) -> Flags:
        """Return for which vertices, (N,), the triangle contains no other vertex, its edges included.

        Triangles that reach above the first row of ``occupied`` cannot be checked and count as not empty.
        """
        before, after = self._neighbours[vertices].T
        corners = np.stack([before, vertices, after], axis=1)
        xs, ys = self._x[corners], self._y[corners] - self._first_row
        empty: Flags = ys.min(axis=1) >= 0
        checked = np.flatnonzero(empty)
        found = count_in_triangles(self._occupied, xs[checked], ys[checked])
        empty[checked] = found == 3  # the corners of the triangle
        return empty


def count_in_triangles(occupied: Flags, xs: Indices, ys: Indices) -> Indices:
    """Count the occupied lattice points in each triangle, those on its edges included.

    Scan conversion: each triangle is cut into its columns, and each column into the lattice points between the long
    edge and one of the two short edges.

    Args:
        occupied: (rows, columns) bool, which lattice points count.
        xs: (T, 3) int64, columns of the triangles' corners.
        ys: (T, 3) int64, rows of the triangles' corners.

    Returns:
        (T,) int64.
    """
    # Sort the corners by column; the long edge runs from the first to the last.
    order = np.argsort(xs, axis=1, kind="stable")
    xs, ys = np.take_along_axis(xs, order, 1), np.take_along_axis(ys, order, 1)
    # One entry for each column of each triangle.
    widths = xs[:, 2] - xs[:, 0] + 1
    triangle = np.repeat(np.arange(len(xs)), widths)
    x = np.arange(len(triangle)) - np.repeat(np.cumsum(widths) - widths, widths) + xs[triangle, 0]
    long_edge = _interpolate(xs[triangle, 0], ys[triangle, 0], xs[triangle, 2], ys[triangle, 2], x)
    short_edges = np.where(
        x <= xs[triangle, 1],
        _interpolate(xs[triangle, 0], ys[triangle, 0], xs[triangle, 1], ys[triangle, 1], x),
        _interpolate(xs[triangle, 1], ys[triangle, 1], xs[triangle, 2], ys[triangle, 2], x),
    )
    # Rows between both edges; the slack covers rounding of points that are exactly on an edge.
    slack = 1e-9
    first = np.ceil(np.minimum(long_edge, short_edges) - slack).astype(np.int64)
    last = np.floor(np.maximum(long_edge, short_edges) + slack).astype(np.int64)
    counts = np.maximum(last - first + 1, 0)
    # One entry for each lattice point of each column.
    column = np.repeat(np.arange(len(triangle)), counts)
    y = np.arange(len(column)) - np.repeat(np.cumsum(counts) - counts, counts) + first[column]
    inside = occupied[y, x[column]]
    total: Indices = np.bincount(triangle[column[inside]], minlength=len(xs))
    return total


def _interpolate(x0: Indices, y0: Indices, x1: Indices, y1: Indices, x: Indices) -> npt.NDArray[np.float64]:
    """Return y at ``x`` on the line from (x0, y0) to (x1, y1); y1 where the line is vertical."""
    run = x1 - x0
    heights: npt.NDArray[np.float64] = np.where(run > 0, y0 + (y1 - y0) * ((x - x0) / np.maximum(run, 1)), y1)
    return heights


def _find_arcs(
    neighbours: Indices, free: Flags, pinned: npt.NDArray[np.int8], direct: Indices
) -> tuple[Indices, Indices, Indices]:
    """Return the arc of each vertex, the number of removable vertices of each arc, and how many it must keep.

    An arc is a chain of removable vertices between two fixed ones, or a ring of removable vertices. The minimum is

    - 3 for a ring, which would have no area with fewer;
    - 2 for an arc that starts and ends at the same fixed vertex;
    - 1 where another arc joins the same two fixed vertices, which would coincide otherwise; the other arc may be in a
      neighbouring strip, if both vertices continue there;
    - 0 for all others.
    """
    vertices = np.flatnonzero(free)
    # Label chains of removable vertices.
    inner = np.repeat(free[:, None], 2, axis=1) & (neighbours >= 0)
    inner &= free[np.maximum(neighbours, 0)]
    rows, sides = np.nonzero(inner)
    arcs = label_components(len(free), rows, neighbours[rows, sides])
    count = int(arcs.max(initial=-1)) + 1
    removable = np.bincount(arcs[vertices], minlength=count)
    minimum = np.where(removable > 0, 3, 0)
    # Both ends of each arc: the fixed neighbours of its vertices.
    rows, sides = np.nonzero(free[:, None] & ~inner)
    order = np.argsort(arcs[rows], kind="stable")
    ends = neighbours[rows[order], sides[order]].reshape(-1, 2)
    arc_of_ends = arcs[rows[order]].reshape(-1, 2)[:, 0]
    low, high = ends.min(axis=1), ends.max(axis=1)
    # Arcs and direct edges that join the same two vertices.
    keys = low * len(free) + high
    direct_keys = direct.min(axis=1) * len(free) + direct.max(axis=1)
    _, key_index, key_counts = np.unique(np.concatenate([keys, direct_keys]), return_inverse=True, return_counts=True)
    parallel = key_counts[key_index[: len(keys)]] > 1
    parallel_beyond = (pinned[low] > 0) & (pinned[low] == pinned[high])
    minimum[arc_of_ends] = np.where(low == high, 2, parallel | parallel_beyond)
    return arcs, removable, minimum
