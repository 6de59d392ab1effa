"""Finds the place of a raster that is worth a sample most: where the model is unsure, or the ground is new to it.

The network computes few windows, spread over the whole raster, and those whose ground is least like that of the
training; each search adds some. Their cells of 32 px are ranked. After teaching, cells that are not in memory keep
their old rank until they come first; then their window is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.windows import Window, spread_order, spread_windows
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.executor import Job
from dubai_landcover_plugin.core.segmentation.novelty import NoveltyMeter, cell_statistics, nearer_percents
from dubai_landcover_plugin.core.segmentation.window_reader import read_window
from dubai_landcover_plugin.core.teaching.feature_store import FeatureStore, WindowFeatures, WindowWeights
from dubai_landcover_plugin.core.teaching.head import Head
from dubai_landcover_plugin.core.teaching.samples import Cells
from dubai_landcover_plugin.protocol.ground_samples import CELL
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

FIRST, FURTHER = 16, 6
"""Windows spread over the raster that the first search computes, and each further one."""
FIRST_NOVEL, FURTHER_NOVEL = 6, 2
"""The same of windows whose ground is least like that of the training."""
_GLANCES = 12  # small windows along each axis that are read for the novelty
_GLANCE = 4 * CELL  # px
_MOST_CHECKS = 6  # windows that are computed again because they came first with an old rank
_APART = 2  # cells between a place that was visited and the next one
_HEADLESS = -1

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A place worth a sample.

    Args:
        window: Its cell, working px.
        confidence: Mean confidence of the model there, 0..1.
        novelty: Percent, see :class:`.Novelty`; None where the model does not know its ground.
        is_novel: Whether the ground counts as unlike that of the training.
    """

    window: Window
    confidence: float
    novelty: float | None
    is_novel: bool


@dataclass
class _Surveyed:
    """Cells of a window.

    Args:
        corners: (N, 2) upper left corners, working px.
        confidence: (N,) mean confidence.
        ground: (N, D) place in the space of the novelty meter; (N, 0) without one.
        distance: (N,) distance from the ground of the training; 0 without a meter.
        lesson: Number of the head with which the confidence was computed.
    """

    corners: Cells
    confidence: Floats
    ground: Doubles
    distance: Doubles
    lesson: int


