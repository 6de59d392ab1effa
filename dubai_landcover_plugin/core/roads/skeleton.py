"""Skeleton of a class, tile by tile.

The skeleton at a pixel depends on pixels up to about one and a half road widths away. Each tile is read with a margin
of that size, so that adjacent tiles find the same cells at their seam, and their union is the skeleton of the raster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.roads.area import FULL, UNKNOWN, Coverage, RoadArea, is_class
from dubai_landcover_plugin.core.roads.distance import column_distances, distances_at, farther_than
from dubai_landcover_plugin.core.roads.filling import ISLAND_DEPTH, ISLANDS, fill_holes, fill_islands
from dubai_landcover_plugin.core.roads.thinning import thin
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import tr

TILE = (1536, 4096)  # cells, rows and columns
_MIN_CELL = 0.5  # m: smaller pixels are aggregated to cells of at least this size, which is precise enough for roads
_MARGIN = 3  # half widths of the widest road; checked by the test of seams
_MAX_RADIUS = 1000  # cells: larger margins would exhaust the memory
_PROGRESS = 90  # percent of a run's progress

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SkeletonOptions:
    """Which pixels are road.

    Args:
        class_id: Class id of roads.
        max_width: Largest width of a road, m (px without a CRS); wider areas are squares.
        max_hole: Largest hole that is filled, m² (px without a CRS).
    """

    class_id: int
    max_width: float
    max_hole: float


@dataclass(frozen=True)
class Skeleton:
    """Cells of the centre lines.

    Args:
        rows: (N,) int64, row of each cell, in row-major order.
        cols: (N,) int64, its column.
        half_width: (N,) float32, distance to the edge of the class, m (px without a CRS).
        confidence: (N,) float32, percent; NaN where unknown.
        cell: Side of a cell, px.
        area: The class itself, with holes and narrow islands filled.
    """

    rows: Indices
    cols: Indices
    half_width: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    cell: int
    area: RoadArea


def find_skeleton(
    source: ClassifiedSource,
    options: SkeletonOptions,
    confidence: ConfidenceSource | None,
    monitor: Monitor,
    tile: tuple[int, int] = TILE,
) -> Skeleton:
    """Thin a class to lines of one cell width.

    Args:
        source: The classified raster.
        options: Which pixels are road.
        confidence: Confidence raster, or None.
        monitor: Receives progress; may cancel.
        tile: Rows and columns of a tile, cells. The result does not depend on it.

    Raises:
        RequestError: if the largest width has too many or too few pixels.
        RasterReadError: if a block is damaged.
        RunCancelled: if the run was cancelled.
    """
    grid, metric = source.grid, Metric(source.grid)
    cell = max(int(_MIN_CELL / metric.gsd), 1) if metric.unit == "m" else 1
    height, width = -(-grid.height // cell), -(-grid.width // cell)
    margin, inner = _margins(options, metric, min(metric.sizes(0) + metric.sizes(grid.height)) * cell)
    found: list[tuple[npt.NDArray[Any], ...]] = []
    area = RoadArea(grid.height, grid.width, cell)
    total = -(-height // tile[0]) * -(-width // tile[1])
    for done, (rows, cols) in enumerate(_tiles(height, width, tile)):
        raise_if_cancelled(monitor)
        monitor.report(_PROGRESS * done // total, 100, tr("finding centre lines"))
        # The strip of a tile row is read once, with its margin.
        if cols.start == 0:
            top = max(rows.start - margin, 0)
            coverage = _read_coverage(source, options.class_id, cell, range(top, min(rows.stop + margin, height)))
            strip = is_class(coverage)
        left = max(cols.start - margin, 0)
        mask = strip[:, left : cols.stop + margin]
        core = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
        if mask[core].any():
            across, down = metric.sizes((rows.start + rows.stop) / 2 * cell)
            filled = fill_islands(mask, options.max_width / 2 / (min(down, across) * cell))
            # Only islands look as far as the whole margin.
            near_rows, near_cols = (slice(max(side.start - inner, 0), side.stop + inner) for side in core)
            inside = (_shifted(core[0], -near_rows.start), _shifted(core[1], -near_cols.start))
            filled = fill_holes(filled[near_rows, near_cols], options.max_hole / (down * across * cell**2))
            coverage[core[0], cols.start : cols.stop][filled[inside] & ~mask[core]] = FULL
            cell_rows, cell_cols, widths = _skeletonize(filled, inside, options, (down * cell, across * cell))
            cell_rows, cell_cols = cell_rows + rows.start, cell_cols + cols.start
            found.append((cell_rows, cell_cols, widths, _confidence(confidence, grid, cell_rows, cell_cols, cell)))
        if cols.stop == width:
            area.add(rows.start, coverage[rows.start - top : rows.stop - top])
    return _joined(found, cell, area)


def _joined(found: list[tuple[npt.NDArray[Any], ...]], cell: int, area: RoadArea) -> Skeleton:
    """Return the cells of all tiles, in row-major order."""
    if not found:
        empty, none = np.empty(0, np.int64), np.empty(0, np.float32)
        return Skeleton(empty, empty, none, none, cell, area)
    all_rows, all_cols, widths, percent = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((all_cols, all_rows))
    return Skeleton(all_rows[order], all_cols[order], widths[order], percent[order], cell, area)


def _margins(options: SkeletonOptions, metric: Metric, smallest: float) -> tuple[int, int]:
    """Return the margins of a tile, cells, for islands and for everything else.

    Args:
        options: Which pixels are road.
        metric: Size of a pixel.
        smallest: Smallest side of a cell, m or px.
    """
    radius = options.max_width / 2 / smallest  # cells
    text = tr("The maximum road width is {max_width:g} {unit}", max_width=options.max_width, unit=tr(metric.unit))
    if radius < 1:
        raise RequestError(
            tr("{text}, which is less than two pixels of the raster.", text=text),
            tr("Raise it to {least} or more, or use a finer raster.", least=math.ceil(2 * smallest)),
        )
    if radius > _MAX_RADIUS:
        raise RequestError(
            tr(
                "{text}, which is {cells:.0f} cells of the raster; at most {limit} can be handled.",
                text=text,
                cells=2 * radius,
                limit=2 * _MAX_RADIUS,
            ),
            tr("Lower it to {most:.0f} or less.", most=2 * _MAX_RADIUS * smallest),
        )
    # Filling an island of half width r looks 2 r + ISLAND_DEPTH * r cells away; the sizes follow each other.
    islands = sum((2 + ISLAND_DEPTH) * half for half in ISLANDS if ISLAND_DEPTH * half <= radius)
    inner = math.ceil(_MARGIN * radius + 2 * math.sqrt(options.max_hole) / smallest) + 4
    return inner + islands, inner


def _confidence(
    source: ConfidenceSource | None,
    grid: Grid,
    rows: Indices,
    cols: Indices,
    cell: int,
) -> npt.NDArray[np.float32]:
    """Return the confidence at the centre of cells, (N,) percent; NaN where unknown."""
    if source is None:
        return np.full(len(rows), np.nan, np.float32)
    return source.at(
        np.minimum(rows * cell + cell // 2, grid.height - 1), np.minimum(cols * cell + cell // 2, grid.width - 1)
    )


def _shifted(part: slice, offset: int) -> slice:
    return slice(part.start + offset, part.stop + offset)


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Iterator[tuple[range, range]]:
    """Yield rows and columns of the tiles, in row-major order."""
    for row in range(0, height, tile[0]):
        for col in range(0, width, tile[1]):
            yield range(row, min(row + tile[0], height)), range(col, min(col + tile[1], width))


def _read_coverage(source: ClassifiedSource, class_id: int, cell: int, rows: range) -> Coverage:
    """Return the share of the class in cells, (rows, W) uint8: 0 to 254; 255 for nodata."""
    height, width = source.grid.height, source.grid.width
    if cell == 1:
        lookup = np.zeros(256, np.uint8)
        lookup[NODATA_ID], lookup[class_id] = UNKNOWN, FULL
        return lookup[source.read(rows.start, rows.stop)]
    parts = []
    starts = np.arange(0, width, cell)
    for row in rows:  # one row of cells at a time: a tile of small pixels would exhaust the memory
        first, last = row * cell, min((row + 1) * cell, height)
        ids = source.read(first, last)
        sums, unknown = (
            np.add.reduceat((ids == value).sum(axis=0), starts, dtype=np.int64) for value in (class_id, NODATA_ID)
        )
        sizes = np.minimum(width - starts, cell) * (last - first)
        coverage = FULL * sums // sizes  # at least half of a cell is FULL / 2
        parts.append(np.where((2 * sums < sizes) & (2 * unknown > sizes), UNKNOWN, coverage).astype(np.uint8))
    return np.array(parts)


def _skeletonize(
    mask: Mask, inside: tuple[slice, slice], options: SkeletonOptions, size: tuple[float, float]
) -> tuple[Indices, Indices, npt.NDArray[np.float32]]:
    """Return the cells of the skeleton in a part of a mask.

    Args:
        mask: (H, W) bool, without holes.
        inside: The part.
        options: Which pixels are road.
        size: Height and width of a cell, m or px.

    Returns:
        (N,) rows and columns in the part, and (N,) distance to the edge of the mask (the local half width), m or px.
    """
    rows, cols = np.nonzero(thin(mask)[inside])
    rows, cols = rows + inside[0].start, cols + inside[1].start
    radius = options.max_width / 2
    steps = column_distances(~mask, outside=True)
    wide = np.zeros(mask.shape, bool)
    wide.ravel()[farther_than(radius, steps, size)] = True
    if wide.any():
        # Morphological opening by a disc of the largest width: what it covers is a square, not a road.
        to_square = distances_at(column_distances(wide, outside=False), rows, cols, size, 2 * radius, outside=False)
        rows, cols = rows[to_square > radius], cols[to_square > radius]
    edge = distances_at(steps, rows, cols, size, radius, outside=True)
    # The distance is measured to the centre of the nearest outside cell, half a cell beyond the edge. If a road is an
    # even number of cells wide, its true axis is half a cell beside the skeleton, which halves the correction on one
    # side; a quarter of a cell is right on average.
    half_width = np.maximum(edge - math.sqrt(size[0] * size[1]) / 4, 0).astype(np.float32)
    return rows - inside[0].start, cols - inside[1].start, half_width
