"""Turns blended probabilities into rows of class ids on the raster's own pixels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.resampling import Interpolation
from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter
from dubai_landcover_plugin.core.segmentation.blending import FinishedBlock, Floats
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.core.segmentation.novelty_rows import NoveltyRows
from dubai_landcover_plugin.protocol.classes import ClassScheme

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.segmentation.area_of_interest import AreaOfInterest

CONFIDENCE_NODATA = 255
"""Value without data in rasters of confidence and probabilities."""
_CHUNK_VALUES = 1 << 23  # probabilities resampled at once

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassDecision:
    """Assigns each pixel the class of highest probability.

    Args:
        scheme: Classes in the order of the channels.
        min_confidence: Pixels whose highest probability is below become Unlabeled, 0..1.
    """

    scheme: ClassScheme
    min_confidence: float = 0.0

    def __call__(
        self, probabilities: Floats, valid: Bools, with_confidence: bool, with_probabilities: bool = False
    ) -> tuple[Bytes, Bytes | None, Bytes | None]:
        """Return class ids, confidence and probabilities.

        The first two are (H, W), the last (K, H, W), uint8, percent; None without their flags.

        Args:
            probabilities: (K, H, W) float32.
            valid: (H, W) true where the raster has data.
            with_confidence: Whether to return the confidence.
            with_probabilities: Whether to return the probabilities, see :func:`percents_of`.
        """
        shape, no = valid.shape, CONFIDENCE_NODATA
        if not valid.any():
            confidence = np.full(shape, no, np.uint8) if with_confidence else None
            percents = np.full((len(probabilities), *shape), no, np.uint8) if with_probabilities else None
            return np.zeros(shape, np.uint8), confidence, percents
        highest, labels = most_probable(probabilities, self.scheme.ids)
        percents = percents_of(probabilities, labels, self.scheme.ids) if with_probabilities else None
        if self.min_confidence:
            labels[highest < self.min_confidence] = self.scheme.unlabeled.id
        confidence = np.rint(highest * 100.0).clip(0, 100).astype(np.uint8) if with_confidence else None
        labels *= valid  # NODATA_ID is 0
        if confidence is not None:
            confidence[~valid] = no
        if percents is not None:
            percents[:, ~valid] = no
        return labels, confidence, percents


def percents_of(probabilities: Floats, labels: Bytes, ids: Sequence[int]) -> Bytes:
    """Return probabilities in whole percent, (K, H, W) uint8, whose first maximum is the class of the pixel.

    Rounding keeps the order of probabilities, but can make two of them equal. Where a channel before that of the class
    has the same percentage, it gets one less.

    Args:
        probabilities: (K, H, W) float32.
        labels: (H, W) class id of the highest probability, see :func:`most_probable`.
        ids: Class id of each channel.
    """
    percents = np.empty(probabilities.shape, np.uint8)
    for channel, target in zip(probabilities, percents, strict=True):
        target[...] = np.rint(channel * 100.0).clip(0, 100)
    highest = percents.max(axis=0)
    after = np.zeros(labels.shape, bool)  # the class is that of a later channel
    for number in range(len(ids) - 2, -1, -1):
        after |= labels == ids[number + 1]
        percents[number] -= after & (percents[number] == highest) & (highest > 0)
    return percents


def most_probable(probabilities: Floats, ids: Sequence[int]) -> tuple[Floats, Bytes]:
    """Return the highest probability, (H, W) float32, and the class id of its channel, (H, W) uint8.

    Ties go to the first channel. Ten times as fast as ``numpy.argmax`` over the first axis, which is strided in memory.

    Args:
        probabilities: (K, H, W).
        ids: Class id of each channel.
    """
    highest = probabilities[0].copy()
    labels = np.full(highest.shape, ids[0], np.uint8)
    for channel, number in zip(probabilities[1:], ids[1:], strict=True):
        better = (channel > highest).view(np.uint8)
        labels += better * (np.uint8(number) - labels)  # modulo 256: the difference may wrap, the sum is exact
        np.maximum(highest, channel, out=highest)
    return highest, labels


class RowSink(Protocol):
    """Receives finished rows from top to bottom.

    Attributes:
        grid: Grid of the raster.
        row: Index of the next row.
    """

    grid: Grid
    row: int

    @property
    def with_confidence(self) -> bool:
        """Whether the sink takes confidence besides the class ids."""
        ...

    @property
    def with_probabilities(self) -> bool:
        """Whether the sink takes the probabilities of all classes."""
        ...

    def write_rows(self, labels: Bytes, confidence: Bytes | None, probabilities: Bytes | None = None) -> None:
        """Append rows of class ids and confidence, (n, W) uint8 each, and probabilities, (K, n, W) uint8.

        The caller may reuse the arrays afterwards.
        """
        ...


@dataclass
class MapOutputs:
    """Writes finished rows into rasters and counts the pixels of each class; a :class:`RowSink`.

    Args:
        grid: Grid of the raster.
        ids: Class ids that may occur, without nodata.
        classes: Writer of the class ids.
        confidence: Writer of the confidence, or None.
        pixels: (256,) pixels by class id.
        area_m2: (256,) area by class id, m².
        row: Index of the next row.
        journal: Also receives the rows, or None.
        novelty: Writes the novelty of the ground for the same rows, or None.
        probabilities: Writer of the probabilities of all classes, or None.
    """

    grid: Grid
    ids: Sequence[int]
    classes: LandCoverWriter
    confidence: LandCoverWriter | None
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    area_m2: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))
    row: int = 0
    journal: Journal | None = None
    novelty: NoveltyRows | None = None
    probabilities: LandCoverWriter | None = None

    @property
    def with_confidence(self) -> bool:
        """See :class:`RowSink`."""
        return self.confidence is not None

    @property
    def with_probabilities(self) -> bool:
        """See :class:`RowSink`."""
        return self.probabilities is not None

    def write_rows(self, labels: Bytes, confidence: Bytes | None, probabilities: Bytes | None = None) -> None:
        """See :meth:`RowSink.write_rows`."""
        counts = np.zeros(256, np.int64)
        for number in self.ids:  # comparisons of uint8 are faster than numpy.bincount for a few classes
            counts[number] = np.count_nonzero(labels == number)
        self.pixels += counts
        size = self.grid.pixel_size_m(self.row + len(labels) / 2)
        if size is not None:
            self.area_m2 += counts * (size[0] * size[1])
        self.classes.write_rows(labels)
        if self.confidence is not None and confidence is not None:
            self.confidence.write_rows(confidence)
        if self.probabilities is not None and probabilities is not None:
            self.probabilities.write_rows(probabilities)
        if self.novelty is not None:
            self.novelty.write_rows(self.row, labels)
        if self.journal is not None:
            self.journal.add_rows(labels, confidence, probabilities)
        self.row += len(labels)


class ClassMaps(Protocol):
    """Receives blocks of probabilities and writes rows of classes as soon as they are complete.

    Blocks may start above the next row of the sink, :attr:`RowSink.row`; rows above it are discarded.
    """

    def set_validity(self, window: Window, valid: Bools) -> None:
        """Set the validity mask of a window, (H, W) bool, before its blocks are added."""

    def add_block(self, block: FinishedBlock) -> None:
        """Add a block of final probabilities; blocks come tile row by tile row, from left to right."""

    def complete_rows(self, available: int) -> int:
        """Return the number of raster rows that the first ``available`` working rows suffice for."""

    def first_needed(self) -> int:
        """Return the first working row that the next row of the raster needs."""


class NativeMaps:
    """Rows of classes of a run at the raster's own resolution.

    Args:
        tiles: The windows.
        decision: Assigns the classes.
        outputs: Receives the rows.
    """

    def __init__(self, tiles: TileGrid, decision: ClassDecision, outputs: RowSink) -> None:
        self._decision = decision
        self._outputs = outputs
        height, width = tiles.window_shape[0], tiles.width
        self._valid = np.zeros((height, width), bool)  # of the current tile row
        self._labels = np.zeros((height, width), np.uint8)
        self._confidence = np.zeros((height, width), np.uint8) if outputs.with_confidence else None
        shape = (len(decision.scheme.classes), height, width)
        self._percents = np.zeros(shape, np.uint8) if outputs.with_probabilities else None

    def set_validity(self, window: Window, valid: Bools) -> None:
        """See :meth:`ClassMaps.set_validity`."""
        self._valid[:, window.cols] = valid

    def add_block(self, block: FinishedBlock) -> None:
        """See :meth:`ClassMaps.add_block`."""
        _, rows, cols = block.probabilities.shape
        area = slice(0, rows), slice(block.col, block.col + cols)
        asked = self._confidence is not None, self._percents is not None
        self._labels[area], confidence, percents = self._decision(block.probabilities, self._valid[area], *asked)
        if self._confidence is not None and confidence is not None:
            self._confidence[area] = confidence
        if self._percents is not None and percents is not None:
            self._percents[(slice(None), *area)] = percents
        first = self._outputs.row - block.row  # first row of the block to write; the rows above are discarded
        if block.col + cols == self._labels.shape[1] and first < rows:
            confidence = None if self._confidence is None else self._confidence[first:rows]
            percents = None if self._percents is None else self._percents[:, first:rows]
            self._outputs.write_rows(self._labels[first:rows], confidence, percents)

    def complete_rows(self, available: int) -> int:
        """See :meth:`ClassMaps.complete_rows`."""
        return available

    def first_needed(self) -> int:
        """See :meth:`ClassMaps.first_needed`."""
        return self._outputs.row


class ResampledMaps:
    """Rows of classes of a run at the model's ground sampling distance, resampled to the raster's pixels.

    Args:
        tiles: The windows over the working pixels.
        decision: Assigns the classes.
        outputs: Receives the rows.
        source: The raster, opened separately to read the validity of its own pixels.
        area: The polygons outside of which is no data; None: the whole raster.
    """

    def __init__(
        self,
        tiles: TileGrid,
        decision: ClassDecision,
        outputs: RowSink,
        source: RasterSource,
        area: AreaOfInterest | None = None,
    ) -> None:
        self._area = area
        self._decision = decision
        self._outputs = outputs
        self._source = source
        self._rows = Interpolation(tiles.height, outputs.grid.height)
        self._cols = Interpolation(tiles.width, outputs.grid.width)
        self._height = tiles.height
        classes = len(decision.scheme.classes)
        self._held = np.zeros((classes, 0, tiles.width), np.float32)  # complete working rows that are still needed
        self._first = 0  # index of the first held working row
        self._tile_row = np.zeros((classes, tiles.window_shape[0], tiles.width), np.float32)

    def set_validity(self, window: Window, valid: Bools) -> None:
        """Ignore the mask of the working pixels: validity is read for the raster's own pixels."""

    def add_block(self, block: FinishedBlock) -> None:
        """See :meth:`ClassMaps.add_block`."""
        _, rows, cols = block.probabilities.shape
        self._tile_row[:, :rows, block.col : block.col + cols] = block.probabilities
        if block.col + cols == self._tile_row.shape[2]:
            if not self._held.shape[1]:
                self._first = block.row
            self._held = np.concatenate([self._held, self._tile_row[:, :rows]], axis=1)
            self._write_complete()

    def complete_rows(self, available: int) -> int:
        """See :meth:`ClassMaps.complete_rows`."""
        return bisect_right(range(self._rows.native), available, key=lambda row: self._rows.needed(row, row + 1)[1])

    def first_needed(self) -> int:
        """See :meth:`ClassMaps.first_needed`."""
        row = self._outputs.row
        return self._rows.needed(row, row + 1)[0] if row < self._rows.native else self._height

    def _write_complete(self) -> None:
        """Write all raster rows that the held working rows suffice for, in chunks; drop rows no longer needed."""
        grid = self._outputs.grid
        available = self._first + self._held.shape[1]
        step = max(_CHUNK_VALUES // (self._held.shape[0] * grid.width), 1)
        while self._outputs.row < grid.height:
            first = self._outputs.row
            last = min(first + step, grid.height)
            while last > first and self._rows.needed(first, last)[1] > available:
                last -= 1
            if last == first:
                break
            self._write(first, last)
        if self._outputs.row < grid.height:
            keep = min(self.first_needed(), available)
            self._held = self._held[:, keep - self._first :].copy()
            self._first = keep

    def _write(self, first: int, last: int) -> None:
        """Resample and write raster rows ``first`` to ``last`` (excluded)."""
        window = Window(first, 0, last - first, self._outputs.grid.width)
        wanted = None if self._area is None else self._area.mask(window)
        if wanted is not None and not wanted.any():
            nothing = np.zeros((len(self._held), 0, 0), np.float32)
            self._write_decided(nothing, wanted)
            return
        rows = self._rows(self._held, 1, first, last, self._first)
        probabilities = self._cols(rows, 2, 0, self._cols.native)
        # Next to windows without data the interpolation mixes in zeros: dividing by the sum normalizes again.
        total = probabilities.sum(axis=0)
        probabilities /= np.maximum(total, 1e-6)
        valid = self._source.read(window).valid & (total > 1e-6)
        valid = valid if wanted is None else valid & wanted
        self._write_decided(probabilities, valid)

    def _write_decided(self, probabilities: Floats, valid: Bools) -> None:
        outputs = self._outputs
        outputs.write_rows(*self._decision(probabilities, valid, outputs.with_confidence, outputs.with_probabilities))
