"""Borders of the regions of one strip of rows: vertices on pixel corners, and the edges between them, both ways.

Corner (y, x) is the upper left one of pixel (y, x). Directions are counted clockwise from east: E, S, W, N = 0..3. An
edge has its region on the right, so that outer rings run clockwise on the screen, where y points down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Parts = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

E, S, W, N = range(4)
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_VERTICAL, _HORIZONTAL = _UP | _DOWN, _LEFT | _RIGHT
_BIT = {E: _RIGHT, S: _DOWN, W: _LEFT, N: _UP}
_DEGREE = np.array([bin(code).count("1") for code in range(16)], np.uint8)


@dataclass(frozen=True)
class StripBorders:
    """Vertices and edges of one strip.

    Edge ``4 * v + d`` leaves vertex ``v`` in direction ``d``; where there is none, its target is -1.

    Args:
        x: (V,) column of each vertex, row by row.
        y: (V,) row of each vertex, counted through the raster.
        degree: (V,) how many borders meet there.
        outer: (V,) whether one of the pixels around is no data or outside.
        targets: (4 V,) vertex at the end of each edge.
        parts: (4 V,) what lies on the right of each edge; 0 is no data.
        turns: (4 V,) direction in which the ring goes on at the end of each edge.
        hanging: Vertices on the first row of corners to which a border comes down from the strip above.
        hanging_turns: Direction in which the ring on its right goes on there.
        below: Columns of the vertices on the last row of corners that are the next strip's alone.
    """

    x: Indices
    y: Indices
    degree: npt.NDArray[np.uint8]
    outer: Flags
    targets: Indices
    parts: Parts
    turns: npt.NDArray[np.int8]
    hanging: Indices
    hanging_turns: npt.NDArray[np.int8]
    below: Indices


def find_borders(parts: Parts, first_row: int, top: bool, bottom: bool) -> StripBorders:
    """Find the borders of a strip.

    Borders are cut where they cross its first and last row of corners: vertices stand there too. Edges along the last
    row of corners belong to the next strip.

    Args:
        parts: (h + 2, W + 2) part of each pixel, 0 for no data and around the raster, with the rows above and below.
        first_row: Row of the first pixel of the strip.
        top: Whether the raster begins with it.
        bottom: Whether the raster ends with it.
    """
    codes = _codes(parts)
    kept = (codes != 0) & (codes != _VERTICAL) & (codes != _HORIZONTAL)
    if not top:
        kept[0] |= codes[0] == _VERTICAL
    upward = (codes[-1] & _UP) > 0
    below = np.flatnonzero(kept[-1] & ~upward) if not bottom else np.empty(0, np.int64)
    if not bottom:
        kept[-1] = upward
    flat = np.flatnonzero(kept)
    y, x = np.divmod(flat, codes.shape[1])
    code = codes.ravel()[flat]
    around = _pixels_around(parts, y, x)
    outer = np.logical_or.reduce([pixels == 0 for pixels in around.values()])
    targets = _targets(code, y, x, len(parts) - 2, bottom)
    of_edge = np.stack([around["SE"], around["SW"], around["NW"], around["NE"]], axis=1).ravel()
    turns = _turns(code, around, targets)
    hanging = np.flatnonzero((y == 0) & ((code & _UP) > 0)) if not top else np.empty(0, np.int64)
    down = _turn(S, code, around["NW"], around["SE"])[hanging]
    return StripBorders(x, y + first_row, _DEGREE[code], outer, targets, of_edge, turns, hanging, down, below)


def _codes(parts: Parts) -> npt.NDArray[np.uint8]:
    """Return which borders leave each corner, (h + 1, W + 1)."""
    upright = parts[:, 1:] != parts[:, :-1]  # (h + 2, W + 1)
    level = parts[1:] != parts[:-1]  # (h + 1, W + 2)
    codes: npt.NDArray[np.uint8] = upright[:-1].astype(np.uint8)
    codes |= upright[1:].view(np.uint8) << 1
    codes |= level[:, :-1].view(np.uint8) << 2
    codes |= level[:, 1:].view(np.uint8) << 3
    return codes


def _pixels_around(parts: Parts, y: Indices, x: Indices) -> dict[str, Parts]:
    flat, width = parts.ravel(), parts.shape[1]
    corner = y * width + x
    return {
        "NW": flat[corner],
        "NE": flat[corner + 1],
        "SW": flat[corner + width],
        "SE": flat[corner + width + 1],
    }


def _targets(code: npt.NDArray[np.uint8], y: Indices, x: Indices, height: int, bottom: bool) -> Indices:
    """Return the vertex at the end of each edge, (4 V,): the next one of the row or column."""
    count = len(code)
    targets = np.full((count, 4), -1, np.int64)
    here = np.ones(count, bool) if bottom else y < height  # edges along the last row are the next strip's
    east = np.flatnonzero(((code & _RIGHT) > 0) & here)
    targets[east, E] = east + 1
    targets[east + 1, W] = east
    by_column = np.argsort(x, kind="stable")
    south = np.flatnonzero(((code[by_column] & _DOWN) > 0) & (y[by_column] < height))
    upper, lower = by_column[south], by_column[south + 1]
    targets[upper, S] = lower
    targets[lower, N] = upper
    return targets.ravel()


def _turns(code: npt.NDArray[np.uint8], around: dict[str, Parts], targets: Indices) -> npt.NDArray[np.int8]:
    """Return where the ring on the right of each edge goes on at its end.

    It keeps to its own pixel, so it turns right where it can. Where four borders meet and the pixel across is of the
    same part, it turns left to that one: rings then touch at the corner, but none passes it twice.
    """
    turns = np.full(targets.shape, -1, np.int8)
    own = {E: "SW", S: "NW", W: "NE", N: "SE"}
    across = {E: "NE", S: "SE", W: "SW", N: "NW"}
    for direction in (E, S, W, N):
        edges = np.flatnonzero(targets[direction::4] >= 0) * 4 + direction
        turns[edges] = _turn(direction, code, around[own[direction]], around[across[direction]])[targets[edges]]
    return turns


def _turn(direction: int, code: npt.NDArray[np.uint8], own: Parts, across: Parts) -> npt.NDArray[np.int8]:
    """Return for each vertex where a ring that arrives in ``direction`` goes on."""
    right, left = (direction + 1) % 4, (direction - 1) % 4
    can_right = (code & _BIT[right]) > 0
    straight = (code & _BIT[direction]) > 0
    crossing = (code == 15) & (own == across)
    turn = np.where(can_right & ~crossing, right, np.where(straight & ~crossing, direction, left))
    return turn.astype(np.int8)
