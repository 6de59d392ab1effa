"""Thinning of a mask to lines of one cell width, in time proportional to the cells that it removes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

# Bit i of a neighbourhood is set if this neighbour is in the mask: NW, N, NE, E, SE, S, SW, W (rows, columns).
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_N, _E, _S, _W = 2, 8, 32, 128
_FIRST, _SECOND = 1, 2  # the two passes of an iteration
_IN_MASK, _QUEUED = 1, 2
_CORNERS = {
    **dict.fromkeys((10, 40, 130, 160), _FIRST | _SECOND),
    **dict.fromkeys((3, 6, 11, 12, 14, 131, 134, 161, 194, 198), _FIRST),
    **dict.fromkeys((24, 26, 56, 96, 104, 108, 176, 192, 224), _SECOND),
    **dict.fromkeys((48, 129), 0),
}
"""Neighbourhoods of corners and of ends of thick lines for which scikit-image deviates from the paper."""


def _removable() -> Codes:
    """Return for each neighbourhood, (256,), in which passes a cell is removed."""
    table = np.zeros(256, np.uint8)
    for code in range(256):
        ring = [code >> bit & 1 for bit in range(8)]
        crossings = sum(ring[bit - 1] < ring[bit] for bit in range(8))  # from background to mask, around the cell
        if crossings == 1 and 2 <= sum(ring) <= 6:
            north, east, south, west = (code & side == 0 for side in (_N, _E, _S, _W))  # sides at the background
            table[code] = _FIRST * (east or south or (north and west)) + _SECOND * (north or west or (east and south))
    table[list(_CORNERS)] = list(_CORNERS.values())
    return table


_REMOVABLE = _removable()


def thin(mask: Mask) -> Mask:
    """Return the skeleton of a mask, (H, W); outside of the array is background.

    The result equals that of scikit-image's ``skeletonize``, which examines every cell in every pass; here, a pass
    examines only the cells of which a neighbour was removed.

    Source:
        T. Y. Zhang, C. Y. Suen 1984, A fast parallel algorithm for thinning digital patterns,
        https://doi.org/10.1145/357994.358023
    """
    padded = np.pad(mask, 1)
    codes, queue = _neighbourhoods(padded)
    flags = padded.view(np.uint8).ravel()  # _IN_MASK, and _QUEUED while the queue of the next pass is made
    offsets = [row * padded.shape[1] + col for row, col in _NEIGHBOURS]
    step, idle = _FIRST, 0
    while idle < 2:
        chosen = (_REMOVABLE.take(codes.take(queue)) & step) > 0
        removed, waiting = queue[chosen], queue[~chosen]
        flags[removed], codes[removed] = 0, 0
        queue = _queue(waiting, _update_codes(removed, offsets, codes), codes, flags)
        step, idle = _FIRST + _SECOND - step, 0 if len(removed) else idle + 1
    return padded[1:-1, 1:-1]


def _neighbourhoods(padded: Mask) -> tuple[Codes, Indices]:
    """Return the neighbourhood of each cell, flat, 0 outside of the mask; and the cells that can be removed."""
    inner, width = padded[1:-1, 1:-1], padded.shape[1]
    # Most cells have all eight neighbours in the mask; the others are looked up.
    columns = padded[:-2] & padded[1:-1] & padded[2:]
    full = columns[:, :-2] & columns[:, 1:-1] & columns[:, 2:]
    codes = np.zeros(padded.shape, np.uint8)
    np.multiply(full, np.uint8(255), out=codes[1:-1, 1:-1])
    rows, cols = np.divmod(np.flatnonzero(inner & ~full), inner.shape[1])
    edge, flat = (rows + 1) * width + cols + 1, padded.view(np.uint8).ravel()
    found = np.zeros(len(edge), np.uint8)
    for bit, (row, col) in enumerate(_NEIGHBOURS):
        found |= flat[edge + (row * width + col)] << bit
    flat_codes = codes.ravel()
    flat_codes[edge] = found
    return flat_codes, edge[_REMOVABLE[found] > 0]


def _update_codes(removed: Indices, offsets: list[int], codes: Codes) -> list[Indices]:
    """Clear removed cells in the neighbourhoods of the cells around them; return these, once for each neighbour."""
    changed = []
    for bit, offset in enumerate(offsets):
        cells = removed - offset  # the removed cell is their neighbour of this bit
        code = codes.take(cells) & (255 - (1 << bit))
        inside = np.flatnonzero(code)
        cells = cells.take(inside)
        codes[cells] = code.take(inside)
        changed.append(cells)
    return changed


def _queue(waiting: Indices, changed: list[Indices], codes: Codes, flags: Codes) -> Indices:
    """Return the cells to examine in the next pass, each once: those that a pass can remove."""
    parts = []
    for cells in (waiting, *changed):
        cells = cells[_REMOVABLE.take(codes.take(cells)) > 0]
        new = cells[flags.take(cells) == _IN_MASK]
        flags[new] = _IN_MASK | _QUEUED
        parts.append(new)
    queue = np.concatenate(parts)
    flags[queue] = _IN_MASK
    return queue
