"""Polygons of equal codes, traced band by band: a region is given out as soon as no row below can belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

from dubai_landcover_plugin.core.change.tally import row_areas
from dubai_landcover_plugin.core.raster import Grid

_MOST_RINGS = 10_000  # joining outlines takes time by the square of their rings
_AT_ONCE = 20_000  # polygons; as they come from GDAL they take much more memory than afterwards

Geometries = npt.NDArray[np.object_]
Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """Connected pixels of one code each.

    Args:
        geometries: (N,) polygons along pixel edges, in the CRS.
        codes: (N,) codes.
        pixels: (N,) sizes, px.
        areas: (N,) sizes, m² (px without a CRS).
        confidences: (N,) mean confidence, percent; NaN without.
    """

    geometries: Geometries
    codes: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.int32]
    areas: Sums
    confidences: Sums


@dataclass
class _Parts:
    """Regions as they grow: pieces of polygons in pixel coordinates, codes and sums, all (N,).

    The columns of ``sums`` are pixels, area, confidence, pixels with confidence and rings of the outline.
    """

    pieces: list[list[Any]]
    codes: npt.NDArray[np.int32]
    sums: Sums


class RegionTracer:
    """Traces the 4-connected regions of a raster that comes in bands of rows.

    Memory: one band, and the outlines of the regions that reach its last row. One that has gathered more than 10,000
    rings, as only noise does, is cut there and goes on as another region, so that neither memory nor time run away.

    Args:
        grid: Of the raster.
        min_area: Smallest region kept, m² (px without a CRS).
    """

    def __init__(self, grid: Grid, min_area: float) -> None:
        self._grid, self._min_area = grid, min_area
        self._row = 0
        self._open = _Parts([], np.empty(0, np.int32), np.empty((0, 5)))
        self._edge = np.full(grid.width, -1, np.int64)  # open region of each pixel of the last row; -1 is none

    def add(self, codes: npt.NDArray[Any], confidences: npt.NDArray[np.float32] | None = None) -> Regions:
        """Take the next band and return the regions that end in it.

        Args:
            codes: (h, W) codes; 0 belongs to no region.
            confidences: (h, W) percent, NaN where it is not known.
        """
        labels = label(codes, background=0, connectivity=1).astype(np.int32)  # 1.. (h, W)
        count = int(labels.max(initial=0))
        found = self._measure(labels, count, codes, confidences)
        upper, lower = self._links(codes[0], labels[0], found.codes)
        reaching = np.zeros(count, bool)  # regions that may go on below
        last = labels[-1] > 0
        reaching[labels[-1][last] - 1] = True
        needed = reaching | (found.sums[:, 1] >= self._min_area)
        needed[lower] = True
        self._trace(labels, needed, found)
        self._row += len(codes)
        total = len(self._open.codes)
        groups, group_of = self._groups(upper, lower + total, found)
        merged = self._merge(found, group_of, groups)
        stays = np.zeros(groups, bool)
        stays[group_of[total:][reaching]] = True
        stays &= merged.sums[:, 4] <= _MOST_RINGS
        new_number = np.cumsum(stays) - 1
        self._edge = np.full(self._grid.width, -1, np.int64)
        below = group_of[total + labels[-1][last] - 1]
        self._edge[last] = np.where(stays[below], new_number[below], -1)
        self._open = _chosen(merged, stays)
        return self._finished(_chosen(merged, ~stays))

    def finish(self) -> Regions:
        """Return the regions that reach the last row."""
        rest, self._open = self._open, _Parts([], np.empty(0, np.int32), np.empty((0, 5)))
        return self._finished(rest)

    def _measure(
        self,
        labels: npt.NDArray[np.int32],
        count: int,
        codes: npt.NDArray[Any],
        confidences: npt.NDArray[np.float32] | None,
    ) -> _Parts:
        """Sum up the labelled regions of a band."""
        inside = labels > 0
        own = labels[inside] - 1
        areas = np.broadcast_to(row_areas(self._grid, self._row, self._row + len(labels))[:, None], labels.shape)
        code_of = np.zeros(count, np.int32)
        code_of[own] = codes[inside]
        sums = np.zeros((count, 5))
        sums[:, 0] = np.bincount(own, minlength=count)
        sums[:, 1] = np.bincount(own, areas[inside], count)
        if confidences is not None:
            values = confidences[inside]
            known = np.isfinite(values)
            sums[:, 2] = np.bincount(own[known], values[known], count)
            sums[:, 3] = np.bincount(own[known], minlength=count)
        return _Parts([[] for _ in range(count)], code_of, sums)

    def _links(
        self, codes: npt.NDArray[Any], labels: npt.NDArray[np.int32], code_of: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return pairs of an open region and a new one that touch across the seam and have the same code."""
        touching = (self._edge >= 0) & (labels > 0)
        pairs = np.unique(np.column_stack([self._edge[touching], labels[touching] - 1]), axis=0)
        same = self._open.codes[pairs[:, 0]] == code_of[pairs[:, 1]]
        return pairs[same, 0], pairs[same, 1]

    def _trace(self, labels: npt.NDArray[np.int32], needed: npt.NDArray[np.bool_], found: _Parts) -> None:
        """Draw the needed regions of a band; each label is one polygon."""
        mask = np.append(False, needed)[labels]
        if not mask.any():
            return
        shapes = rasterio.features.shapes(labels, mask=mask, connectivity=4)
        while some := list(islice(shapes, _AT_ONCE)):
            polygons = _to_polygons([shape for shape, _ in some], self._row)
            own = np.array([value for _, value in some], np.int64) - 1
            found.sums[own, 4] = shapely.get_num_interior_rings(polygons) + 1
            for index, polygon in zip(own.tolist(), polygons, strict=True):
                found.pieces[index].append(polygon)

    def _groups(
        self, upper: npt.NDArray[np.int64], lower: npt.NDArray[np.int64], found: _Parts
    ) -> tuple[int, npt.NDArray[np.int32]]:
        """Return how many groups open and new regions form, and the group of each; too large ones are not formed."""
        rings = np.concatenate([self._open.sums[:, 4], found.sums[:, 4]])
        groups, group_of = _components(upper, lower, len(rings))
        fits = np.bincount(group_of, rings, groups)[group_of[upper]] <= _MOST_RINGS
        return (groups, group_of) if fits.all() else _components(upper[fits], lower[fits], len(rings))

    def _merge(self, found: _Parts, group_of: npt.NDArray[np.int32], groups: int) -> _Parts:
        """Join open and new regions by group."""
        codes = np.zeros(groups, np.int32)
        codes[group_of] = np.concatenate([self._open.codes, found.codes])
        sums = np.zeros((groups, 5))
        np.add.at(sums, group_of, np.concatenate([self._open.sums, found.sums]))
        pieces: list[list[Any]] = [[] for _ in range(groups)]
        for group, own in zip(group_of.tolist(), [*self._open.pieces, *found.pieces], strict=True):
            pieces[group] += own
        return _Parts(pieces, codes, sums)

    def _finished(self, parts: _Parts) -> Regions:
        kept = _chosen(parts, parts.sums[:, 1] >= self._min_area)
        geometries: Geometries = np.empty(len(kept.pieces), object)
        for index, pieces in enumerate(kept.pieces):
            geometries[index] = pieces[0] if len(pieces) == 1 else _joined(pieces)
        sums = kept.sums
        with np.errstate(invalid="ignore"):
            means = sums[:, 2] / np.where(sums[:, 3] > 0, sums[:, 3], np.nan)
        return Regions(
            _place(geometries, self._grid), kept.codes, sums[:, 0].astype(np.int32), sums[:, 1].copy(), means
        )


