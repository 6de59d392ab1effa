"""Skeleton of a class, tile by tile.

Thinning looks no farther than about one and a half widths of what it thins. Every tile is read with a margin of that
size, so neighbouring tiles find the same pixels at their seam, and the union is the skeleton of the whole raster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import skeletonize

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

TILE = (1024, 2048)  # cells, rows and columns
_FINEST = 0.5  # m: finer pixels are gathered into cells of at least this size, which places a road well enough
_MARGIN = 3  # in half widths of the widest road; see the test of seams
_WIDEST = 1000  # cells: margins beyond would fill the memory
_SHARE = 90  # percent of a run's time

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RoadShape:
    """What counts as road.

    Args:
        class_id: Raster id of the class.
        max_width: Widest road, m (px without a CRS).
        max_hole: Largest hole that is filled, m² (px without a CRS).
    """

    class_id: int
    max_width: float
    max_hole: float


@dataclass(frozen=True)
class Skeleton:
    """Cells of centre lines.

    Args:
        rows: (N,) int64, ascending.
        cols: (N,) int64, ascending in a row.
        half_width: (N,) float32, from the centre of the cell to the edge of the class; m (px without a CRS).
        confidence: (N,) float32, percent; NaN where it is not known.
        cell: Side of a cell, px.
    """

    rows: npt.NDArray[np.int64]
    cols: npt.NDArray[np.int64]
    half_width: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    cell: int


def find_skeleton(
    source: ClassifiedSource,
    shape: RoadShape,
    confidence: ConfidenceSource | None,
    monitor: Monitor,
    tile: tuple[int, int] = TILE,
) -> Skeleton:
    """Thin a class to lines one cell wide.

    Args:
        source: The class map.
        shape: What counts as road.
        confidence: Confidence of the classes, where known.
        monitor: Told of each tile.
        tile: Rows and columns of a tile, cells. The result does not depend on it.

    Raises:
        RequestError: if the widest road has too many pixels or too few.
        RasterReadError: if a block is damaged.
        RunCancelled: if the user asked for it.

    Source:
        T. Y. Zhang, C. Y. Suen: A fast parallel algorithm for thinning digital patterns, 1984,
        https://doi.org/10.1145/357994.358023
    """
    grid, metric = source.grid, Metric(source.grid)
    cell = max(int(_FINEST / metric.gsd), 1) if metric.unit == "m" else 1
    height, width = -(-grid.height // cell), -(-grid.width // cell)
    margin = _margin(shape, metric, min(metric.sizes(0) + metric.sizes(grid.height)) * cell)
    found: list[tuple[npt.NDArray[Any], ...]] = []
    total = -(-height // tile[0]) * -(-width // tile[1])
    for done, (rows, cols) in enumerate(_tiles(height, width, tile)):
        raise_if_cancelled(monitor)
        monitor.report(_SHARE * done // total, 100, "finding centre lines")
        if cols.start == 0:
            top = max(rows.start - margin, 0)
            band = _read_mask(source, shape.class_id, cell, range(top, min(rows.stop + margin, height)))
        left = max(cols.start - margin, 0)
        mask = band[:, left : cols.stop + margin]
        kept = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
        if mask[kept].any():
            across, down = metric.sizes((rows.start + rows.stop) / 2 * cell)
            lines, half_width = _thin(mask, shape, (down * cell, across * cell))
            at, beside = np.nonzero(lines[kept])
            widths = half_width[kept][at, beside].astype(np.float32)
            at, beside = at + rows.start, beside + cols.start
            found.append((at, beside, widths, _confidence(confidence, grid, at, beside, cell)))
    if not found:
        empty, none = np.empty(0, np.int64), np.empty(0, np.float32)
        return Skeleton(empty, empty, none, none, cell)
    all_rows, all_cols, widths, sure = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((all_cols, all_rows))
    return Skeleton(all_rows[order], all_cols[order], widths[order], sure[order], cell)


def _margin(shape: RoadShape, metric: Metric, smallest: float) -> int:
    """Return how many cells around a tile have a say in its skeleton; ``smallest`` is the side of a cell."""
    radius = shape.max_width / 2 / smallest  # cells
    text = f"The widest road is {shape.max_width:g} {metric.unit}"
    if radius < 1:
        raise RequestError(
            f"{text}, less than two pixels of the raster.",
            f"Raise it to {math.ceil(2 * smallest)} or more, or use a finer raster.",
        )
    if radius > _WIDEST:
        raise RequestError(
            f"{text}, {2 * radius:.0f} cells of the raster; at most {2 * _WIDEST} can be handled.",
            f"Lower it to {2 * _WIDEST * smallest:.0f} or less.",
        )
    return math.ceil(_MARGIN * radius + 2 * math.sqrt(shape.max_hole) / smallest) + 4


def _confidence(
    source: ConfidenceSource | None,
    grid: Grid,
    rows: npt.NDArray[np.int64],
    cols: npt.NDArray[np.int64],
    cell: int,
) -> npt.NDArray[np.float32]:
    """Return the confidence in the middle of cells, (N,); NaN where nothing is known."""
    if source is None:
        return np.full(len(rows), np.nan, np.float32)
    return source.at(
        np.minimum(rows * cell + cell // 2, grid.height - 1), np.minimum(cols * cell + cell // 2, grid.width - 1)
    )


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Iterator[tuple[range, range]]:
    """Yield rows and columns of tiles, row by row."""
    for row in range(0, height, tile[0]):
        for col in range(0, width, tile[1]):
            yield range(row, min(row + tile[0], height)), range(col, min(col + tile[1], width))


def _read_mask(source: ClassifiedSource, class_id: int, cell: int, rows: range) -> Mask:
    """Return where the class has at least half of a cell, (rows, W)."""
    height, width = source.grid.height, source.grid.width
    if cell == 1:
        mask: Mask = source.read(rows.start, rows.stop) == class_id
        return mask
    parts = []
    for row in rows:  # a few rows at a time: many fine ones would fill the memory
        first, last = row * cell, min((row + 1) * cell, height)
        counts = (source.read(first, last) == class_id).sum(axis=0)
        sums = np.add.reduceat(counts, np.arange(0, width, cell))
        sizes = np.minimum(width - np.arange(0, width, cell), cell) * (last - first)
        parts.append(2 * sums >= sizes)
    return np.array(parts)


def _thin(mask: Mask, shape: RoadShape, size: tuple[float, float]) -> tuple[Mask, npt.NDArray[np.float64]]:
    """Return the skeleton of a mask and the distance of its cells to the mask's edge.

    Args:
        mask: (H, W).
        shape: What counts as road.
        size: Height and width of a cell.
    """
    mask = _without_holes(mask, shape.max_hole / (size[0] * size[1]))
    lines: Mask = skeletonize(mask)
    edge = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=size)[1:-1, 1:-1]
    wide = edge > shape.max_width / 2
    if wide.any():
        # All that a disc as wide as the widest road can reach belongs to a square, not to a road.
        lines &= ndimage.distance_transform_edt(~wide, sampling=size) > shape.max_width / 2
    # Distances count to the centre of the next cell outside. Its near edge is half a cell before; an even number of
    # cells has its middle half a cell beside the line, so that a quarter is right on average.
    return lines, np.maximum(edge - math.sqrt(size[0] * size[1]) / 4, 0)


def _without_holes(mask: Mask, largest: float) -> Mask:
    """Fill holes of at most so many cells; what touches the border of the array is no hole."""
    labels, count = ndimage.label(~mask)
    if not count or largest < 1:
        return mask
    small = np.bincount(labels.ravel(), minlength=count + 1) <= largest
    small[0] = False
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[border] = False
    filled: Mask = mask | small[labels]
    return filled
