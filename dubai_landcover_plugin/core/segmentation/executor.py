"""Computes the rows of a raster, in this process; other ways to compute them follow the same protocol."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

import rasterio

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.io.raster_source import RasterSource, SourceOptions
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.selection import WORTH_TRYING, Candidate
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.budget import is_remote, make_budget
from dubai_landcover_plugin.core.segmentation.class_rows import ClassMaps, Decision, NativeMaps, ResampledMaps, RowSink
from dubai_landcover_plugin.core.segmentation.pipeline import Pipeline
from dubai_landcover_plugin.core.segmentation.plan import Plan, make_plan
from dubai_landcover_plugin.core.segmentation.window_reader import WindowReader, sample_windows
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

# Over a network: look for no files beside the raster, and ask again where a server does not answer.
_REMOTE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": 4, "GDAL_HTTP_RETRY_DELAY": 1}

Finished = Callable[[int, int], None]
"""Told after each band of windows how many bands are finished, and how many windows computed so far held data."""


@dataclass(frozen=True)
class Job:
    """An open raster and what is to become of it; use it inside the stack that it was opened on."""

    request: SegmentationRequest
    bundle: ModelBundle
    source: RasterSource
    plan: Plan


class Computation(Protocol):
    """Something that computes the rows of a job.

    Attributes:
        notes: What the log should say.
        warnings: What the user should know.
    """

    notes: list[str]
    warnings: list[str]

    @property
    def computed(self) -> Candidate:
        """What computes: runtime, device and precision."""
        ...

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """Hand the rows of bands of windows to ``sink`` and return how many windows in these bands held data.

        Args:
            sink: Takes the rows; its next row is the first of band ``first``.
            first: The first band.
            last: The band after the last one.
            monitor: Where progress goes; may cancel the run.
            finished: Told after each band.

        Raises:
            LandCoverError: whatever stops the run.
        """
        ...


Engine = Callable[[Job, Monitor], AbstractContextManager[Computation]]


def open_job(stack: ExitStack, request: SegmentationRequest, bundle: ModelBundle) -> Job:
    """Open the raster and settle how the run goes.

    Raises:
        LandCoverError: if the request does not suit the raster, or it cannot be opened.
    """
    if is_remote(request.input):
        stack.enter_context(rasterio.Env(**_REMOTE))
    source = stack.enter_context(_open_source(request, bundle))
    return Job(request, bundle, source, make_plan(request, source, bundle.metadata))


def make_maps(stack: ExitStack, job: Job, sink: RowSink) -> ClassMaps:
    """Return what turns probabilities into rows of classes."""
    decision = Decision(job.bundle.metadata.scheme, job.request.options.min_confidence)
    if job.plan.work.is_native:
        return NativeMaps(job.plan.tiles, decision, sink)
    return ResampledMaps(job.plan.tiles, decision, sink, stack.enter_context(_open_source(job.request, job.bundle)))


class LocalComputation:
    """Computes in this process, a context manager; for more than a few windows, on the runtime that proves fastest.

    Args:
        job: What to compute.
        monitor: Where messages go.
        threads: Cores to use; None for all that the process may use.

    Raises:
        LandCoverError: if no runtime can compute the network.
    """

    def __init__(self, job: Job, monitor: Monitor, threads: int | None = None) -> None:
        self._job = job
        options, metadata, plan = job.request.options, job.bundle.metadata, job.plan
        self._budget = make_budget(job.request, plan, job.source, metadata, threads)
        fixed = options.runtime != "auto" or options.precision == "int8"
        choose = options.runtime == "auto" and plan.work.height * plan.work.width >= WORTH_TRYING
        self._predictor = Predictor(
            job.bundle,
            options.device,
            options.precision,
            options.tta,
            options.runtime,
            (len(metadata.bands), *plan.tiles.window_shape) if choose or fixed else None,
            sample_windows(plan, job.source, metadata) if choose else None,
            monitor.log,
            self._budget.limits,
        )
        self.notes: list[str] = [str(self._budget)]
        self.warnings: list[str] = []
        if self.seconds is not None:
            self.notes.append(f"Time: about {self.seconds:.0f} s, by the trial on a few windows.")
        if self._budget.needed > self._budget.memory:
            self.warnings.append(f"{self._budget} Lower the window if it fails.")

    def __enter__(self) -> LocalComputation:
        return self

    def __exit__(self, *error: object) -> None:
        self._predictor.close()

    @property
    def seconds(self) -> float | None:
        """How long the network takes for all windows, as far as a trial has told."""
        height, width = self._job.plan.tiles.window_shape
        speed = self._predictor.speed
        return None if speed is None else len(self._job.plan.tiles) * height * width / 1e6 / speed

    @property
    def computed(self) -> Candidate:
        """See :class:`Computation`."""
        return Candidate(self._predictor.runtime, self._predictor.device, self._predictor.precision)

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """See :meth:`Computation.compute`."""
        with ExitStack() as stack:
            maps = make_maps(stack, self._job, sink)
            windows, _ = self.compute_into(maps, first, last, monitor, finished)
        return windows

    def compute_into(
        self, maps: ClassMaps, first: int, last: int, monitor: Monitor, finished: Finished
    ) -> tuple[int, Floats]:
        """Compute bands into maps; return how many windows held data, and :attr:`Pipeline.rest`.

        Raises:
            LandCoverError: whatever stops the run.
        """
        job, budget = self._job, self._budget
        metadata = job.bundle.metadata
        batch = job.request.options.batch or (1 if budget.limits.lean else self._predictor.batch)
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=budget.cache))
            more = [stack.enter_context(_open_source(job.request, job.bundle)) for _ in range(budget.readers - 1)]
            reader = stack.enter_context(WindowReader(job.plan, [job.source, *more], metadata))
            pipeline = Pipeline(job.plan, reader, self._predictor, maps, metadata, monitor, finished)
            return pipeline.run(first, last, batch), pipeline.rest


def _open_source(request: SegmentationRequest, bundle: ModelBundle) -> RasterSource:
    options = request.options
    chosen = SourceOptions(options.bands, options.crs, options.nodata, options.pixel_space, request.extent)
    return RasterSource(request.input, bundle.metadata.bands, chosen)
