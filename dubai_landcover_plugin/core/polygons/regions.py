"""Regions (connected components of equal class), their adjacency graph, and the minimum mapping unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.core.polygons.runs import Indices, Runs
from dubai_landcover_plugin.protocol.classes import NODATA_ID

Ids = npt.NDArray[Any]  # uint8 or uint16
Floats = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""Relative error that sums of pixel areas may have."""


@dataclass(frozen=True)
class RegionAdjacency:
    """Edges of a region adjacency graph, each pair of regions once, ``first < second``.

    Args:
        first: (E,) int64, one region of each edge.
        second: (E,) int64, the other.
        lengths: (E,) length of the common border, px; 0 where regions touch at corners alone.
    """

    first: Indices
    second: Indices
    lengths: Floats

    @classmethod
    def from_pairs(cls, first: Indices, second: Indices, lengths: Floats) -> RegionAdjacency:
        """Sum the lengths of repeated pairs; pairs of a region with itself are dropped."""
        low, high = np.minimum(first, second), np.maximum(first, second)
        distinct = low != high
        low, high, lengths = low[distinct], high[distinct], lengths[distinct]
        order = np.argsort(low * (int(high.max(initial=0)) + 1) + high)
        low, high, lengths = low[order], high[order], lengths[order]
        # Group equal pairs, which are consecutive now, and sum each group.
        is_first = np.ones(len(low), bool)
        is_first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        starts = np.flatnonzero(is_first)
        sums = np.add.reduceat(lengths, starts) if len(starts) else lengths
        return cls(low[starts], high[starts], sums)


@dataclass(frozen=True)
class Regions:
    """Regions of a classified raster, in row-major order of their first pixels.

    Args:
        class_ids: (N,) uint16.
        areas: (N,) sum of the pixel areas, in their unit.
        last_rows: (N,) int64, last row of each region.
        adjacency: Which regions touch.
    """

    class_ids: Ids
    areas: Floats
    last_rows: Indices
    adjacency: RegionAdjacency


def sum_by_label(labels: npt.NDArray[Any], values: npt.NDArray[Any], count: int) -> Floats:
    """Return the sum of ``values``, (N,), for each of ``count`` labels, (count,) float64."""
    return np.bincount(labels, values, count).astype(np.float64, copy=False)


def is_below(areas: Floats, min_area: float) -> npt.NDArray[np.bool_]:
    """Return which areas, (N,), are smaller than a minimum, beyond rounding errors."""
    below: npt.NDArray[np.bool_] = areas < min_area * (1 - ROUNDING)
    return below


def label_components(count: int, first: Indices, second: Indices) -> Indices:
    """Label the connected components of a graph.

    Args:
        count: Number of nodes.
        first: (E,) one node of each edge.
        second: (E,) the other.

    Returns:
        (count,) int64 component of each node; components are numbered in the order of their smallest nodes.
    """
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    # SciPy visits the nodes in their order, and numbers each component when it meets its first node.
    components: Indices = connected_components(graph, directed=False)[1].astype(np.int64)
    return components


