"""Fills what is not road within roads: narrow islands, cars and trees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.core.roads.distance import runs_of

ISLANDS = (1, 2, 4, 8)  # half widths of the islands that are filled, cells
ISLAND_DEPTH = 5  # such an island is this many half widths of itself away from the edges of the road

Mask = npt.NDArray[np.bool_]
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
    for half in ISLANDS:
        if ISLAND_DEPTH * half > largest:
            break
        # A closing by a square fills what is up to 2 half widths wide; kept is what is then far inside of the road.
        closed = _erode(~_erode(~mask, half), half)
        inside = _erode(closed, ISLAND_DEPTH * half)
        if not inside.any():
            break  # no road is wide enough for wider islands either
        mask = mask | inside
    return mask


def _erode(mask: Mask, radius: int) -> Mask:
    """Return where the square of side 2 r + 1 around a cell is all True; the border repeats beyond the array."""
    for axis in (0, 1):
        pad = [(radius, radius) if axis == side else (0, 0) for side in (0, 1)]
        padded = np.moveaxis(np.pad(mask, pad, mode="edge"), axis, -1)
        mask = np.moveaxis(runs_of(padded, 2 * radius + 1), -1, axis)
    return mask


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
