"""Executors compute the rows of a raster: :class:`LocalExecutor` in this process, others behind the same protocol."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

import rasterio

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.io.raster_references import is_remote
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.selection import WORTH_TRYING
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.budget import make_budget
from dubai_landcover_plugin.core.segmentation.class_rows import (
    ClassDecision,
    ClassMaps,
    NativeMaps,
    RowSink,
)
from dubai_landcover_plugin.core.segmentation.pipeline import Pipeline
from dubai_landcover_plugin.core.segmentation.plan import Plan, make_plan
from dubai_landcover_plugin.core.segmentation.resampled_maps import ResampledMaps
from dubai_landcover_plugin.core.segmentation.series import Series
from dubai_landcover_plugin.core.segmentation.window_reader import WindowReader, sample_windows
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr

# GDAL options for remote rasters: no search for sidecar files, and retries after failed requests.
_REMOTE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": 4, "GDAL_HTTP_RETRY_DELAY": 1}

Finished = Callable[[int, int], None]
"""Callback after each tile row: tile rows finished, and windows with valid pixels computed so far."""


@dataclass(frozen=True)
class Job:
    """A request with its open raster, model and plan; valid inside the stack that it was opened on."""

    request: SegmentationRequest
    bundle: ModelBundle
    source: RasterSource
    plan: Plan


class Executor(Protocol):
    """Computes the rows of a job.

    Attributes:
        notes: Messages for the log.
        warnings: Warnings for the user.
    """

    notes: list[str]
    warnings: list[str]

    @property
    def computed(self) -> Candidate:
        """Runtime, device and precision in use."""
        ...

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """Write the rows of tile rows ``first`` to ``last`` (excluded) to ``sink``.

        Args:
            sink: Receives the rows; its next row is the first of tile row ``first``.
            first: First tile row.
            last: End of the range of tile rows, excluded.
            monitor: Receives progress; may cancel the run.
            finished: Callback after each tile row.

        Returns:
            The number of windows with valid pixels in these tile rows.

        Raises:
            LandCoverError: if reading, computing or writing fails.
            RunCancelled: if the monitor cancels the run.
        """
        ...


ExecutorFactory = Callable[[Job, Monitor], AbstractContextManager[Executor]]
"""Creates the executor of a job."""


def open_job(stack: ExitStack, request: SegmentationRequest, bundle: ModelBundle) -> Job:
    """Open the raster and plan the run.

    Args:
        stack: Closes the raster.
        request: The request.
        bundle: The model.

    Raises:
        LandCoverError: if the raster cannot be opened or the request does not fit it.
    """
    if is_remote(request.input):
        stack.enter_context(rasterio.Env(**_REMOTE))
    source = stack.enter_context(_open_source(request, bundle))
    return Job(request, bundle, source, make_plan(request, source, bundle.metadata))


def make_class_maps(stack: ExitStack, job: Job, sink: RowSink) -> ClassMaps:
    """Return the maps that turn probabilities into rows of classes, resampled where the working grid differs."""
    decision = ClassDecision(job.bundle.metadata.scheme, job.request.options.min_confidence)
    if job.plan.work.is_native:
        return NativeMaps(job.plan.tiles, decision, sink)
    return ResampledMaps(job.plan.tiles, decision, sink, stack.enter_context(job.source.reopen()), job.plan.area)


class LocalExecutor:
    """Computes in this process; a context manager.

    ``runtime="auto"`` takes the fastest accurate runtime of an earlier trial with this model. Without one, it times the
    runtimes on a few windows if the rasters of the series have :data:`WORTH_TRYING` working pixels or more; else it
    takes the default one, OpenVINO where the network need not be converted for it.

    Args:
        job: The job.
        monitor: Receives messages.
        threads: Number of cores to use; None for all cores available to the process.
        series: What the rasters of the same run share; None for a single raster.

    Raises:
        LandCoverError: if no runtime can compute the network.
    """

    def __init__(self, job: Job, monitor: Monitor, threads: int | None = None, series: Series | None = None) -> None:
        self._job = job
        self._series = series or Series()
        options, metadata, plan = job.request.options, job.bundle.metadata, job.plan
        self._budget = make_budget(job.request, plan, job.source, metadata, threads)
        shape = (len(metadata.bands), *plan.tiles.window_shape)
        named = (job.bundle.digest, options.device, options.precision, options.tta, options.runtime)
        self._predictor = self._series.predictor(
            (*named, shape, self._budget.limits),
            monitor.log,
            lambda: Predictor(
                job.bundle,
                options.device,
                options.precision,
                options.tta,
                options.runtime,
                shape,
                (lambda: sample_windows(plan, job.source, metadata)) if options.runtime == "auto" else None,
                monitor.log,
                self._budget.limits,
                self._is_worth_trying,
            ),
        )
        self.notes: list[str] = [str(self._budget)]
        self.warnings: list[str] = []
        if self.seconds is not None:
            self.notes.append(
                tr("Time: about {seconds:.0f} s, estimated from the trial windows.", seconds=self.seconds)
            )
        if self._budget.needed > self._budget.memory:
            self.warnings.append(tr("{budget} If the run fails, lower the window.", budget=self._budget))

    def _is_worth_trying(self) -> bool:
        work, grid = self._job.plan.work, self._job.source.grid
        pixels = _pixels(self._job.plan)
        scale = grid.height * grid.width / (work.height * work.width)
        missing = (WORTH_TRYING - pixels) * scale  # raster pixels
        return missing <= 0 or self._series.pixels_after(self._job.request.input, missing) >= missing

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        self._series.give_back(self._predictor, failed=error[0] is not None)

    @property
    def seconds(self) -> float | None:
        """Estimated time of the network for all windows, s; None without a trial."""
        height, width = self._job.plan.tiles.window_shape
        speed = self._predictor.speed
        return None if speed is None else self._job.plan.windows * height * width / 1e6 / speed

    @property
    def computed(self) -> Candidate:
        """See :class:`Executor`."""
        return Candidate(self._predictor.runtime, self._predictor.device, self._predictor.precision)

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """See :meth:`Executor.compute`."""
        with ExitStack() as stack:
            maps = make_class_maps(stack, self._job, sink)
            windows, _ = self.compute_into(maps, first, last, monitor, finished)
        return windows

    def compute_into(
        self, maps: ClassMaps, first: int, last: int, monitor: Monitor, finished: Finished
    ) -> tuple[int, Floats]:
        """Compute tile rows ``first`` to ``last`` (excluded) into ``maps``.

        Returns:
            The number of windows with valid pixels, and :attr:`Pipeline.carry`.

        Raises:
            LandCoverError: if reading, computing or writing fails.
            RunCancelled: if the monitor cancels the run.
        """
        job, budget = self._job, self._budget
        metadata = job.bundle.metadata
        batch = job.request.options.batch or (1 if budget.limits.lean else self._predictor.batch)
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=budget.cache))
            further = [stack.enter_context(job.source.reopen()) for _ in range(budget.readers - 1)]
            reader = stack.enter_context(WindowReader(job.plan, [job.source, *further], metadata))
            pipeline = Pipeline(job.plan, reader, self._predictor, maps, metadata, monitor, finished)
            return pipeline.run(first, last, batch), pipeline.carry


def _pixels(plan: Plan) -> int:
    """Return the working pixels to compute, overlaps of neighbouring windows counted once."""
    return plan.work.height * plan.work.width * plan.windows // len(plan.tiles)


def _open_source(request: SegmentationRequest, bundle: ModelBundle) -> RasterSource:
    options = request.options
    return RasterSource(
        request.input,
        bundle.metadata.bands,
        SourceOptions(
            bands=options.bands,
            trained=bundle.metadata.band_numbers,
            crs=options.crs,
            nodata=options.nodata,
            alpha=options.alpha,
            pixel_space=options.pixel_space,
            extent=request.extent,
            second=options.second,
        ),
    )