class Survey:
    """What is known about the windows of a raster; kept from one search to the next.

    Args:
        job: The raster, the model and the plan of its windows.
        weights: Blending weights of the windows.
    """

    def __init__(self, job: Job, weights: WindowWeights) -> None:
        self._job, self._weights = job, weights
        ground = job.bundle.metadata.ground
        self._quantiles = () if ground is None else ground.distances
        self._usual = 100.0 if ground is None else ground.usual
        self._meter = None if ground is None else NoveltyMeter(np.array(ground.cells))
        self._order = spread_order(len(job.plan.tiles.row_starts), len(job.plan.tiles.col_starts))
        self._novel: list[int] | None = None  # windows with novel ground, the most novel first
        self._known: dict[int, _Surveyed] = {}
        self._empty: set[int] = set()
        self._head: Head | None = None
        self._lesson = _HEADLESS

    @property
    def searched(self) -> int:
        """Number of windows that are known."""
        return len(self._known) + len(self._empty)

    def search(
        self, store: FeatureStore, head: Head, labelled: Cells, visited: Sequence[tuple[float, float]], monitor: Monitor
    ) -> Place | None:
        """Return the best place; None if all places that are known are labelled or were visited.

        Args:
            store: Features of windows.
            head: The last layers.
            labelled: (N, 2) rows and columns of the working pixels of samples.
            visited: Rows and columns, working px; no place near them is returned.
            monitor: Receives progress; may cancel. What was computed until then is kept.

        Raises:
            RunCancelled: if the monitor cancels.
        """
        if head is not self._head:
            self._head, self._lesson = head, self._lesson + 1
        wanted = self._next_windows(monitor)
        held = [index for index in store.held if index not in wanted]
        for index, found in zip(held + wanted, store.windows(held + wanted, monitor), strict=True):
            self._note(index, found, head)
        for _ in range(_MOST_CHECKS):
            best = self._best(labelled, visited)
            if best is None or self._known[best[0]].lesson == self._lesson:
                break
            raise_if_cancelled(monitor)
            self._note(best[0], next(iter(store.windows([best[0]], monitor))), head)
        return None if best is None else self._place(*best)

    def _next_windows(self, monitor: Monitor) -> list[int]:
        """Return the windows that the next search adds: spread ones and novel ones."""
        is_first = not self.searched
        if self._novel is None:
            self._novel = self._glance(monitor)
        seen = self._known.keys() | self._empty
        found: list[int] = []
        for order, count in (
            (self._order, FIRST if is_first else FURTHER),
            (self._novel, FIRST_NOVEL if is_first else FURTHER_NOVEL),
        ):
            found += [index for index in order if index not in seen and index not in found][:count]
        return sorted(found)

    def _glance(self, monitor: Monitor) -> list[int]:
        """Return the windows whose ground is unlike that of the training by small parts, the most novel first."""
        if self._meter is None:
            return []
        job, highest = self._job, dict[int, float]()
        for window in spread_windows(job.plan.work.height, job.plan.work.width, _GLANCES, _GLANCE):
            raise_if_cancelled(monitor)
            item = read_window(job.plan, job.source, window, job.bundle.metadata.mean)
            cells = np.empty((0, 0)) if item.chip is None else cell_statistics(item.chip, item.valid)
            if not len(cells):
                continue
            distance = float(self._meter.distances(cells).mean())
            middle = np.array([[window.row + window.height // 2, window.col + window.width // 2]])
            index = int(self._weights.window_of(middle)[0])
            highest[index] = max(distance, highest.get(index, 0.0))
        limit = self._usual_distance()
        return [index for index in sorted(highest, key=lambda one: -highest[one]) if highest[index] > limit]

    def _usual_distance(self) -> float:
        """Return the distance above which ground is unlike that of the training."""
        return float(np.interp(self._usual, np.linspace(0, 100, len(self._quantiles)), self._quantiles))

    def _note(self, index: int, found: WindowFeatures, head: Head) -> None:
        """Compute the cells of a window."""
        window = found.window
        rows, cols = window.height // CELL, window.width // CELL
        if found.levels is None or not rows or not cols:
            self._empty.add(index)
            return
        known = self._known.get(index)
        confidence = head.probabilities(found.levels, (window.height, window.width)).max(axis=0)
        inner = confidence[: rows * CELL, : cols * CELL].reshape(rows, CELL, cols, CELL).mean(axis=(1, 3))
        valid = found.valid[: rows * CELL, : cols * CELL].reshape(rows, CELL, cols, CELL)
        whole: npt.NDArray[np.bool_] = np.logical_and.reduce(valid, axis=(1, 3))
        places = np.argwhere(whole)
        corners = places * CELL + (window.row, window.col)
        # cells of which this window says most
        own = self._weights.window_of(corners + CELL // 2) == index
        places, corners = places[own], corners[own]
        if not len(corners):
            self._empty.add(index)
            return
        ground, distance = (known.ground, known.distance) if known is not None else self._ground(index, whole, own)
        values = inner[places[:, 0], places[:, 1]].astype(np.float32)
        self._known[index] = _Surveyed(corners, values, ground, distance, self._lesson)

    def _ground(self, index: int, whole: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
        """Return place and distance of the cells of a window in the space of the novelty meter."""
        job = self._job
        if self._meter is None:
            return np.empty((int(own.sum()), 0)), np.zeros(int(own.sum()))
        item = read_window(job.plan, job.source, job.plan.tiles[index], job.bundle.metadata.mean)
        if item.chip is None:
            return np.empty((int(own.sum()), 0)), np.zeros(int(own.sum()))
        cells = cell_statistics(item.chip)[whole.ravel()][own]
        return self._meter.placed(cells), self._meter.distances(cells)

    def _best(self, labelled: Cells, visited: Sequence[tuple[float, float]]) -> tuple[int, int] | None:
        """Return window and cell of the highest rank that is neither labelled nor near a visited place."""
        owners = np.concatenate(
            [np.empty(0, np.intp), *(np.full(len(one.corners), i) for i, one in self._known.items())]
        )
        if not len(owners):
            return None
        numbers = np.concatenate([np.arange(len(one.corners)) for one in self._known.values()])
        corners = np.concatenate([one.corners for one in self._known.values()])
        free = np.ones(len(corners), bool)
        for row, col in visited:
            free &= (np.abs(corners + CELL / 2 - (row, col)) > _APART * CELL).any(axis=1)
        taken = _with_pixels(corners, labelled)
        free &= ~taken
        if not free.any():
            return None
        doubt = 1 - np.concatenate([one.confidence for one in self._known.values()])
        rank = doubt + self._excess(taken)
        best = int(np.flatnonzero(free)[rank[free].argmax()])
        return int(owners[best]), int(numbers[best])

    def _excess(self, taken: npt.NDArray[np.bool_]) -> Doubles:
        """Return how far each cell is from the ground of the training and of samples, 0..1; usual ground has 0."""
        distance = np.concatenate([one.distance for one in self._known.values()])
        if self._meter is None:
            return distance
        ground = np.concatenate([one.ground for one in self._known.values()])
        for place in ground[taken]:  # what was labelled is new no more
            distance = np.minimum(distance, np.sqrt(np.square(ground - place).sum(axis=1)))
        return np.clip(distance / max(self._usual_distance(), 1e-6) - 1, 0, 1)

    def _place(self, index: int, number: int) -> Place:
        found = self._known[index]
        row, col = found.corners[number]
        novelty = None
        if self._meter is not None:
            novelty = float(nearer_percents(found.distance[number : number + 1], self._quantiles)[0])
        return Place(
            Window(int(row), int(col), CELL, CELL),
            float(found.confidence[number]),
            novelty,
            novelty is not None and novelty > self._usual,
        )


def _with_pixels(corners: Cells, pixels: Cells) -> npt.NDArray[np.bool_]:
    """Return which cells contain one of some pixels, (N,)."""
    found = np.zeros(len(corners), bool)
    if len(pixels):
        # Only pixels of different eighths of a cell matter: large samples have many.
        for row, col in np.unique(pixels // (CELL // 8), axis=0) * (CELL // 8):
            inside = (corners[:, 0] - CELL // 8 < row) & (row < corners[:, 0] + CELL)
            found |= inside & (corners[:, 1] - CELL // 8 < col) & (col < corners[:, 1] + CELL)
    return found
