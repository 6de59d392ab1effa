"""Reads windows in background threads and stretches them to the scale of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels, fill_invalid
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

_SAMPLE_POSITIONS = (0.5, 0.25, 0.75, 0.375, 0.625, 0.125, 0.875, 0.0, 0.99)  # as shares of the list of windows
_SAMPLES = 4  # windows for the trial of the runtimes
_MAX_BATCH_LENGTH = 4  # length of a list of windows, empty ones included, in batches


@dataclass(frozen=True)
class WindowData:
    """Pixels of one window, ready for the network.

    Args:
        window: The window.
        valid: (H, W) true where the raster has data.
        chip: (C, H, W) on 0..255; None if no pixel is valid.
    """

    window: Window
    valid: npt.NDArray[np.bool_]
    chip: Pixels | None


class WindowReader:
    """Reads windows in background threads; a context manager.

    Args:
        plan: The windows and the stretch.
        sources: The raster, opened once for each reader thread. Each thread reads a separate range of columns, so that
            blocks of the file are decoded twice only at the borders of these ranges.
        metadata: Metadata of the model.
    """

    def __init__(self, plan: Plan, sources: Sequence[RasterSource], metadata: BundleMetadata) -> None:
        self._plan, self._sources = plan, sources
        self._mean = metadata.mean
        self._column_index = {col: index for index, col in enumerate(plan.tiles.col_starts)}
        self._stack = ExitStack()

    def __enter__(self) -> WindowReader:
        self._threads = [ThreadPoolExecutor(1, "reader") for _ in self._sources]
        for thread in self._threads:
            self._stack.callback(thread.shutdown, cancel_futures=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def batches(self, windows: Iterable[Window], batch: int) -> Iterator[list[WindowData]]:
        """Yield the windows in order, in lists with at most ``batch`` windows that have valid pixels."""
        items: list[WindowData] = []
        full = 0
        for item in self._read_ahead(iter(windows), batch):
            items.append(item)
            full += item.chip is not None
            if full == batch or len(items) == _MAX_BATCH_LENGTH * batch:
                yield items
                items, full = [], 0
        if items:
            yield items

    def _read_ahead(self, windows: Iterator[Window], batch: int) -> Iterator[WindowData]:
        """Yield windows while the next two batches are read; with several threads, also one more tile row."""
        count = 2 * batch + (len(self._column_index) if len(self._sources) > 1 else 0)
        pending: deque[Future[WindowData]] = deque()
        for window in windows:
            pending.append(self._submit(window))
            if len(pending) > count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _submit(self, window: Window) -> Future[WindowData]:
        """Queue a window on the thread of its range of columns."""
        index = self._column_index[window.col] * len(self._sources) // len(self._column_index)
        return self._threads[index].submit(_read_needed, self._plan, self._sources[index], window, self._mean)


def sample_windows(plan: Plan, source: RasterSource, metadata: BundleMetadata) -> Pixels | None:
    """Return up to four windows with more than half of their pixels valid, (N, C, H, W); None if none is found.

    Nine positions are tried, the middle of the raster first.
    """
    found: dict[Window, Pixels] = {}
    for share in _SAMPLE_POSITIONS:
        item = read_window(plan, source, plan.tiles[int(share * len(plan.tiles))], metadata.mean)
        if item.chip is not None and item.valid.mean() > 0.5:
            found[item.window] = item.chip
        if len(found) == _SAMPLES:
            break
    return np.stack(list(found.values())) if found else None


def _read_needed(plan: Plan, source: RasterSource, window: Window, mean: Sequence[float]) -> WindowData:
    """Read a window of the plan with :func:`read_window`; one outside of the area of interest is not read."""
    if plan.area is None:
        return read_window(plan, source, window, mean)
    if not plan.area.needs(window):
        return WindowData(window, np.zeros((window.height, window.width), bool), None)
    item = read_window(plan, source, window, mean)
    # The network sees the ground around the polygons; resampled runs mask the raster's own pixels.
    return replace(item, valid=item.valid & plan.area.mask(window)) if plan.work.is_native else item


def read_window(plan: Plan, source: RasterSource, window: Window, mean: Sequence[float]) -> WindowData:
    """Read a window at the working resolution, stretch it and fill invalid pixels."""
    shape = None if plan.work.is_native else (plan.work.height, plan.work.width)
    chip = source.read(window, shape, plan.work.scale)
    if not chip.valid.any():
        return WindowData(window, chip.valid, None)
    return WindowData(window, chip.valid, fill_invalid(plan.stretch(chip.values), chip.valid, mean))
