"""Compares the ground of a raster with the ground that a model was trained on.

A network can be confident on ground that it has never seen: fields become water at 95 %. Colour and texture of small
cells show such ground: their distance to the nearest cells of the training images is larger than that of training
images of different places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import Window, spread_windows
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels
from dubai_landcover_plugin.core.segmentation.window_reader import read_window
from dubai_landcover_plugin.protocol.ground_samples import CELL, GroundSamples
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

NEIGHBOURS = 3
SIDE = 6  # windows along each axis of the raster
_WINDOW = 4 * CELL  # px
_LEAST = 4  # cells without which nothing is known
_SHRINKAGE = 0.05  # added to the eigenvalues of the correlation matrix, so that rare directions do not dominate
_CHUNK = 512  # cells at once: distances to all samples of a model are in memory

Cells = npt.NDArray[np.float64]
"""(N, 2 C) mean of each band, then standard deviation of each band."""


def cell_statistics(chip: Pixels, valid: npt.NDArray[np.bool_] | None = None) -> Cells:
    """Return mean and standard deviation of the bands in cells of :data:`.CELL` px, (N, 2 C).

    Args:
        chip: (C, H, W) pixels as the network receives them; rows and columns beyond the last whole cell are ignored.
        valid: (H, W) where they are valid; cells with another pixel are left out. None: everywhere.
    """
    channels, height, width = chip.shape
    rows, cols = height // CELL, width // CELL
    if not rows or not cols:
        return np.empty((0, 2 * channels))
    cut = chip[:, : rows * CELL, : cols * CELL].reshape(channels, rows, CELL, cols, CELL).astype(np.float32)
    found = np.concatenate([cut.mean(axis=(2, 4)), cut.std(axis=(2, 4))]).reshape(2 * channels, -1).T
    if valid is not None:
        whole = valid[: rows * CELL, : cols * CELL].reshape(rows, CELL, cols, CELL).all(axis=(1, 3))
        found = found[whole.ravel()]
    return found.astype(np.float64)


class NoveltyMeter:
    """Distances of cells to samples.

    The distance is the mean of the Euclidean distances to the nearest three samples, in the space in which the samples
    are standardized and decorrelated (Mahalanobis distance with shrinkage).

    Source:
        Sun et al. 2022, Out-of-Distribution Detection with Deep Nearest Neighbors, https://arxiv.org/abs/2204.06507;
        here with colour and texture in place of features of the network, which separated other places worse (see
        training/EXPERIMENTS.md).

    Args:
        samples: (M, 2 C) cells of the training images.
    """

    def __init__(self, samples: Cells) -> None:
        self._mean, self._scale = samples.mean(axis=0), samples.std(axis=0) + 1e-6
        standardized = (samples - self._mean) / self._scale
        values, vectors = np.linalg.eigh(standardized.T @ standardized / len(samples))
        self._transform = vectors / np.sqrt(np.maximum(values, 0) + _SHRINKAGE)
        self._samples = standardized @ self._transform
        self._squares = np.square(self._samples).sum(axis=1)

    def placed(self, cells: Cells) -> npt.NDArray[np.float64]:
        """Return cells in the space in which distances are measured, (N, 2 C)."""
        found: npt.NDArray[np.float64] = (cells - self._mean) / self._scale @ self._transform
        return found

    def distances(self, cells: Cells) -> npt.NDArray[np.float64]:
        """Return the distance of each cell, (N,)."""
        found = np.empty(len(cells))
        for start in range(0, len(cells), _CHUNK):
            part = self.placed(cells[start : start + _CHUNK])
            # |a - b|² = |a|² - 2 a·b + |b|²
            squares = np.square(part).sum(axis=1)[:, None] - 2 * part @ self._samples.T + self._squares
            found[start : start + _CHUNK] = np.sqrt(np.maximum(_least(squares, NEIGHBOURS), 0)).mean(axis=0)
        return found


def _least(values: Cells, count: int) -> Cells:
    """Return the smallest values of each row, (count, N), of fewer columns all; ``values`` are changed.

    For a few it is several times as fast as :func:`numpy.partition`.
    """
    rows = np.arange(len(values))
    found = []
    for _ in range(min(count, values.shape[1])):
        places = values.argmin(axis=1)
        found.append(values[rows, places])
        values[rows, places] = np.inf
    return np.array(found)


@dataclass(frozen=True)
class Novelty:
    """How far the ground of a raster is from the training images.

    Args:
        percent: Mean over cells of the share of cells of the training images, among those of other places, that are
            nearer. 50 for ground like that of the training.
        usual: Largest value of nearly all training images.
        unlike: Share of cells whose own value is larger than that, percent.
    """

    percent: float
    usual: float
    unlike: float

    @property
    def is_high(self) -> bool:
        """Whether the ground is unlike that of the training images."""
        return self.percent > self.usual


def novelty_of(cells: Cells, samples: GroundSamples) -> Novelty | None:
    """Return the novelty of cells; None if there are too few."""
    if len(cells) < _LEAST:
        return None
    percents = nearer_percents(meter_of(samples).distances(cells), samples.distances)
    return Novelty(float(percents.mean()), samples.usual, 100 * float((percents > samples.usual).mean()))


@lru_cache(maxsize=2)
def meter_of(samples: GroundSamples) -> NoveltyMeter:
    """Return the meter of a model's samples; the rasters of a folder share it."""
    return NoveltyMeter(np.array(samples.cells))


