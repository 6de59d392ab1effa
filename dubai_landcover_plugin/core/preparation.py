"""What every run begins with: the raster, its windows, and the network on a runtime."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import rasterio

from dubai_landcover_plugin.core.budget import Budget, is_remote, make_budget
from dubai_landcover_plugin.core.bundle import ModelBundle
from dubai_landcover_plugin.core.class_maps import ClassMaps, Decision, NativeMaps, ResampledMaps, RowSink
from dubai_landcover_plugin.core.monitor import Monitor
from dubai_landcover_plugin.core.pipeline import Pipeline
from dubai_landcover_plugin.core.plan import Plan, make_plan
from dubai_landcover_plugin.core.predictor import Predictor
from dubai_landcover_plugin.core.raster import RasterSource, SourceOptions
from dubai_landcover_plugin.core.reading import WindowReader, sample_window
from dubai_landcover_plugin.core.request import SegmentationRequest
from dubai_landcover_plugin.core.runtimes.choice import WORTH_TRYING
from dubai_landcover_plugin.core.runtimes.hardware import keep_freed_memory

# Over a network: look for no files beside the raster, and ask again where a server does not answer.
_REMOTE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": 4, "GDAL_HTTP_RETRY_DELAY": 1}


@dataclass(frozen=True)
class Prepared:
    """A run that can begin; use it inside the stack that it was opened on."""

    request: SegmentationRequest
    bundle: ModelBundle
    source: RasterSource
    plan: Plan
    budget: Budget
    predictor: Predictor

    @property
    def seconds(self) -> float | None:
        """How long the network will take, as far as a trial has told."""
        height, width = self.plan.tiles.window_shape
        speed = self.predictor.speed
        return None if speed is None else len(self.plan.tiles) * height * width / 1e6 / speed


def open_planned(stack: ExitStack, request: SegmentationRequest, bundle: ModelBundle) -> tuple[RasterSource, Plan]:
    """Open the raster and settle how the run goes.

    Raises:
        LandCoverError: if the request does not suit the raster, or it cannot be opened.
    """
    if is_remote(request.input):
        stack.enter_context(rasterio.Env(**_REMOTE))
    source = stack.enter_context(open_source(request, bundle))
    return source, make_plan(request, source, bundle.metadata)


def prepare(
    stack: ExitStack,
    request: SegmentationRequest,
    bundle: ModelBundle,
    planned: tuple[RasterSource, Plan],
    monitor: Monitor,
    threads: int | None = None,
) -> Prepared:
    """Load the network; for more than a few windows, on the runtime that proves fastest.

    Args:
        stack: Where everything is closed.
        request: What to do.
        bundle: The model.
        planned: What :func:`open_planned` gave.
        monitor: Where messages go.
        threads: Cores to use; None for all that the process may use.

    Raises:
        LandCoverError: if no runtime can compute the network.
    """
    source, plan = planned
    options, metadata = request.options, bundle.metadata
    keep_freed_memory()
    budget = make_budget(request, plan, source, metadata, threads)
    stack.enter_context(rasterio.Env(GDAL_CACHEMAX=budget.cache))
    fixed = options.runtime != "auto" or options.precision == "int8"
    choose = options.runtime == "auto" and plan.work.height * plan.work.width >= WORTH_TRYING
    predictor = Predictor(
        bundle,
        options.device,
        options.precision,
        options.tta,
        options.runtime,
        (len(metadata.bands), *plan.tiles.window_shape) if choose or fixed else None,
        sample_window(plan, source, metadata) if choose else None,
        monitor.log,
        budget.limits,
    )
    stack.callback(predictor.close)
    return Prepared(request, bundle, source, plan, budget, predictor)


def open_source(request: SegmentationRequest, bundle: ModelBundle) -> RasterSource:
    """Open the raster of a request.

    Raises:
        LandCoverError: if it cannot be opened, or does not suit the model.
    """
    options = request.options
    chosen = SourceOptions(options.bands, options.crs, options.nodata, options.pixel_space, request.extent)
    return RasterSource(request.input, bundle.metadata.bands, chosen)


def make_maps(
    stack: ExitStack, request: SegmentationRequest, bundle: ModelBundle, plan: Plan, rows: RowSink
) -> ClassMaps:
    """Return what turns probabilities into rows of classes."""
    decision = Decision(bundle.metadata.scheme, request.options.min_confidence)
    if plan.work.is_native:
        return NativeMaps(plan.tiles, decision, rows)
    return ResampledMaps(plan.tiles, decision, rows, stack.enter_context(open_source(request, bundle)))


def compute_bands(
    run: Prepared,
    maps: ClassMaps,
    bands: tuple[int, int],
    monitor: Monitor,
    finished: Callable[[int, int], None],
) -> int:
    """Compute the rows of some bands of windows and return how many windows in them held data.

    Args:
        run: What :func:`prepare` gave.
        maps: Where probabilities go.
        bands: The first, and the one after the last.
        monitor: Where progress goes; may cancel the run.
        finished: Told after each band how many bands are finished, and how many windows of those computed held data.

    Raises:
        LandCoverError: whatever stops the run.
    """
    metadata, options = run.bundle.metadata, run.request.options
    batch = options.batch or (1 if run.budget.limits.lean else run.predictor.batch)
    with ExitStack() as stack:
        more = [stack.enter_context(open_source(run.request, run.bundle)) for _ in range(run.budget.readers - 1)]
        reader = stack.enter_context(WindowReader(run.plan, [run.source, *more], metadata))
        pipeline = Pipeline(run.plan, reader, run.predictor, maps, metadata, monitor, finished)
        return pipeline.run(*bands, batch)