class RegionLabeller:
    """Labels the 4-connected regions of a classified raster that arrives in strips of rows.

    Run-length based connected component labelling: runs are joined to provisional labels within each strip, and labels
    are joined across strips at the end (union of equivalences). Nodata forms regions of class 0, which are adjacent to
    none. Memory grows with the number of regions, not of pixels.

    Args:
        pixel_areas: (H,) area of a pixel of each row.
        corners: Whether pairs that touch at corners alone are edges of the adjacency graph, with length 0.

    Source:
        L. He, Y. Chao, K. Suzuki 2008, A run-based two-scan labeling algorithm,
        https://doi.org/10.1109/TIP.2008.919369
    """

    def __init__(self, pixel_areas: Floats, corners: bool) -> None:
        self._pixel_areas, self._corners = pixel_areas, corners
        self._row = 0
        self._labels: list[tuple[Ids, Floats, Indices]] = []  # class, area, last row of the labels of each strip
        self._adjacency: list[RegionAdjacency] = []
        self._equivalent: list[tuple[Indices, Indices]] = []  # labels of one region, above and below a seam
        self._offsets = [0]  # first label of each strip
        self._previous_row: tuple[Ids, Indices] | None = None  # class ids and labels of the row above

    def add(self, ids: Ids) -> None:
        """Label the next strip, (h, W)."""
        runs = Runs.encode(ids)
        labels, upper, lower, shared = label_runs(runs)
        offset, count = self._offsets[-1], int(labels.max()) + 1
        self._measure(runs, labels, count)
        self._find_adjacency(runs, labels + offset, upper, lower, shared)
        if self._previous_row is not None:
            self._join(*self._previous_row, ids[0], (labels + offset)[runs.run_of_pixel[0]])
        self._previous_row = (ids[-1].copy(), labels[runs.run_of_pixel[-1]] + offset)
        self._offsets.append(offset + count)
        self._row += len(ids)

    def _measure(self, runs: Runs, labels: Indices, count: int) -> None:
        """Keep class, area and last row of each label of a strip."""
        rows = self._row + runs.rows
        classes = np.zeros(count, np.uint16)
        classes[labels] = runs.class_ids
        last_rows = np.zeros(count, np.int64)
        np.maximum.at(last_rows, labels, rows)
        areas = sum_by_label(labels, runs.lengths * self._pixel_areas[rows], count)
        self._labels.append((classes, areas, last_rows))

    def _find_adjacency(self, runs: Runs, labels: Indices, upper: Indices, lower: Indices, shared: Indices) -> None:
        """Keep which labels of a strip touch, from the neighbours of their runs."""
        left, right = runs.horizontal_neighbours()
        first, second = np.concatenate([upper, left]), np.concatenate([lower, right])
        lengths = np.concatenate([shared.astype(np.float64), np.ones(len(left))])
        if self._corners:
            above, below = runs.diagonal_neighbours()
            first, second = np.concatenate([first, above]), np.concatenate([second, below])
            lengths = np.concatenate([lengths, np.zeros(len(above))])
        valid = runs.both_valid(first, second)
        self._adjacency.append(RegionAdjacency.from_pairs(labels[first[valid]], labels[second[valid]], lengths[valid]))

    def _join(self, above: Ids, labels_above: Indices, below: Ids, labels_below: Indices) -> None:
        """Join labels across a seam, given class ids and labels, (W,), of the rows above and below it."""
        pairs = [(above, labels_above, below, labels_below, 1.0)]
        if self._corners:
            pairs += [
                (above[:-1], labels_above[:-1], below[1:], labels_below[1:], 0.0),
                (above[1:], labels_above[1:], below[:-1], labels_below[:-1], 0.0),
            ]
        for upper, upper_labels, lower, lower_labels, length in pairs:
            adjacent = (upper != NODATA_ID) & (lower != NODATA_ID)
            same = upper == lower
            if length:
                self._equivalent.append((upper_labels[same], lower_labels[same]))
                adjacent &= ~same
            self._adjacency.append(
                RegionAdjacency.from_pairs(
                    upper_labels[adjacent], lower_labels[adjacent], np.full(int(adjacent.sum()), length)
                )
            )

    def finish(self) -> tuple[Regions, list[Indices]]:
        """Return the regions, and for each strip the region of each of its labels (see :func:`label_runs`)."""
        total = self._offsets[-1]
        empty = np.empty(0, np.int64)
        region_of_label = label_components(
            total,
            np.concatenate([empty, *(upper for upper, _ in self._equivalent)]),
            np.concatenate([empty, *(lower for _, lower in self._equivalent)]),
        )
        # Accumulate the measures of the labels of each region.
        count = int(region_of_label.max()) + 1 if total else 0
        classes = np.zeros(count, np.uint16)
        classes[region_of_label] = np.concatenate([classes for classes, _, _ in self._labels])
        areas = sum_by_label(region_of_label, np.concatenate([areas for _, areas, _ in self._labels]), count)
        last_rows = np.zeros(count, np.int64)
        np.maximum.at(last_rows, region_of_label, np.concatenate([rows for _, _, rows in self._labels]))
        adjacency = RegionAdjacency.from_pairs(
            region_of_label[np.concatenate([edges.first for edges in self._adjacency])],
            region_of_label[np.concatenate([edges.second for edges in self._adjacency])],
            np.concatenate([edges.lengths for edges in self._adjacency]),
        )
        strips = [region_of_label[i:j] for i, j in zip(self._offsets[:-1], self._offsets[1:], strict=True)]
        return Regions(classes, areas, last_rows, adjacency), strips


def label_runs(runs: Runs) -> tuple[Indices, Indices, Indices, Indices]:
    """Label the 4-connected components of a strip.

    Returns:
        (N,) label of each run, numbered in row-major order of their first pixels, and what
        :meth:`Runs.vertical_neighbours` returned.
    """
    upper, lower, shared = runs.vertical_neighbours()
    same = runs.class_ids[upper] == runs.class_ids[lower]
    labels = label_components(len(runs.starts), upper[same], lower[same])
    return labels, upper, lower, shared