def nearer_percents(distances: npt.NDArray[np.float64], quantiles: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the share of a distribution that is below each distance, percent, (N,).

    Args:
        distances: (N,).
        quantiles: Those of the distribution, evenly spaced from 0 to 100 %.
    """
    return np.interp(distances, quantiles, np.linspace(0, 100, len(quantiles)))


def measure_novelty(plan: Plan, source: RasterSource, metadata: BundleMetadata) -> Novelty | None:
    """Return the novelty of a raster from 6 × 6 small windows; None for models without samples or too few valid pixels.

    It depends on raster, extent, area of interest and model, not on the machine.

    Raises:
        RasterReadError: if a block is damaged.
    """
    if metadata.ground is None:
        return None
    chips, masks = [], []
    for window in _probes(plan):
        item = read_window(plan, source, window, metadata.mean)
        valid = item.valid if plan.area is None else item.valid & plan.area.work_mask(window)
        if item.chip is not None and valid.any():
            # cut to whole cells, so that the windows can be put side by side
            rows, cols = (length - length % CELL for length in valid.shape)
            chips.append(item.chip[:, :rows, :cols])
            masks.append(valid[:rows, :cols])
    if not chips:
        return None
    return novelty_of(cell_statistics(np.concatenate(chips, axis=2), np.concatenate(masks, axis=1)), metadata.ground)


def _probes(plan: Plan) -> list[Window]:
    """Return 6 × 6 small windows spread over the raster, or over the bounds of the area of interest."""
    if plan.area is None:
        return spread_windows(plan.work.height, plan.work.width, SIDE, _WINDOW)
    bounds = plan.area.bounds()
    windows = spread_windows(bounds.height, bounds.width, SIDE, _WINDOW)
    return [replace(one, row=one.row + bounds.row, col=one.col + bounds.col) for one in windows]


def describe_novelty(novelty: Novelty, model: str) -> str:
    """Return a warning about ground that is unlike that of the training images."""
    return tr(
        "{unlike:.0f} % of the ground is unlike the training images of the model {model}: novelty "
        "{percent:.0f} %, up to {usual:.0f} % is usual. Expect more errors than the confidence says. "
        "Look at the result, choose another model, teach this one (landcover teach), or fine-tune it "
        "with labels of this area.",
        unlike=novelty.unlike,
        model=model,
        percent=novelty.percent,
        usual=novelty.usual,
    )
