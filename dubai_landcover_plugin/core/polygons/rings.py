"""Rings and polygons out of links, as soon as all links of a feature are there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from dubai_landcover_plugin.core.polygons.half_edges import Links

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Rings:
    """Closed rings in pixel coordinates, the outer one of each part before its holes.

    Args:
        points: (P, 2) column and row of the vertices, ring by ring, the first one not repeated.
        begins: (R,) first point of each ring.
        parts: (R,) of each ring, ascending.
    """

    points: npt.NDArray[np.int64]
    begins: Indices
    parts: Indices

    @property
    def outer(self) -> Flags:
        """(R,) which rings are the outer one of their part: the first."""
        outer = np.ones(len(self.parts), bool)
        outer[1:] = self.parts[1:] != self.parts[:-1]
        return outer

    @property
    def lengths(self) -> Indices:
        """(R,) points of each ring."""
        return np.diff(self.begins, append=len(self.points))

    @cached_property
    def following(self) -> npt.NDArray[np.int64]:
        """(P, 2) the point after each one on its ring."""
        index = np.arange(1, len(self.points) + 1)
        index[self.begins[1:] - 1] = self.begins[:-1]
        if len(index):
            index[-1] = self.begins[-1]
        return self.points[index]

    @cached_property
    def pixel_areas(self) -> npt.NDArray[np.float64]:
        """(R,) area of each ring, px, exact; negative for holes."""
        here, there = self.points, self.following
        cross = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
        return np.add.reduceat(cross, self.begins) / 2 if len(self.begins) else np.empty(0)

    def polygons(self) -> tuple[Geometries, Indices]:
        """Return one polygon for each part, and the parts."""
        if not len(self.begins):
            return np.empty(0, object), np.empty(0, np.int64)
        of_ring = np.repeat(np.arange(len(self.begins)), self.lengths)
        lines = shapely.linearrings(self.points.astype(np.float64), indices=of_ring)
        parts, owners = np.unique(self.parts, return_inverse=True)
        return shapely.polygons(lines, indices=owners), parts


def close_rings(links: Links, columns: int) -> Rings:
    """Put links together into rings.

    Args:
        links: All links of some parts.
        columns: Corners in a row of the raster.
    """
    order = np.argsort(links.keys)
    keys, parts = links.keys[order], links.parts[order]
    following = np.searchsorted(keys, links.following[order])
    walk, begins = _walk(following)
    corner = keys[walk] // 4
    points = np.stack([corner % columns, corner // columns], axis=1)
    rings = Rings(points, begins, parts[walk[begins]])
    holes = rings.pixel_areas < 0  # outer rings run clockwise, where y points down
    return _arranged(rings, np.lexsort((begins, holes, rings.parts)))


def _walk(following: Indices) -> tuple[Indices, Indices]:
    """Return the elements of a permutation cycle by cycle, and where each cycle begins, at its least element."""
    count = len(following)
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    graph = csr_array((np.ones(count, bool), following, np.arange(count + 1)), shape=(count, count))
    cycles, labels = connected_components(graph, connection="weak")
    heads = np.full(cycles, count)
    np.minimum.at(heads, labels, np.arange(count))
    # All cycles as one path: the last element of each leads to the first of the next.
    tails = np.flatnonzero(heads[labels[following]] == following)
    heads_in_order = np.sort(heads)
    place = np.empty(cycles, np.int64)
    place[labels[heads_in_order]] = np.arange(cycles)
    after = np.append(heads_in_order[1:], -1)[place[labels[tails]]]
    path = following.copy()
    path[tails] = after
    end = path < 0
    path[end] = 0  # leads to what was seen already
    graph = csr_array((np.ones(count, bool), path, np.arange(count + 1)), shape=(count, count))
    walk = depth_first_order(graph, heads_in_order[0], return_predecessors=False).astype(np.int64)
    position = np.empty(count, np.int64)
    position[walk] = np.arange(count)
    return walk, position[heads_in_order]


def _arranged(rings: Rings, order: Indices) -> Rings:
    lengths = rings.lengths[order]
    begins = np.cumsum(lengths) - lengths
    index = np.arange(int(lengths.sum())) + np.repeat(rings.begins[order] - begins, lengths)
    return Rings(rings.points[index], begins, rings.parts[order])


class LinkPool:
    """Keeps links until their features are whole.

    Args:
        features: (P,) feature of each part; part 0 is none.
        last_rows: (F,) lowest row of each feature.
    """

    def __init__(self, features: Indices, last_rows: Indices) -> None:
        self._last_rows = last_rows[features]  # (P,) of the feature of each part
        self._links = Links.join([])

    def add(self, links: Links, row: int) -> Links:
        """Take links; return all those of features that end above ``row``."""
        links = Links.join([self._links, links])
        whole = self._last_rows[links.parts] < row
        self._links = links.where(~whole)
        return links.where(whole)