def _components(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], count: int
) -> tuple[int, npt.NDArray[np.int32]]:
    links = coo_matrix((np.ones(len(first)), (first, second)), (count, count))
    groups, group_of = connected_components(links, directed=False)
    return int(groups), group_of


def _joined(pieces: list[Any]) -> Any:
    """Return the union of pieces that meet along seams; simplifying by nothing drops the corners left there."""
    return shapely.simplify(shapely.union_all(pieces), 0, preserve_topology=False)


def _chosen(parts: _Parts, chosen: npt.NDArray[np.bool_]) -> _Parts:
    pieces = [parts.pieces[index] for index in np.flatnonzero(chosen)]
    return _Parts(pieces, parts.codes[chosen], parts.sums[chosen])


def _to_polygons(shapes: list[dict[str, Any]], first_row: int) -> Geometries:
    """Build polygons from GeoJSON-like shapes in pixels of a band that starts at ``first_row``."""
    rings = [np.asarray(ring, np.float64) for shape in shapes for ring in shape["coordinates"]]
    owners = np.repeat(np.arange(len(shapes)), [len(shape["coordinates"]) for shape in shapes])
    points = np.concatenate(rings) + np.array([0, first_row])
    of_ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    polygons: Geometries = shapely.polygons(shapely.linearrings(points, indices=of_ring), indices=owners)
    return polygons


def _place(pixels: Geometries, grid: Grid) -> Geometries:
    """Move polygons from pixel coordinates to the CRS."""
    t = grid.transform
    matrix = np.array([[t.a, t.d], [t.b, t.e]])
    placed: Geometries = shapely.transform(pixels, lambda points: points @ matrix + (t.c, t.f))
    return placed
