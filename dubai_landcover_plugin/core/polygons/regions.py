"""Regions: connected pixels of one class. Found band by band; small ones go to their neighbours."""

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


@dataclass(frozen=True)
class Borders:
    """Which regions touch: (E,) each pair once, and how long their border is, px; 0 where they touch at corners."""

    first: Indices
    second: Indices
    lengths: Floats

    @classmethod
    def of(cls, first: Indices, second: Indices, lengths: Floats) -> Borders:
        """Sum up pairs that occur several times; those of a region with itself are left out."""
        low, high = np.minimum(first, second), np.maximum(first, second)
        apart = low != high
        low, high, lengths = low[apart], high[apart], lengths[apart]
        order = np.lexsort((high, low))
        low, high, lengths = low[order], high[order], lengths[order]
        new = np.ones(len(low), bool)
        new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        begins = np.flatnonzero(new)
        sums = np.add.reduceat(lengths, begins) if len(begins) else lengths
        return cls(low[begins], high[begins], sums)


@dataclass(frozen=True)
class Regions:
    """Regions of a class map, in the order of their first pixels.

    Args:
        class_ids: (N,) uint16.
        areas: (N,) as the pixels' sizes add up.
        last_rows: (N,) lowest row of each.
        borders: Which touch.
    """

    class_ids: Ids
    areas: Floats
    last_rows: Indices
    borders: Borders


def sum_by(index: npt.NDArray[Any], values: npt.NDArray[Any], count: int) -> Floats:
    """Return the sum of the ``values`` of each of ``count`` things, (count,)."""
    return np.bincount(index, values, count).astype(np.float64, copy=False)


def connect(count: int, first: Indices, second: Indices) -> Indices:
    """Return the number of the connected part that each of ``count`` things belongs to, in the order of their first."""
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1].astype(np.int64)
    _, begins, places = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(begins), np.int64)
    rank[np.argsort(begins)] = np.arange(len(begins))
    ranks: Indices = rank[places]
    return ranks


class RegionFinder:
    """Finds the regions of a class map from bands of rows.

    Regions are 4-connected. No data is regions too, of class 0; they border on nothing.

    Args:
        pixel_areas: (H,) size of the pixels of each row.
        corners: Whether to tell which regions touch at corners alone.
    """

    def __init__(self, pixel_areas: Floats, corners: bool) -> None:
        self._pixel_areas, self._corners = pixel_areas, corners
        self._row = 0
        self._parts: list[tuple[Ids, Floats, Indices]] = []
        self._borders: list[Borders] = []
        self._same: list[tuple[Indices, Indices]] = []
        self._offsets = [0]
        self._edge: tuple[Ids, Indices] | None = None  # ids and parts of the row above

    def add(self, ids: Ids) -> None:
        """Take the next band, (h, W)."""
        runs = Runs.of(ids)
        parts, upper, lower, shared = part_of_runs(runs)
        offset = self._offsets[-1]
        count = int(parts.max()) + 1
        rows = self._row + runs.rows
        classes = np.zeros(count, np.uint16)
        classes[parts] = runs.class_ids
        last = np.zeros(count, np.int64)
        np.maximum.at(last, parts, rows)
        areas = sum_by(parts, runs.lengths * self._pixel_areas[rows], count)
        self._parts.append((classes, areas, last))
        left, right = runs.beside()
        first, second = np.concatenate([upper, left]), np.concatenate([lower, right])
        lengths = np.concatenate([shared.astype(np.float64), np.ones(len(left))])
        if self._corners:
            over, under = runs.across()
            first, second = np.concatenate([first, over]), np.concatenate([second, under])
            lengths = np.concatenate([lengths, np.zeros(len(over))])
        held = runs.hold_data(first, second)
        found = Borders.of(parts[first[held]], parts[second[held]], lengths[held])
        self._borders.append(Borders(found.first + offset, found.second + offset, found.lengths))
        if self._edge is not None:
            self._join(*self._edge, ids[0], (parts + offset)[runs.of_pixel[0]])
        of_last = parts[runs.of_pixel[-1]] + offset
        self._edge = (ids[-1].copy(), of_last)
        self._offsets.append(offset + count)
        self._row += len(ids)

    def _join(self, above: Ids, of_above: Indices, here: Ids, of_here: Indices) -> None:
        """Connect the first row of a band with the last one of the band above, by ids and parts."""
        pairs = [(above, of_above, here, of_here, 1.0)]
        if self._corners:
            pairs += [
                (above[:-1], of_above[:-1], here[1:], of_here[1:], 0.0),
                (above[1:], of_above[1:], here[:-1], of_here[:-1], 0.0),
            ]
        for upper, of_upper, lower, of_lower, length in pairs:
            data = (upper != NODATA_ID) & (lower != NODATA_ID)
            same = upper == lower
            if length:
                self._same.append((of_upper[same], of_lower[same]))
                data &= ~same
            self._borders.append(Borders.of(of_upper[data], of_lower[data], np.full(int(data.sum()), length)))

    def finish(self) -> tuple[Regions, list[Indices]]:
        """Return the regions, and for each band the region of each of its parts (see :func:`part_of_runs`)."""
        total = self._offsets[-1]
        empty = np.empty(0, np.int64)
        regions = connect(
            total,
            np.concatenate([empty, *(upper for upper, _ in self._same)]),
            np.concatenate([empty, *(lower for _, lower in self._same)]),
        )
        count = int(regions.max()) + 1 if total else 0
        classes = np.zeros(count, np.uint16)
        classes[regions] = np.concatenate([part for part, _, _ in self._parts])
        areas = sum_by(regions, np.concatenate([part for _, part, _ in self._parts]), count)
        last = np.zeros(count, np.int64)
        np.maximum.at(last, regions, np.concatenate([part for _, _, part in self._parts]))
        borders = Borders.of(
            regions[np.concatenate([part.first for part in self._borders])],
            regions[np.concatenate([part.second for part in self._borders])],
            np.concatenate([part.lengths for part in self._borders]),
        )
        bands = [regions[begin:end] for begin, end in zip(self._offsets[:-1], self._offsets[1:], strict=True)]
        return Regions(classes, areas, last, borders), bands


