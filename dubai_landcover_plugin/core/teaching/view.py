"""Classes and confidence of a part of a raster, computed with the windows of a run over all of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.grid.resampling import Interpolation
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.class_rows import Bools, Bytes, ClassDecision
from dubai_landcover_plugin.core.segmentation.executor import Job
from dubai_landcover_plugin.core.teaching.feature_store import FeatureStore, WindowWeights
from dubai_landcover_plugin.core.teaching.head import Head
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.session import MAX_VIEW
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True)
class View:
    """A classified part of a raster, on the raster's own pixels.

    Args:
        window: The part.
        classes: (H, W) uint8 class ids.
        confidence: (H, W) uint8, percent; 255 without data.
        windows: Number of windows of the run that contribute to it.
    """

    window: Window
    classes: Bytes
    confidence: Bytes
    windows: int


def view_windows(job: Job, weights: WindowWeights, window: Window) -> tuple[Window, list[int]]:
    """Return the working pixels that a part of the raster needs, and the windows that contribute to them.

    Args:
        job: The raster and the plan.
        weights: Blending weights of the windows.
        window: The part, px of the raster.

    Raises:
        RequestError: if the part is larger than :data:`.MAX_VIEW`.
    """
    tiles, grid = job.plan.tiles, job.source.grid
    area = window
    if not job.plan.work.is_native:
        rows = Interpolation(tiles.height, grid.height).needed(window.rows.start, window.rows.stop)
        cols = Interpolation(tiles.width, grid.width).needed(window.cols.start, window.cols.stop)
        area = Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])
    if area.height * area.width > MAX_VIEW:
        raise RequestError(
            tr(
                "The view has {size:.0f} Mpx; the limit is {limit:.0f} Mpx.",
                size=area.height * area.width / 1e6,
                limit=MAX_VIEW / 1e6,
            ),
            tr("Zoom in, or choose a smaller extent."),
        )
    height, width = tiles.window_shape
    indices = [
        row * len(tiles.col_starts) + col
        for row, top in enumerate(tiles.row_starts)
        if _part(weights.rows[row], top, height, area.rows).any()
        for col, left in enumerate(tiles.col_starts)
        if _part(weights.cols[col], left, width, area.cols).any()
    ]
    return area, indices


def classify(
    job: Job,
    store: FeatureStore,
    weights: WindowWeights,
    head: Head,
    decision: ClassDecision,
    window: Window,
    monitor: Monitor,
) -> View:
    """Classify a part of the raster.

    Args:
        job: The raster and the plan.
        store: Features of the windows.
        weights: Blending weights of the windows.
        head: The last layers.
        decision: Assigns the classes.
        window: The part, px of the raster.
        monitor: Receives progress; may cancel.

    Raises:
        RequestError: if the part is too large.
        RunCancelled: if the monitor cancels.
    """
    probabilities, valid, windows = blended_probabilities(job, store, weights, head, window, monitor)
    classes, confidence, _ = decision(probabilities, valid, True)
    return View(window, classes, confidence if confidence is not None else np.zeros_like(classes), windows)


def blended_probabilities(
    job: Job, store: FeatureStore, weights: WindowWeights, head: Head, window: Window, monitor: Monitor
) -> tuple[Floats, Bools, int]:
    """Return the probabilities of a part of the raster, (K, H, W), its validity, and the number of its windows.

    Args and errors are those of :func:`classify`. The sum of the probabilities is 1 up to a factor of each pixel.
    """
    area, indices = view_windows(job, weights, window)
    probabilities, valid = _blend(job, store, weights, head, area, indices, monitor)
    if not job.plan.work.is_native:
        probabilities, valid = _resample(job, probabilities, area, window)
    return probabilities, valid, len(indices)


def _part(values: Floats, start: int, size: int, area: slice) -> Floats:
    """Return the part of a window's weights that is inside an area."""
    return values[max(area.start - start, 0) : max(min(area.stop - start, size), 0)]


def _blend(
    job: Job,
    store: FeatureStore,
    weights: WindowWeights,
    head: Head,
    area: Window,
    indices: list[int],
    monitor: Monitor,
) -> tuple[Floats, Bools]:
    """Return the blended probabilities of an area of the working grid, (K, H, W), and its validity."""
    columns = len(job.plan.tiles.col_starts)
    total = np.zeros((head.classes, area.height, area.width), np.float32)
    valid = np.zeros((area.height, area.width), bool)
    for index, found in zip(indices, store.windows(indices, monitor), strict=True):
        window = found.window
        # The rectangle that window and area share, in the coordinates of both.
        top, left = max(window.row, area.row), max(window.col, area.col)
        bottom = min(window.rows.stop, area.rows.stop)
        right = min(window.cols.stop, area.cols.stop)
        inside = slice(top - window.row, bottom - window.row), slice(left - window.col, right - window.col)
        target = slice(top - area.row, bottom - area.row), slice(left - area.col, right - area.col)
        valid[target] |= found.valid[inside]
        if found.levels is None:
            continue
        probabilities = head.probabilities(found.levels, (window.height, window.width))[(slice(None), *inside)]
        row_weights = weights.rows[index // columns][inside[0]]
        col_weights = weights.cols[index % columns][inside[1]]
        total[(slice(None), *target)] += probabilities * row_weights[:, None] * col_weights
    return total, valid


def _resample(job: Job, probabilities: Floats, area: Window, window: Window) -> tuple[Floats, Bools]:
    """Return probabilities and validity on the raster's own pixels, as :class:`.ResampledMaps` does for a run."""
    tiles, grid = job.plan.tiles, job.source.grid
    rows, cols = Interpolation(tiles.height, grid.height), Interpolation(tiles.width, grid.width)
    probabilities = rows(probabilities, 1, window.rows.start, window.rows.stop, area.row)
    probabilities = cols(probabilities, 2, window.cols.start, window.cols.stop, area.col)
    total = probabilities.sum(axis=0)
    probabilities /= np.maximum(total, 1e-6)
    return probabilities, job.source.read(window).valid & (total > 1e-6)
