"""Windows as the network sees them, read ahead of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

_SAMPLED = (0.5, 0.25, 0.75, 0.375, 0.625, 0.125, 0.875, 0.0, 0.99)  # where windows are looked for to try runtimes on
_SAMPLES = 4
_MOST_EMPTY = 4  # lists may hold so many times more windows without data than with


@dataclass(frozen=True)
class Item:
    """One window on its way: its chip, (C, H, W) uint8, or None where no pixel is valid."""

    window: Window
    valid: npt.NDArray[np.bool_]
    chip: npt.NDArray[np.uint8] | None


class WindowReader:
    """Reads windows in threads of its own; a context manager.

    Args:
        plan: The windows, and how values become 8 bit.
        sources: The raster, opened once for each thread: decoding goes on in several. Each source has columns of its
            own, so that no block of the file is decoded by two of them but at their borders.
        metadata: Of the model.
    """

    def __init__(self, plan: Plan, sources: Sequence[RasterSource], metadata: BundleMetadata) -> None:
        self._plan, self._sources = plan, sources
        self._fill = _fill(metadata)
        self._place = {col: index for index, col in enumerate(plan.tiles.col_starts)}
        self._stack = ExitStack()

    def __enter__(self) -> WindowReader:
        self._threads = [ThreadPoolExecutor(1, "reader") for _ in self._sources]
        for thread in self._threads:
            self._stack.callback(thread.shutdown, cancel_futures=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def batches(self, windows: Iterable[Window], batch: int) -> Iterator[list[Item]]:
        """Yield the windows in their order; each list has at most ``batch`` that hold data."""
        items: list[Item] = []
        full = 0
        for item in self._ahead(iter(windows), batch):
            items.append(item)
            full += item.chip is not None
            if full == batch or len(items) == _MOST_EMPTY * batch:
                yield items
                items, full = [], 0
        if items:
            yield items

    def _ahead(self, windows: Iterator[Window], batch: int) -> Iterator[Item]:
        """Yield windows, reading the next ones meanwhile; a whole row of them, where there are several threads."""
        count = 2 * batch + (len(self._place) if len(self._sources) > 1 else 0)
        coming: deque[Future[Item]] = deque()
        for window in windows:
            coming.append(self._submit(window))
            if len(coming) > count:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()

    def _submit(self, window: Window) -> Future[Item]:
        index = self._place[window.col] * len(self._sources) // len(self._place)
        return self._threads[index].submit(_read, self._plan, self._sources[index], window, self._fill)


def sample_windows(plan: Plan, source: RasterSource, metadata: BundleMetadata) -> npt.NDArray[np.uint8] | None:
    """Return a few windows that hold data as (N, C, H, W), the middle one first; None if no tried one does."""
    found: dict[Window, npt.NDArray[np.uint8]] = {}
    for share in _SAMPLED:
        item = _read(plan, source, plan.tiles[int(share * len(plan.tiles))], _fill(metadata))
        if item.chip is not None and item.valid.mean() > 0.5:
            found[item.window] = item.chip
        if len(found) == _SAMPLES:
            break
    return np.stack(list(found.values())) if found else None


def _fill(metadata: BundleMetadata) -> npt.NDArray[np.uint8]:
    """Return the colour that stands for pixels without data."""
    colour: npt.NDArray[np.uint8] = np.rint(np.array(metadata.mean) * 255).astype(np.uint8)
    return colour


def _read(plan: Plan, source: RasterSource, window: Window, fill: npt.NDArray[np.uint8]) -> Item:
    """Read a window as the network sees it."""
    shape = None if plan.work.is_native else (plan.work.height, plan.work.width)
    chip = source.read(window, shape, plan.work.scale)
    if not chip.valid.any():
        return Item(window, chip.valid, None)
    values = plan.stretch(chip.values)
    if not chip.valid.all():
        values = np.where(chip.valid, values, fill[:, None, None])
    return Item(window, chip.valid, values)
