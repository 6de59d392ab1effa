"""Planar graph of the boundaries between faces in one strip of rows.

Vertices are pixel corners at which a boundary turns or branches; corner (y, x) is the upper left corner of pixel
(y, x). Each edge is a pair of half-edges, one for each face. A half-edge has its face on the right, so exterior rings
run clockwise and holes counter-clockwise on the screen, where y points down::

    corner (y, x) → +----E---->+            N = 3
                    |  pixel   |              |
                    |  (y, x)  S      W = 2 --+-- E = 0
                    N          |              |
                    +<----W----+            S = 1

Half-edge ``4 * v + d`` leaves vertex ``v`` in direction ``d``; its twin leaves the vertex at its end in the opposite
direction.

Source:
    Half-edges (doubly connected edge list): D. E. Muller, F. P. Preparata 1978, Finding the intersection of two convex
    polyhedra, https://doi.org/10.1016/0304-3975(78)90051-8
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Faces = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

E, S, W, N = range(4)
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8  # bits of a corner's code: boundaries that leave it
_VERTICAL, _HORIZONTAL = _UP | _DOWN, _LEFT | _RIGHT
_CROSSING = _VERTICAL | _HORIZONTAL
_BIT = {E: _RIGHT, S: _DOWN, W: _LEFT, N: _UP}
_DEGREE = np.array([bin(code).count("1") for code in range(16)], np.uint8)


@dataclass(frozen=True)
class BoundaryGraph:
    """Vertices and half-edges of one strip.

    Args:
        x: (V,) int64, column of each vertex, in row-major order.
        y: (V,) int64, row of each vertex in the raster.
        degree: (V,) uint8, boundaries that meet at each vertex, 2 to 4 (1 at a seam).
        outer: (V,) bool, whether one of the four pixels around is nodata or outside.
        targets: (4 V,) int64, vertex at the end of each half-edge; -1 where there is no half-edge.
        faces: (4 V,) int32, face on the right of each half-edge; 0 is nodata.
        turns: (4 V,) int8, direction of the next half-edge of the ring; -1 where there is no half-edge.
        incoming: Vertices on the first corner row that a boundary reaches from the strip above.
        incoming_turns: Direction of the next half-edge after each half-edge that comes down to ``incoming``.
        next_strip_columns: Columns of the vertices on the last corner row that belong to the next strip.
    """

    x: Indices
    y: Indices
    degree: npt.NDArray[np.uint8]
    outer: Flags
    targets: Indices
    faces: Faces
    turns: npt.NDArray[np.int8]
    incoming: Indices
    incoming_turns: npt.NDArray[np.int8]
    next_strip_columns: Indices


def build_boundary_graph(faces: Faces, first_row: int, top: bool, bottom: bool) -> BoundaryGraph:
    """Build the boundary graph of a strip.

    Boundaries that cross the first or last corner row (a seam) are cut there by an extra vertex. Half-edges along the
    last corner row belong to the next strip.

    Args:
        faces: (h + 2, W + 2) int32, face of each pixel with one pixel of margin; 0 for nodata and outside the raster.
        first_row: Row of the strip's first pixel in the raster.
        top: Whether this is the first strip.
        bottom: Whether this is the last strip.
    """
    codes = _corner_codes(faces)
    # Vertices are corners that are neither inside a face nor on a straight boundary.
    is_vertex = (codes != 0) & (codes != _VERTICAL) & (codes != _HORIZONTAL)
    # At the seams, every boundary that crosses is cut by a vertex; other corners of the lower seam are left to the
    # next strip.
    if not top:
        is_vertex[0] |= codes[0] == _VERTICAL
    crosses_seam = (codes[-1] & _UP) > 0
    next_strip = np.flatnonzero(is_vertex[-1] & ~crosses_seam) if not bottom else np.empty(0, np.int64)
    if not bottom:
        is_vertex[-1] = crosses_seam
    vertices = np.flatnonzero(is_vertex)
    y, x = np.divmod(vertices, codes.shape[1])
    code = codes.ravel()[vertices]
    around = _surrounding_faces(faces, y, x)
    outer = np.logical_or.reduce([pixels == 0 for pixels in around.values()])
    targets = _connect_vertices(code, y, x, len(faces) - 2, bottom)
    # The face on the right of a half-edge that leaves a vertex to the E, S, W, N.
    faces_right = np.stack([around["SE"], around["SW"], around["NW"], around["NE"]], axis=1).ravel()
    turns = _turn_directions(code, around, targets)
    incoming = np.flatnonzero((y == 0) & ((code & _UP) > 0)) if not top else np.empty(0, np.int64)
    incoming_turns = _turn(S, code, around["NW"], around["SE"])[incoming]
    return BoundaryGraph(
        x, y + first_row, _DEGREE[code], outer, targets, faces_right, turns, incoming, incoming_turns, next_strip
    )


def _corner_codes(faces: Faces) -> npt.NDArray[np.uint8]:
    """Return the bits of the boundaries that leave each corner, (h + 1, W + 1)."""
    vertical = faces[:, 1:] != faces[:, :-1]  # (h + 2, W + 1) boundary between horizontal neighbours
    horizontal = faces[1:] != faces[:-1]  # (h + 1, W + 2) boundary between vertical neighbours
    codes: npt.NDArray[np.uint8] = vertical[:-1].astype(np.uint8)  # _UP
    codes |= vertical[1:].view(np.uint8) << 1  # _DOWN
    codes |= horizontal[:, :-1].view(np.uint8) << 2  # _LEFT
    codes |= horizontal[:, 1:].view(np.uint8) << 3  # _RIGHT
    return codes


def _surrounding_faces(faces: Faces, y: Indices, x: Indices) -> dict[str, Faces]:
    """Return the faces of the four pixels around each vertex, (V,) each."""
    flat, width = faces.ravel(), faces.shape[1]
    corner = y * width + x
    return {
        "NW": flat[corner],
        "NE": flat[corner + 1],
        "SW": flat[corner + width],
        "SE": flat[corner + width + 1],
    }


def _connect_vertices(code: npt.NDArray[np.uint8], y: Indices, x: Indices, height: int, bottom: bool) -> Indices:
    """Return the target of each half-edge, (4 V,).

    Boundaries are straight between vertices, so a half-edge to the east ends at the next vertex of the row, and one to
    the south at the next vertex of the column.
    """
    count = len(code)
    targets = np.full((count, 4), -1, np.int64)
    in_strip = np.ones(count, bool) if bottom else y < height  # edges along the lower seam belong to the next strip
    east = np.flatnonzero(((code & _RIGHT) > 0) & in_strip)
    targets[east, E] = east + 1
    targets[east + 1, W] = east
    by_column = np.argsort(x, kind="stable")
    south = np.flatnonzero(((code[by_column] & _DOWN) > 0) & (y[by_column] < height))
    upper, lower = by_column[south], by_column[south + 1]
    targets[upper, S] = lower
    targets[lower, N] = upper
    return targets.ravel()


def _turn_directions(code: npt.NDArray[np.uint8], around: dict[str, Faces], targets: Indices) -> npt.NDArray[np.int8]:
    """Return the direction of the next half-edge of the ring after each half-edge, (4 V,)."""
    turns = np.full(targets.shape, -1, np.int8)
    # Pixels at the end of a half-edge that arrives in a direction: the one of its own face, on its right and behind,
    # and the one diagonally opposite, on its left and ahead.
    own = {E: "SW", S: "NW", W: "NE", N: "SE"}
    opposite = {E: "NE", S: "SE", W: "SW", N: "NW"}
    for direction in (E, S, W, N):
        edges = np.flatnonzero(targets[direction::4] >= 0) * 4 + direction
        turns[edges] = _turn(direction, code, around[own[direction]], around[opposite[direction]])[targets[edges]]
    return turns


def _turn(direction: int, code: npt.NDArray[np.uint8], own: Faces, opposite: Faces) -> npt.NDArray[np.int8]:
    """Return in which direction a ring leaves each vertex, (V,), if it arrives in ``direction``.

    A ring turns right where it can, else goes straight, else left, so that it stays at its own pixel. At a crossing
    whose diagonally opposite pixel has the same face, it turns left to that pixel: an exterior ring and a hole then
    touch at the corner, and no ring visits it twice, which polygon validity (OGC Simple Features) demands.
    """
    right, left = (direction + 1) % 4, (direction - 1) % 4
    can_turn_right = (code & _BIT[right]) > 0
    can_go_straight = (code & _BIT[direction]) > 0
    joins_opposite = (code == _CROSSING) & (own == opposite)
    turn = np.where(
        can_turn_right & ~joins_opposite, right, np.where(can_go_straight & ~joins_opposite, direction, left)
    )
    return turn.astype(np.int8)
