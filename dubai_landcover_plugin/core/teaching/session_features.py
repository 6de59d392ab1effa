"""The features of a session: the network is opened when they are needed, and released when it is idle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dubai_landcover_plugin.core.grid.windows import spread_order
from dubai_landcover_plugin.core.runtimes.hardware import cores, free_memory
from dubai_landcover_plugin.core.runtimes.selection import WORTH_TRYING
from dubai_landcover_plugin.core.segmentation.executor import Job
from dubai_landcover_plugin.core.teaching.feature_store import Anchors, FeatureStore, WindowWeights
from dubai_landcover_plugin.core.teaching.features import open_features
from dubai_landcover_plugin.core.teaching.fit import Pixels
from dubai_landcover_plugin.core.teaching.head import features_at
from dubai_landcover_plugin.core.teaching.lesson import PlacedSample, anchor_pixels
from dubai_landcover_plugin.core.teaching.samples import MAX_PIXELS, Cells, Sample, chosen, work_cells
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

_MB = 1 << 20
_ENGINE = 600 * _MB  # measured: Python, the libraries and the compiled network of the shipped model
_LEAST_FEATURES = 64 * _MB
_MOST_WINDOWS = 4  # of one sample
OVERVIEW = 16
"""Windows spread over the raster whose pixels are anchors, too."""


class SessionFeatures:
    """Features of the windows of a raster, of the pixels of samples, and anchors.

    Args:
        job: The raster, the model and the plan of its windows.
        options: Options of the session.
        monitor: Receives messages.
    """

    def __init__(self, job: Job, options: SegmentOptions, monitor: Monitor) -> None:
        self._job, self._options, self._monitor = job, options, monitor
        self.weights = WindowWeights(job.plan.tiles, job.bundle.metadata.receptive_radius)
        """Blending weights of the windows."""
        self.anchors: dict[int, Anchors] = {}
        """Anchors by index of the window; they outlive the network."""
        memory = free_memory() // 2 if options.memory is None else options.memory * _MB
        self._limit = max(memory - _ENGINE, _LEAST_FEATURES)
        self._store: FeatureStore | None = None
        tiles = job.plan.tiles
        self.overview = tuple(spread_order(len(tiles.row_starts), len(tiles.col_starts))[:OVERVIEW])
        """Windows spread over the raster, by index."""
        self._missing = list(self.overview)  # those that were not computed yet

    @property
    def is_open(self) -> bool:
        """Whether the network is in memory."""
        return self._store is not None

    def release(self) -> None:
        """Release the network and all features but anchors."""
        if self._store is not None:
            self._store.clear()
            self._store = None

    def store(self) -> FeatureStore:
        """Return the store of features, opening the network if it was released."""
        if self._store is None:
            job, options = self._job, self._options
            stride = job.bundle.metadata.stride
            height, width = (length + -length % stride for length in job.plan.tiles.window_shape)
            shape = (len(job.bundle.metadata.bands), height, width)
            precision = options.precision if options.precision in ("float32", "bfloat16") else "auto"
            accurate = job.bundle.metadata.accurate_precisions
            is_small = job.plan.work.height * job.plan.work.width < WORTH_TRYING
            if precision == "auto" and ("bfloat16" not in accurate if accurate else is_small):
                precision = "float32"  # as in a run of this model or of so small a raster
            network = open_features(job.bundle, shape, options.runtime, precision, cores(), self._monitor.log)
            self._store = FeatureStore(job, network, self._limit, self.anchors)
        return self._store

    @property
    def has_overview(self) -> bool:
        """Whether the anchors include windows spread over the whole raster."""
        return not self._missing

    def add_overview(self, monitor: Monitor) -> None:
        """Compute windows spread over the raster, so that the fit keeps the map beyond the view as it is.

        Raises:
            RunCancelled: if the monitor cancels; what was computed until then is kept.
        """
        for _ in self.store().windows(tuple(self._missing), monitor):
            self._missing.pop(0)

    def add_to_overview(self) -> None:
        """Compute one more of these windows, if there is one; only its anchors are kept."""
        if self._missing:
            self.store().add_anchors(self._missing.pop(0))

    def place(self, sample: Sample, monitor: Monitor, most: int = MAX_PIXELS) -> PlacedSample:
        """Compute the features of at most ``most`` pixels of a sample.

        Raises:
            RequestError: if it is outside of the raster or on pixels without data.
        """
        job = self._job
        cells = work_cells(sample, job.source.grid, job.plan.work)
        owners = self.weights.window_of(cells)
        windows, counts = np.unique(owners, return_counts=True)
        windows = np.sort(windows[np.argsort(-counts, kind="stable")[:_MOST_WINDOWS]])
        valid_cells: list[Cells] = []
        found_windows = list(self.store().windows(windows.tolist(), monitor))
        for index, found in zip(windows, found_windows, strict=True):
            own = cells[owners == index]
            valid_cells.append(own[found.valid[own[:, 0] - found.window.row, own[:, 1] - found.window.col]])
        kept = np.concatenate(valid_cells)
        if not len(kept):
            raise RequestError(
                tr("The sample '{name}' is on pixels without data.", name=sample.id),
                tr("Draw it where the raster has data."),
            )
        picked = chosen(kept, most)
        owners = self.weights.window_of(picked)
        parts = [
            features_at(
                found.levels or [],
                picked[owners == index][:, 0] - found.window.row,
                picked[owners == index][:, 1] - found.window.col,
            )
            for index, found in zip(windows, found_windows, strict=True)
            if (owners == index).any()
        ]
        return PlacedSample(sample, kept, Pixels(np.concatenate(parts)))

    def anchor_pixels(self, samples: Mapping[str, PlacedSample]) -> Pixels:
        """Return the anchors of a fit: random pixels of the windows computed so far that no sample covers."""
        return anchor_pixels(self.anchors, samples, self._job.plan.tiles.width)
