"""Exact Euclidean distances of a few cells, from the distances of all cells along their columns.

A distance transform of the whole array is needed nowhere: half widths are looked up at the cells of a skeleton, and
which cells are far from the edge is a comparison with a disc.

Source:
    P. F. Felzenszwalb, D. P. Huttenlocher 2012, Distance transforms of sampled functions (the separation into columns
    and rows), https://doi.org/10.4086/toc.2012.v008a019
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int16] | npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Bits = TypeVar("Bits", np.bool_, np.uint64)

FAR = 1 << 14  # rows: there is no target in the column, or none that is nearer


def column_distances(target: Mask, outside: bool) -> Steps:
    """Return the number of rows to the nearest target of the same column, (H, W).

    Args:
        target: (H, W) bool.
        outside: Whether the rows above and below the array are targets, too.
    """
    steps = np.empty(target.shape, np.int16 if len(target) < FAR else np.int32)
    for ways in (1, -1):  # downwards, then upwards
        last = np.full(target.shape[1], 0 if outside else FAR, steps.dtype)
        for row, hit in zip(steps[::ways], target[::ways]):
            last += 1
            np.copyto(last, 0, where=hit)
            np.minimum(last, row if ways < 0 else FAR, out=row)
    return steps


def distances_at(
    steps: Steps, rows: Indices, cols: Indices, size: tuple[float, float], limit: float, outside: bool
) -> Floats:
    """Return the distance of cells to the nearest target, (N,) in the unit of ``size``; ``limit`` or more if farther.

    Args:
        steps: (H, W) rows to the nearest target of the column.
        rows: (N,) row of each cell.
        cols: (N,) its column.
        size: Height and width of a cell.
        limit: Distance up to which targets are searched.
        outside: Whether the columns beside the array are targets, too.
    """
    down, across = size
    flat, width = steps.ravel(), steps.shape[1]
    squares = np.minimum((flat[rows * width + cols] * down) ** 2, limit**2)
    # Columns at growing distance, as long as one may be nearer than the target found so far.
    active, step = np.arange(len(rows)), 1
    while len(active):
        apart = (step * across) ** 2
        active = active[squares[active] > apart]
        for sign in (-step, step):
            col = cols[active] + sign
            beside = (col < 0) | (col >= width)
            found = (flat[rows[active] * width + col.clip(0, width - 1)] * down) ** 2 + apart
            found[beside] = apart if outside else np.inf
            squares[active] = np.minimum(squares[active], found)
        step += 1
    distances: Floats = np.sqrt(squares)
    return distances


def farther_than(radius: float, steps: Steps, size: tuple[float, float]) -> Indices:
    """Return the cells that are farther than a radius from all targets, (N,) row-major indices.

    Args:
        radius: In the unit of ``size``.
        steps: (H, W) rows to the nearest target of the column; the columns beside the array are targets, too.
        size: Height and width of a cell.
    """
    across, width = size[1], steps.shape[1]
    reach, side = int(radius / across), int(radius * math.sqrt(0.5) / across)
    # The square that is inscribed in the disc around such a cell is free of targets.
    free = runs_of(steps >= _fewest_rows(side, radius, size), 2 * side + 1)
    row, col = np.divmod(np.flatnonzero(free), max(free.shape[1], 1))
    col += side
    inner = (col >= reach) & (col < width - reach)
    cells: Indices = row[inner] * width + col[inner]
    flat = steps.ravel()
    for step in range(reach + 1):
        rows = _fewest_rows(step, radius, size)
        for offset in {-step, step}:
            cells = cells[flat[cells + offset] >= rows]
    return cells


def _fewest_rows(step: int, radius: float, size: tuple[float, float]) -> int:
    """Return the smallest distance in rows of a target ``step`` columns away that is outside of the disc."""
    down, across = size
    rows = int(math.sqrt(max(radius**2 - (step * across) ** 2, 0.0)) / down)
    while math.sqrt((rows * down) ** 2 + (step * across) ** 2) <= radius:
        rows += 1
    return rows


def runs_of(mask: npt.NDArray[Bits], size: int) -> npt.NDArray[Bits]:
    """Return where ``size`` cells from each cell on along the last axis are all True, (..., W - size + 1).

    Args:
        mask: bool, or words of bits, each bit a mask.
        size: Length of the runs.
    """
    length = 1
    while length < size and mask.shape[-1]:
        step = min(length, size - length)
        mask = mask[..., :-step] & mask[..., step:]  # runs of up to twice the length
        length += step
    return mask