def merge_small_regions(regions: Regions, min_area: float) -> Ids:
    """Apply a minimum mapping unit: merge regions smaller than ``min_area`` into neighbours, smallest first.

    A region takes the class of the neighbour with the longest common border and forms one region with it from then on.
    Regions without a neighbour are kept. Each round merges all regions that are smaller than each of their small
    neighbours.

    Args:
        regions: All regions of the map.
        min_area: In the unit of the regions' areas.

    Returns:
        (N,) uint16 new class of each region.
    """
    classes, areas, adjacency = regions.class_ids.copy(), regions.areas, regions.adjacency
    merged_region = np.arange(len(classes))  # (N,) current region of each original one
    while True:
        # Contract the edges between regions of one class.
        same = classes[adjacency.first] == classes[adjacency.second]
        if same.any():
            contracted = label_components(len(areas), adjacency.first[same], adjacency.second[same])
            merged_region = contracted[merged_region]
            areas = sum_by_label(contracted, areas, int(contracted.max()) + 1)
            contracted_classes = np.zeros(len(areas), np.uint16)
            contracted_classes[contracted] = classes
            classes = contracted_classes
            adjacency = RegionAdjacency.from_pairs(
                contracted[adjacency.first], contracted[adjacency.second], adjacency.lengths
            )
        small, neighbours = _select_merges(classes, areas, adjacency, min_area)
        if not len(small):
            merged: Ids = classes[merged_region]
            return merged
        classes[small] = classes[neighbours]


def _select_merges(classes: Ids, areas: Floats, adjacency: RegionAdjacency, min_area: float) -> tuple[Indices, Indices]:
    """Return the regions to merge in this round, and the neighbour that each is merged into."""
    small = is_below(areas, min_area) & (classes != NODATA_ID)
    # Rank all regions by area; a pseudorandom order breaks ties.
    rank = np.empty(len(areas), np.int64)
    rank[np.lexsort((_pseudorandom_keys(len(areas)), areas))] = np.arange(len(areas))
    # Directed edges from small regions; contact at corners alone does not count.
    by_edge = adjacency.lengths > 0
    first, second, lengths = adjacency.first[by_edge], adjacency.second[by_edge], adjacency.lengths[by_edge]
    source = np.concatenate([first, second])
    target = np.concatenate([second, first])
    lengths = np.concatenate([lengths, lengths])
    from_small = small[source]
    source, target, lengths = source[from_small], target[from_small], lengths[from_small]
    # A region waits while one of its small neighbours is smaller.
    waits = np.zeros(len(areas), bool)
    waits[source[small[target] & (rank[target] < rank[source])]] = True
    ready = ~waits[source]
    source, target, lengths = source[ready], target[ready], lengths[ready]
    # The neighbour with the longest border, the largest of several: the last edge of each source.
    order = np.lexsort((rank[target], lengths, source))
    source, target = source[order], target[order]
    is_last = np.ones(len(source), bool)
    is_last[:-1] = source[1:] != source[:-1]
    return source[is_last], target[is_last]


def _pseudorandom_keys(count: int) -> npt.NDArray[np.uint32]:
    """Return ``count`` distinct keys in a reproducible pseudorandom order, (count,).

    Used to break ties: in a regular pattern, where many neighbours have the same area, ties broken in row-major order
    would form chains of which only one region could be merged in each round.
    """
    keys = np.arange(count, dtype=np.uint32)
    for factor, shift in ((0x9E3779B1, 15), (0x85EBCA77, 13)):  # multiply–xorshift steps, each a bijection
        keys *= np.uint32(factor)
        keys ^= keys >> np.uint32(shift)
    return keys


@dataclass(frozen=True)
class Features:
    """Regions grouped to faces, and faces to output features.

    A face is 4-connected and becomes one polygon. A feature is one face, or, where contact at corners counts, a group
    of faces that becomes one multipolygon.

    Args:
        face_of_region: (N,) int64.
        feature_of_face: (P,) int64.
        class_ids: (F,) uint16, class id of each feature.
        last_rows: (F,) int64, last row of each feature.
    """

    face_of_region: Indices
    feature_of_face: Indices
    class_ids: Ids
    last_rows: Indices


def make_features(regions: Regions, classes: Ids) -> Features:
    """Group adjacent regions of one class.

    Args:
        regions: All regions; their adjacency says whether contact at corners counts.
        classes: (N,) class of each, see :func:`merge_small_regions`.
    """
    adjacency = regions.adjacency
    same = classes[adjacency.first] == classes[adjacency.second]
    by_edge = same & (adjacency.lengths > 0)
    face = label_components(len(classes), adjacency.first[by_edge], adjacency.second[by_edge])
    feature = label_components(len(classes), adjacency.first[same], adjacency.second[same])
    feature_of_face = np.zeros(int(face.max(initial=-1)) + 1, np.int64)
    feature_of_face[face] = feature
    count = int(feature.max(initial=-1)) + 1
    class_ids = np.zeros(count, np.uint16)
    class_ids[feature] = classes
    last_rows = np.zeros(count, np.int64)
    np.maximum.at(last_rows, feature, regions.last_rows)
    return Features(face, feature_of_face, class_ids, last_rows)


def find_regions(strips: Iterable[Ids], pixel_areas: Floats, corners: bool) -> tuple[Regions, list[Indices]]:
    """Label the regions of a classified raster, given as strips of rows; see :class:`RegionLabeller`."""
    labeller = RegionLabeller(pixel_areas, corners)
    for ids in strips:
        labeller.add(ids)
    return labeller.finish()
