"""Half-edges of the simplified boundaries, traced strip by strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.area_budget import AreaBudget
from dubai_landcover_plugin.core.polygons.boundary_graph import BoundaryGraph, E, Faces, N, S, W, build_boundary_graph
from dubai_landcover_plugin.core.polygons.simplification import BoundarySimplifier

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class HalfEdges:
    """Half-edges between vertices that are left after simplification.

    The key of a half-edge is ``4 * corner + direction``, of its origin and of the direction in which the boundary
    leaves it; corners are numbered in row-major order through the raster, ``W + 1`` in a row.

    Args:
        keys: (L,) int64, key of each half-edge.
        next: (L,) int64, key of the next half-edge of the ring.
        faces: (L,) int64, face on the right; 0 is nodata.
    """

    keys: Indices
    next: Indices
    faces: Indices

    @classmethod
    def concatenate(cls, sets: list[HalfEdges]) -> HalfEdges:
        """Concatenate several sets of half-edges; an empty list gives an empty set."""
        return cls(
            *(
                np.concatenate([np.empty(0, np.int64), *(getattr(half_edges, name) for half_edges in sets)])
                for name in ("keys", "next", "faces")
            )
        )

    def select(self, mask: Flags) -> HalfEdges:
        """Return the half-edges where ``mask``, (L,), is true."""
        return HalfEdges(self.keys[mask], self.next[mask], self.faces[mask])


@dataclass(frozen=True)
class OpenHalfEdges:
    """Boundaries that are cut by the seam between two strips, from left to right.

    Each has a half-edge down to the seam, whose end is in the next strip, and a half-edge up from the seam, whose
    origin is in the next strip::

                 | keys ↓    ↑ |→ next
        seam  ---+-------------+---

    Args:
        x: (J,) int64, column of the last vertex above the seam.
        y: (J,) int64, its row.
        keys: (J,) int64, key of the half-edge down to the seam.
        next: (J,) int64, key of the next half-edge after the one that comes up from the seam.
    """

    x: Indices
    y: Indices
    keys: Indices
    next: Indices


_NONE = OpenHalfEdges(*(np.empty(0, np.int64) for _ in range(4)))


class HalfEdgeTracer:
    """Traces the half-edges of strips of faces, from the top.

    Args:
        width: Columns of the raster.
        tolerance: Simplification tolerance, px, see :class:`.BoundarySimplifier`; 0 keeps every vertex.
        budget: Area that features can lose; None sets no limit.
    """

    def __init__(self, width: int, tolerance: float, budget: AreaBudget | None = None) -> None:
        self._columns = width + 1
        self._tolerance, self._budget = tolerance, budget
        self._open = _NONE
        self._occupied = np.empty((0, self._columns), bool)
        self.row = 0
        """First row of the next strip."""

    def trace(self, faces: Faces, bottom: bool) -> HalfEdges:
        """Trace the next strip and return the half-edges that are complete.

        Args:
            faces: (h + 2, W + 2) int32, see :func:`.build_boundary_graph`.
            bottom: Whether this is the last strip.
        """
        height = len(faces) - 2
        graph = build_boundary_graph(faces, self.row, self.row == 0, bottom)
        edges = _StripEdges(graph, self._open, self._columns, None if bottom else self.row + height)
        kept = self._simplify(graph, edges, height)
        complete, self._open = edges.half_edges(kept)
        self.row += height
        return complete

    def _simplify(self, graph: BoundaryGraph, edges: _StripEdges, height: int) -> Flags:
        """Simplify the boundaries of a strip; return which vertices are kept."""
        occupied = np.zeros((height + 1, self._columns), bool)
        occupied[graph.y - self.row, graph.x] = True
        occupied[-1, graph.next_strip_columns] = True
        # The vertices that the strip above kept constrain simplification too; its last corner row is this one's first.
        above = self._occupied[:-1]
        occupied = np.concatenate([above, occupied])
        kept = BoundarySimplifier(
            edges.x,
            edges.y,
            edges.neighbours,
            edges.outer,
            edges.pinned,
            edges.direct,
            occupied,
            self.row - len(above),
            self._tolerance,
            edges.sides,
            self._budget,
        ).run()
        self._occupied = occupied[len(above) :].copy()
        return kept


class _StripEdges:
    """Half-edges of a strip, together with those that are open from the strip above.

    Half-edges are numbered as in :class:`.BoundaryGraph`, followed by those that come down to the seam above. Vertices
    are those of the graph, followed by the last vertices above the seam.
    """

    def __init__(self, graph: BoundaryGraph, above: OpenHalfEdges, columns: int, seam: int | None) -> None:
        count = len(graph.x)
        # Vertices above the seam; several open boundaries may come from one vertex.
        corner_above = above.y * columns + above.x
        _, first, vertex_of_open = np.unique(corner_above, return_index=True, return_inverse=True)
        vertex_above = count + vertex_of_open.astype(np.int64)
        self.x = np.concatenate([graph.x, above.x[first]])
        self.y = np.concatenate([graph.y, above.y[first]])
        # The half-edge up from the seam is that to the N of its vertex; the one down to the seam is appended.
        targets = graph.targets.reshape(-1, 4).copy()
        incoming = graph.incoming
        targets[incoming, N] = vertex_above
        self._count = count
        self._targets = np.concatenate([targets.ravel(), incoming])
        self._origins = np.concatenate([np.repeat(np.arange(count), 4), vertex_above])
        self._faces = np.concatenate([graph.faces, graph.faces[4 * incoming + W]]).astype(np.int64)
        corner = graph.y * columns + graph.x
        self._keys = np.concatenate([(4 * corner[:, None] + np.arange(4)).ravel(), above.keys])
        # Next half-edge of the ring: by number within the strip, and by key, also where it is above the seam.
        turns = np.concatenate([graph.turns, graph.incoming_turns]).astype(np.int64)
        self._next = np.where(self._targets >= 0, 4 * self._targets + turns, -1)
        self._next_keys = np.full(len(self._next), -1, np.int64)
        in_strip = self._next >= 0
        self._next[4 * incoming + N] = -1
        in_strip[4 * incoming + N] = False
        self._next_keys[in_strip] = self._keys[self._next[in_strip]]
        self._next_keys[4 * incoming + N] = above.next
        self._on_seam = np.zeros(len(self.x), bool) if seam is None else self.y == seam
        self._on_seam[count:] = False
        self._prepare_simplification(graph, targets)

    def _prepare_simplification(self, graph: BoundaryGraph, targets: Indices) -> None:
        """Set the arguments of :class:`.BoundarySimplifier`."""
        above = len(self.x) - self._count
        # Vertices of degree 2 may be removed, except at the seam below.
        free = np.append((graph.degree == 2) & ~self._on_seam[: self._count], np.zeros(above, bool))
        self.neighbours = np.full((len(self.x), 2), -1, np.int64)
        free_vertices = np.flatnonzero(free)
        ends = targets[free_vertices]
        self.neighbours[free_vertices] = ends[ends >= 0].reshape(-1, 2)
        # On the way from the first neighbour to the second one, the face on the right is that of the half-edge to the
        # second one, and the face on the left that of the half-edge to the first one.
        self.sides = np.zeros((len(self.x), 2), np.int64)
        self.sides[free_vertices] = graph.faces.reshape(-1, 4)[free_vertices][ends >= 0].reshape(-1, 2)
        self.outer = np.append(graph.outer, np.zeros(above, bool))
        self.pinned = self._on_seam.astype(np.int8)
        self.pinned[self._count :] = 2
        # One half-edge of each edge: those to the E and S, and those down to the seam above.
        one_of_pair = np.concatenate([4 * np.arange(self._count) + E, 4 * np.arange(self._count) + S])
        one_of_pair = np.concatenate([one_of_pair, np.arange(4 * self._count, len(self._targets))])
        one_of_pair = one_of_pair[self._targets[one_of_pair] >= 0]
        pairs = np.stack([self._origins[one_of_pair], self._targets[one_of_pair]], axis=1)
        self.direct = pairs[~free[pairs].any(axis=1)]

    def half_edges(self, kept: Flags) -> tuple[HalfEdges, OpenHalfEdges]:
        """Return the half-edges between vertices that are kept: complete ones, and those open to the next strip.

        Args:
            kept: (V,) which vertices are left after simplification.
        """
        origins = np.flatnonzero((self._targets >= 0) & kept[self._origins])
        # Follow each half-edge over removed vertices to the next kept one.
        last = origins.copy()
        removed = np.flatnonzero(~kept[self._targets[last]])
        while len(removed):
            last[removed] = self._next[last[removed]]
            removed = removed[~kept[self._targets[last[removed]]]]
        ends = self._targets[last]
        next_keys = self._next_keys[last]
        down, up = self._on_seam[ends], self._on_seam[self._origins[origins]]
        complete = ~down & ~up
        finished = HalfEdges(self._keys[origins[complete]], next_keys[complete], self._faces[origins[complete]])
        return finished, self._open_half_edges(origins, ends, next_keys, down, up)

    def _open_half_edges(
        self, half_edges: Indices, ends: Indices, next_keys: Indices, down: Flags, up: Flags
    ) -> OpenHalfEdges:
        """Pair the half-edges down to the seam with those up from it, both sorted by column."""
        downward = np.flatnonzero(down)
        downward = downward[np.argsort(self.x[ends[downward]])]
        upward = np.flatnonzero(up)
        upward = upward[np.argsort(self.x[self._origins[half_edges[upward]]])]
        above = ends[upward]
        return OpenHalfEdges(self.x[above], self.y[above], self._keys[half_edges[downward]], next_keys[upward])