def part_of_runs(runs: Runs) -> tuple[Indices, Indices, Indices, Indices]:
    """Return the part of a region that each run of a band belongs to, by first pixels; and what ``below`` gave."""
    upper, lower, shared = runs.below()
    same = runs.class_ids[upper] == runs.class_ids[lower]
    parts = connect(len(runs.starts), upper[same], lower[same])
    return parts, upper, lower, shared


def merge_small(regions: Regions, min_area: float) -> Ids:
    """Return the class of each region, (N,), after those smaller than ``min_area`` went to neighbours.

    The smallest first: each takes the class of the neighbour with which it shares the longest border, and is one region
    with it from then on. What has no neighbour stays.
    """
    classes = regions.class_ids.copy()
    group = np.arange(len(classes))  # of each region
    borders, areas = regions.borders, regions.areas
    while True:
        # Regions of one class that touch are one.
        same = classes[borders.first] == classes[borders.second]
        if same.any():
            joined = connect(len(areas), borders.first[same], borders.second[same])
            group = joined[group]
            areas = sum_by(joined, areas, int(joined.max()) + 1)
            merged = np.zeros(len(areas), np.uint16)
            merged[joined] = classes
            classes = merged
            borders = Borders.of(joined[borders.first], joined[borders.second], borders.lengths)
        chosen, target = _choose(classes, areas, borders, min_area)
        if not len(chosen):
            found: Ids = classes[group]
            return found
        classes[chosen] = classes[target]


def _choose(classes: Ids, areas: Floats, borders: Borders, min_area: float) -> tuple[Indices, Indices]:
    """Return regions that go to a neighbour now, and to which: those smaller than all small neighbours."""
    small = (areas < min_area) & (classes != NODATA_ID)
    rank = np.empty(len(areas), np.int64)
    rank[np.lexsort((_shuffled(len(areas)), areas))] = np.arange(len(areas))
    real = borders.lengths > 0
    first, second, lengths = borders.first[real], borders.second[real], borders.lengths[real]
    source = np.concatenate([first, second])
    target = np.concatenate([second, first])
    lengths = np.concatenate([lengths, lengths])
    of_small = small[source]
    source, target, lengths = source[of_small], target[of_small], lengths[of_small]
    waits = np.zeros(len(areas), bool)
    waits[source[small[target] & (rank[target] < rank[source])]] = True
    goes = ~waits[source]
    source, target, lengths = source[goes], target[goes], lengths[goes]
    order = np.lexsort((rank[target], lengths, source))
    source, target = source[order], target[order]
    best = np.ones(len(source), bool)
    best[:-1] = source[1:] != source[:-1]
    return source[best], target[best]


def _shuffled(count: int) -> npt.NDArray[np.uint32]:
    """Return as many different numbers that look random, always the same.

    Where regular patterns make many neighbours equally large, an order along them would let one go after the other.
    """
    numbers = np.arange(count, dtype=np.uint32)
    for factor, shift in ((0x9E3779B1, 15), (0x85EBCA77, 13)):
        numbers *= np.uint32(factor)
        numbers ^= numbers >> np.uint32(shift)
    return numbers


@dataclass(frozen=True)
class Features:
    """What becomes one polygon each.

    Args:
        part: (N,) of each region: the 4-connected part of its feature, which is one polygon without holes that cross.
        feature: (P,) of each part.
        class_ids: (F,) of each feature.
        last_rows: (F,) lowest row of each.
    """

    part: Indices
    feature: Indices
    class_ids: Ids
    last_rows: Indices


def make_features(regions: Regions, classes: Ids) -> Features:
    """Join neighbouring regions of one class; where ``regions`` knows corners, across these too."""
    borders = regions.borders
    same = classes[borders.first] == classes[borders.second]
    by_edge = same & (borders.lengths > 0)
    part = connect(len(classes), borders.first[by_edge], borders.second[by_edge])
    whole = connect(len(classes), borders.first[same], borders.second[same])
    feature = np.zeros(int(part.max(initial=-1)) + 1, np.int64)
    feature[part] = whole
    count = int(whole.max(initial=-1)) + 1
    class_ids = np.zeros(count, np.uint16)
    class_ids[whole] = classes
    last = np.zeros(count, np.int64)
    np.maximum.at(last, whole, regions.last_rows)
    return Features(part, feature, class_ids, last)


def find_regions(bands: Iterable[Ids], pixel_areas: Floats, corners: bool) -> tuple[Regions, list[Indices]]:
    """Find the regions of a class map; see :class:`RegionFinder`."""
    finder = RegionFinder(pixel_areas, corners)
    for ids in bands:
        finder.add(ids)
    return finder.finish()
