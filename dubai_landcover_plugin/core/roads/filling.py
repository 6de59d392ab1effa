"""Fills what is not road within roads: narrow islands, cars and trees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.core.roads.distance import runs_of

ISLANDS = (1, 2, 4, 8)  # half widths of the islands that are filled, cells
ISLAND_DEPTH = 5  # such an island is this many half widths of itself away from the edges of the road
_WORD = 64  # cells

Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


def fill_islands(mask: Mask, largest: float) -> Mask:
    """Fill islands that are narrow beside the road around them, such as the median strip of a motorway.

    Without it, lanes of a wide road would be lines of their own wherever markings or barriers part them.

    Args:
        mask: (H, W) bool. The road goes on beyond the border of the array as it meets it.
        largest: Half width of the widest road, cells.

    Source:
        P. Soille 2004, Morphological Image Analysis, section 4.2 (closing), https://doi.org/10.1007/978-3-662-05088-0
    """
    words, outside = _pack(mask)
    for half in ISLANDS:
        if ISLAND_DEPTH * half > largest:
            break
        # A closing by a square fills what is up to 2 half widths wide; kept is what is then far inside of the road.
        closed = _erode(~_erode(~words, half, outside), half, outside)
        inside = _erode(closed, ISLAND_DEPTH * half, outside) & ~outside
        if not inside.any():
            break  # no road is wide enough for wider islands either
        words |= inside
    return _unpack(words, mask.shape[1])


def _pack(mask: Mask) -> tuple[Words, Words]:
    """Return a mask as words of 64 cells of a row, (H, W / 64 + 2), and which of their bits are outside of it, (1, …).

    On words, logical operations are eight times as fast. A whole word on both sides is outside.
    """
    height, width = mask.shape
    bits = np.zeros((height, _WORD * (-(-width // _WORD) + 2)), bool)
    outside = np.ones((1, bits.shape[1]), bool)
    bits[:, _WORD : _WORD + width], outside[:, _WORD : _WORD + width] = mask, False
    words, borders = (np.packbits(part, axis=1, bitorder="little").view("<u8") for part in (bits, outside))
    return words.astype(np.uint64, copy=False), borders.astype(np.uint64, copy=False)


def _unpack(words: Words, width: int) -> Mask:
    """Return the mask of words, (H, ``width``)."""
    bits = np.unpackbits(words.astype("<u8", copy=False).view(np.uint8), axis=1, bitorder="little")
    return bits[:, _WORD : _WORD + width].astype(bool)


def _erode(words: Words, radius: int, outside: Words) -> Words:
    """Return where the square of side 2 r + 1 around a cell is all True; what is outside of the array is True.

    Args:
        words: See :func:`_pack`.
        radius: At most 63.
        outside: The bits that are outside.
    """
    size, run, length = 2 * radius + 1, words | outside, 1
    while length < size:  # runs from each cell to the right, twice as long in each step
        step = min(length, size - length, _WORD - 1)
        run &= _from_right(run, step)
        length += step
    centred = run << np.uint64(radius)
    centred[:, 1:] |= run[:, :-1] >> np.uint64(_WORD - radius)
    beyond = np.full((radius, words.shape[1]), ~np.uint64(0))
    rows = np.concatenate([beyond, centred, beyond])
    return runs_of(rows.T, size).T


def _from_right(words: Words, step: int) -> Words:
    """Return for each cell the one ``step`` cells to the right; True beyond the last word."""
    moved = words >> np.uint64(step)
    moved[:, :-1] |= words[:, 1:] << np.uint64(_WORD - step)
    moved[:, -1] |= ~np.uint64(0) << np.uint64(_WORD - step)
    return moved


def fill_holes(mask: Mask, largest: float) -> Mask:
    """Fill holes of at most ``largest`` cells; background at the border of the array is not a hole.

    Holes are 4-connected components of the background. Their horizontal runs are joined instead of their cells, of
    which there are many more.
    """
    if largest < 1:
        return mask
    height, width = mask.shape[0], mask.shape[1] + 1
    # Runs of background, row by row: a column of mask parts the rows.
    flat = np.pad(mask, ((0, 0), (1, 0)), constant_values=True).ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if len(changes) % 2:
        changes = np.append(changes, flat.size)
    starts, stops = changes[::2], changes[1::2]
    rows, lengths = starts // width, stops - starts
    component = _joined_runs(starts, stops, width)
    small = np.bincount(component, lengths) <= largest
    at_border = (rows == 0) | (rows == height - 1) | (starts % width == 1) | (stops % width == 0)
    small[component[at_border]] = False
    hole = small[component]
    filled = mask.copy()
    if hole.any():
        sizes = lengths[hole]
        along = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within each run
        cells = np.repeat(starts[hole], sizes) + along
        filled[cells // width, cells % width - 1] = True
    return filled


def _joined_runs(starts: Indices, stops: Indices, width: int) -> Indices:
    """Return the component of each run, (N,): runs that share a border with one of the next row are joined."""
    first = np.searchsorted(stops, starts + width, "right")  # the first run that ends beyond the start
    counts = np.maximum(np.searchsorted(starts, stops + width, "left") - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    pairs = coo_array((np.ones(len(upper), np.int8), (upper, lower)), shape=(len(starts), len(starts)))
    component: Indices = connected_components(pairs, directed=False)[1]
    return component
