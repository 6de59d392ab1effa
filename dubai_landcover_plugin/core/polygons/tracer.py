"""A class map becomes polygons, strip by strip of rows: no gaps, no overlaps, in the memory of one strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.half_edges import Links, LinkTracer
from dubai_landcover_plugin.core.polygons.regions import (
    Features,
    find_regions,
    make_features,
    merge_small,
    part_of_runs,
    sum_by,
)
from dubai_landcover_plugin.core.polygons.rings import LinkPool, Rings, close_rings
from dubai_landcover_plugin.core.polygons.runs import Runs
from dubai_landcover_plugin.protocol.monitor import Monitor, SilentMonitor, raise_if_cancelled

Indices = npt.NDArray[np.int64]
Ids = npt.NDArray[Any]  # uint8 or uint16

_STRIP_PIXELS = 1 << 22
IDS = 1 << 16
"""Ids are below it."""
_LEAST_ROWS, _MOST_ROWS = 16, 4096


class RowSource(Protocol):
    """Where class ids come from."""

    def read(self, first: int, last: int) -> Ids:
        """Return rows ``first`` to ``last`` (excluded), (last - first, W) uint8 or uint16; 0 is no data."""


@dataclass(frozen=True)
class Batch:
    """Features that a strip completed.

    Args:
        rings: Their rings, in pixels.
        features: (R,) of each ring, ascending.
        class_ids: Of the features, by number.
        border: New pieces of the border of no data.
    """

    rings: Rings
    features: Indices
    class_ids: Ids
    border: Links


@dataclass(frozen=True)
class Strip:
    """What a strip of rows belongs to, for statistics.

    Args:
        first_row: Its first row.
        features: (h, W) int32 feature of each pixel, -1 for no data.
    """

    first_row: int
    features: npt.NDArray[np.int32]


def strip_rows(width: int) -> int:
    """Return the height of strips, px. It depends on the width alone, so that every machine draws the same polygons."""
    return min(max(_STRIP_PIXELS // max(width, 1), _LEAST_ROWS), _MOST_ROWS)


class Tracing:
    """Traces the polygons of a class map.

    The map is read twice: for its regions, and for their borders.

    Args:
        source: The class ids.
        pixel_areas: (H,) size of the pixels of each row, in the unit of ``min_area``.
        width: Columns.
        min_area: Smaller regions go to their neighbours, see :func:`merge_small`.
        tolerance: Of simpler borders, px, see :class:`BorderSimplifier`; 0 keeps pixel edges.
        corners: Whether pixels of a class that touch at a corner belong together (8-connected); else edges count alone.
        rows: Height of strips; None takes what suits the width.
        monitor: Told about progress; may cancel.
    """

    valid_pixels: int
    """Pixels with a class."""
    raster_areas: npt.NDArray[np.float64]
    """(IDS,) of each class id."""
    merged_areas: npt.NDArray[np.float64]
    """(IDS,) of each class id, after small regions went to their neighbours."""

    def __init__(
        self,
        source: RowSource,
        pixel_areas: npt.NDArray[np.float64],
        width: int,
        min_area: float = 0.0,
        tolerance: float = 0.0,
        corners: bool = False,
        rows: int | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self._source, self._height, self._width = source, len(pixel_areas), width
        self._tolerance, self._monitor = tolerance, monitor or SilentMonitor()
        self._rows = rows or strip_rows(width)
        self.valid_pixels = 0
        regions, self._bands = find_regions(self._counted(), pixel_areas, corners)
        classes = merge_small(regions, min_area) if min_area > 0 else regions.class_ids
        self.features: Features = make_features(regions, classes)
        self.raster_areas = sum_by(regions.class_ids, regions.areas, IDS)
        self.merged_areas = sum_by(classes, regions.areas, IDS)

    def _counted(self) -> Iterator[Ids]:
        for _, ids in self._read("regions"):
            self.valid_pixels += int(np.count_nonzero(ids))
            yield ids

    def batches(self) -> Iterator[tuple[Batch, Strip]]:
        """Yield strip by strip the features that it completes, and what it belongs to."""
        tracer = LinkTracer(self._width, self._tolerance)
        features = self.features
        pool = LinkPool(np.append(0, features.feature), features.last_rows)
        empty = np.zeros((1, self._width + 2), np.int32)
        above, strip = empty, None
        for first, parts in self._parts():
            if strip is not None:
                yield self._batch(tracer, pool, above, strip, parts[:1]), self._strip(first - len(strip), strip)
                above = strip[-1:]
            strip = parts
        if strip is not None:
            yield self._batch(tracer, pool, above, strip, empty, True), self._strip(self._height - len(strip), strip)

    def _batch(
        self,
        tracer: LinkTracer,
        pool: LinkPool,
        above: npt.NDArray[np.int32],
        strip: npt.NDArray[np.int32],
        below: npt.NDArray[np.int32],
        bottom: bool = False,
    ) -> Batch:
        links = tracer.trace(np.concatenate([above, strip, below]), bottom)
        data = links.parts > 0
        rings = close_rings(pool.add(links.where(data), self._height if bottom else tracer.row - 1), self._width + 1)
        return Batch(rings, self.features.feature[rings.parts - 1], self.features.class_ids, links.where(~data))

    def _strip(self, first: int, parts: npt.NDArray[np.int32]) -> Strip:
        numbers = np.append(-1, self.features.feature).astype(np.int32)
        return Strip(first, numbers[parts[:, 1:-1]])

    def _parts(self) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
        """Yield first row and parts of each strip: counted from 1, 0 for no data, with a column on either side."""
        numbers = self.features.part + 1
        for (first, ids), regions in zip(self._read("borders"), self._bands, strict=True):
            runs = Runs.of(ids)
            of_run = numbers[regions[part_of_runs(runs)[0]]]
            of_run[runs.class_ids == 0] = 0
            parts = np.zeros((len(ids), self._width + 2), np.int32)
            parts[:, 1:-1] = of_run.astype(np.int32)[runs.of_pixel]
            yield first, parts

    def _read(self, what: str) -> Iterator[tuple[int, Ids]]:
        half = 0 if what == "regions" else self._height
        for first in range(0, self._height, self._rows):
            raise_if_cancelled(self._monitor)
            self._monitor.report(half + first, 2 * self._height, what)
            yield first, self._source.read(first, min(first + self._rows, self._height))
