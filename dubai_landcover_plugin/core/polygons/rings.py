"""Assembles half-edges into rings and polygons as soon as all half-edges of a feature are complete."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from dubai_landcover_plugin.core.polygons.half_edges import HalfEdges

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Rings:
    """Closed rings in pixel coordinates, the exterior ring of each face before its holes.

    Args:
        points: (P, 2) int64, column and row of the vertices, ring by ring; the first vertex is not repeated.
        starts: (R,) int64, index of the first point of each ring.
        faces: (R,) int64, face of each ring, ascending.
    """

    points: npt.NDArray[np.int64]
    starts: Indices
    faces: Indices

    @property
    def is_exterior(self) -> Flags:
        """(R,) bool, whether a ring is the exterior ring of its face: the first one."""
        exterior = np.ones(len(self.faces), bool)
        exterior[1:] = self.faces[1:] != self.faces[:-1]
        return exterior

    @property
    def lengths(self) -> Indices:
        """(R,) int64, number of points of each ring."""
        return np.diff(self.starts, append=len(self.points))

    @cached_property
    def next_points(self) -> npt.NDArray[np.int64]:
        """(P, 2) int64, the point after each point on its ring."""
        index = np.arange(1, len(self.points) + 1)
        index[self.starts[1:] - 1] = self.starts[:-1]
        if len(index):
            index[-1] = self.starts[-1]
        return self.points[index]

    @cached_property
    def pixel_areas(self) -> npt.NDArray[np.float64]:
        """(R,) float64, exact area of each ring in pixels by the shoelace formula; negative for holes."""
        here, there = self.points, self.next_points
        cross = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
        return np.add.reduceat(cross, self.starts) / 2 if len(self.starts) else np.empty(0)

    def polygons(self) -> tuple[Geometries, Indices]:
        """Return a polygon in pixel coordinates for each face, and the faces, (N,) each."""
        if not len(self.starts):
            return np.empty(0, object), np.empty(0, np.int64)
        ring_of_point = np.repeat(np.arange(len(self.starts)), self.lengths)
        rings = shapely.linearrings(self.points.astype(np.float64), indices=ring_of_point)
        faces, polygon_of_ring = np.unique(self.faces, return_inverse=True)
        return shapely.polygons(rings, indices=polygon_of_ring), faces


def assemble_rings(half_edges: HalfEdges, columns: int) -> Rings:
    """Assemble half-edges into rings.

    Args:
        half_edges: All half-edges of some faces.
        columns: Pixel corners in a row of the raster, W + 1.
    """
    order = np.argsort(half_edges.keys)
    keys, faces = half_edges.keys[order], half_edges.faces[order]
    successor = np.searchsorted(keys, half_edges.next[order])
    walk, starts = _walk_cycles(successor)
    corner = keys[walk] // 4
    points = np.stack([corner % columns, corner // columns], axis=1)
    rings = Rings(points, starts, faces[walk[starts]])
    is_hole = rings.pixel_areas < 0  # exterior rings run clockwise on the screen, y points down
    return _reordered(rings, np.lexsort((starts, is_hole, rings.faces)))


def _walk_cycles(successor: Indices) -> tuple[Indices, Indices]:
    """Return the elements of a permutation cycle by cycle.

    The cycles are linked into one path, which a depth-first search in compiled code then walks.

    Args:
        successor: (N,) int64, the permutation.

    Returns:
        (N,) elements, and (C,) index among them at which each cycle starts: its smallest element.
    """
    count = len(successor)
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # Label the cycles; the head of each is its smallest element.
    graph = csr_array((np.ones(count, bool), successor, np.arange(count + 1)), shape=(count, count))
    cycles, labels = connected_components(graph, connection="weak")
    heads = np.full(cycles, count)
    np.minimum.at(heads, labels, np.arange(count))
    # Redirect the tail of each cycle to the head of the next one.
    tails = np.flatnonzero(heads[labels[successor]] == successor)
    sorted_heads = np.sort(heads)
    rank = np.empty(cycles, np.int64)
    rank[labels[sorted_heads]] = np.arange(cycles)
    next_head = np.append(sorted_heads[1:], -1)[rank[labels[tails]]]
    path = successor.copy()
    path[tails] = next_head
    end = path < 0
    path[end] = 0  # the last tail leads to an element that has been visited
    graph = csr_array((np.ones(count, bool), path, np.arange(count + 1)), shape=(count, count))
    walk = depth_first_order(graph, sorted_heads[0], return_predecessors=False).astype(np.int64)
    position = np.empty(count, np.int64)
    position[walk] = np.arange(count)
    return walk, position[sorted_heads]


def _reordered(rings: Rings, order: Indices) -> Rings:
    """Return the rings in another order, with their points."""
    lengths = rings.lengths[order]
    starts = np.cumsum(lengths) - lengths
    index = np.arange(int(lengths.sum())) + np.repeat(rings.starts[order] - starts, lengths)
    return Rings(rings.points[index], starts, rings.faces[order])


class HalfEdgePool:
    """Holds half-edges until their features are complete.

    Args:
        feature_of_face: (P,) int64, feature of each face; face 0 is nodata.
        last_rows: (F,) int64, last row of each feature.
    """

    def __init__(self, feature_of_face: Indices, last_rows: Indices) -> None:
        self._last_rows = last_rows[feature_of_face]  # (P,)
        self._half_edges = HalfEdges.concatenate([])

    def add(self, half_edges: HalfEdges, row: int) -> HalfEdges:
        """Add half-edges; remove and return all half-edges of the features that end above ``row``."""
        half_edges = HalfEdges.concatenate([self._half_edges, half_edges])
        complete = self._last_rows[half_edges.faces] < row
        self._half_edges = half_edges.select(~complete)
        return half_edges.select(complete)
