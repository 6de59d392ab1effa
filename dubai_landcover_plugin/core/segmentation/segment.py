"""Segments one raster; command line, Processing, folder runs and cluster workers all use this module."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from rasterio.enums import Resampling

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.io.attribute_table import LAND_COVER, legend_xml
from dubai_landcover_plugin.core.io.class_tags import error_ratio_tags, probability_tags
from dubai_landcover_plugin.core.io.file_identity import FileIdentity
from dubai_landcover_plugin.core.io.input_files import check_unchanged, identify_input, identify_layer
from dubai_landcover_plugin.core.io.output_check import check_outputs, refuse_inputs
from dubai_landcover_plugin.core.io.outputs import outputs_of, record_path
from dubai_landcover_plugin.core.io.qml import raster_style_beside
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA, MapOutputs
from dubai_landcover_plugin.core.segmentation.executor import Executor, ExecutorFactory, Job, LocalExecutor, open_job
from dubai_landcover_plugin.core.segmentation.journal import DamagedJournalError, Journal, Progress
from dubai_landcover_plugin.core.segmentation.locks import LockedError, locked
from dubai_landcover_plugin.core.segmentation.novelty import Novelty, describe_novelty, measure_novelty
from dubai_landcover_plugin.core.segmentation.novelty_rows import NOVELTY_NODATA, NoveltyRows
from dubai_landcover_plugin.core.segmentation.run_progress import CHECKING, CLASSIFYING, REPORT, RunProgress
from dubai_landcover_plugin.core.segmentation.run_record import OutputFiles, run_record
from dubai_landcover_plugin.core.segmentation.vector_outputs import check_classes, vector_names, write_extras
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import NODATA_ID, coloured
from dubai_landcover_plugin.protocol.errors import (
    BandError,
    BundleError,
    GeoreferenceError,
    OutputError,
    RasterReadError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.protocol.translation import tr


def segment_raster(request: SegmentationRequest, monitor: Monitor | None = None) -> SegmentationResult:
    """Classify a raster and write the outputs of the request.

    Args:
        request: Input, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        Paths of the outputs, pixels and area (m²) of each class, and how they were computed.

    Raises:
        LandCoverError: if the run fails. No output file is written then, and existing ones are unchanged; if only
            polygons, buildings, roads or report fail, the finished rasters are kept.
        RunCancelled: if the monitor cancels the run.

    Example:
        >>> from dubai_landcover_plugin.core import segment_raster
        >>> from dubai_landcover_plugin.protocol.requests import SegmentationRequest, SegmentOptions
        >>> options = SegmentOptions(model="dubai", device="cpu", overwrite=True)
        >>> result = segment_raster(SegmentationRequest("image.tif", "landcover.tif", options))
        >>> result.height, result.width
        (64, 96)
        >>> sum(result.pixels.values()) == result.valid_pixels
        True
    """
    return run_segmentation(request, monitor)


def run_segmentation(
    request: SegmentationRequest,
    monitor: Monitor | None = None,
    bundle: ModelBundle | None = None,
    make_executor: ExecutorFactory = LocalExecutor,
) -> SegmentationResult:
    """Run :func:`segment_raster` with a given model and executor.

    Args:
        request: Input, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.
        bundle: An open model; None opens the model of the request.
        make_executor: Creates the executor that computes the rows.

    Raises:
        LandCoverError: see :func:`segment_raster`.
    """
    try:
        with locked(request.output):
            return segment_locked(request, monitor or LoggingMonitor(), bundle, make_executor)
    except LockedError:
        raise OutputError(
            tr("{path} is being written by another run.", path=request.output),
            tr("Wait for it, or choose another output path."),
        ) from None


def segment_locked(
    request: SegmentationRequest, monitor: Monitor, bundle: ModelBundle | None, make_executor: ExecutorFactory
) -> SegmentationResult:
    """Run :func:`run_segmentation` while the caller holds the lock of the output.

    Raises:
        LandCoverError: see :func:`segment_raster`.
    """
    started = time.perf_counter()
    report = (REPORT,) if request.report else ()
    progress = RunProgress(monitor, (CLASSIFYING, CHECKING, *vector_names(request), *report))
    check_outputs(request)
    bundle = bundle or open_bundle(request.options.model)
    check_classes(request, bundle.metadata.scheme)
    if request.novelty:
        bundle.metadata.require_ground()
    inputs = [file for path in rasters_of(request) for file in identify_input(path)]
    with OutputFiles(request) as outputs:
        result = _write_rasters(request, progress, bundle, make_executor, inputs, started)
        record = run_record(request, bundle.metadata, result, inputs)
        complete = False
        try:
            write_extras(request, coloured(bundle.metadata.scheme, request.options.colours), result, progress)
            complete = True
        finally:
            outputs.write_record(record, inputs, complete)
    progress.finish()
    return result


def rasters_of(request: SegmentationRequest) -> tuple[str, ...]:
    """Return the rasters that a run reads: the input, and the second raster if there is one."""
    return tuple(path for path in (request.input, request.options.second) if path)


def _write_rasters(
    request: SegmentationRequest,
    monitor: RunProgress,
    bundle: ModelBundle,
    make_executor: ExecutorFactory,
    inputs: list[FileIdentity],
    started: float,
) -> SegmentationResult:
    """Compute the rasters and move them into place."""
    area_files = identify_layer(request.within) if request.within else []  # workers of a cluster read it again
    with ExitStack() as stack:
        job = open_job(stack, request, bundle)
        refuse_inputs(outputs_of(request), job.source.files)
        monitor.measure(job.source.grid.height * job.source.grid.width)
        monitor.enter(CLASSIFYING)
        executor = stack.enter_context(make_executor(job, monitor))
        novelty = measure_novelty(job.plan, job.source, bundle.metadata)
        warnings = _log_plan(monitor, job, executor, novelty)
        outputs = _open_outputs(stack, job)
        journal = Journal(request.output, _key(job, executor, inputs))
        watched = [*inputs, *area_files]
        windows = _classify(job, executor, outputs, monitor, journal, watched)
        if not outputs.pixels[1:].any():
            warnings.append(tr("The raster has no valid pixels: the result is all nodata."))
            monitor.log("warning", warnings[-1])
        monitor.enter(CHECKING)
        result = _result(request, job, executor.computed, outputs, windows, started, warnings, novelty)
        try:
            _commit(request, bundle, outputs, result, inputs, watched)
        except (RasterReadError, BundleError):
            journal.remove()
            raise
        except OutputError:
            if journal.is_saved:  # as after other errors, the finished rows are still needed
                _save(journal, Progress(len(job.plan.tiles.row_starts), windows), monitor)
            raise
        journal.remove()
    return replace(result, seconds=round(time.perf_counter() - started, 3))


def _log_plan(monitor: Monitor, job: Job, executor: Executor, novelty: Novelty | None) -> list[str]:
    """Log the plan; return the warnings."""
    metadata, computed = job.bundle.metadata, executor.computed
    size = tr(", {parameters:,} parameters", parameters=metadata.parameters) if metadata.parameters else ""
    notes = [
        tr(
            "Model {model} ({architecture}{size}) on {device}, {runtime}, {precision}.",
            model=metadata.name,
            architecture=metadata.spec.architecture,
            size=size,
            device=computed.device,
            runtime=computed.runtime,
            precision=computed.precision,
        )
    ]
    if novelty is not None:
        notes.append(
            tr(
                "Novelty of the ground: {percent:.0f} %, up to {usual:.0f} % is usual.",
                percent=novelty.percent,
                usual=novelty.usual,
            )
        )
    for note in [*notes, *job.source.notes, *job.plan.notes, *executor.notes]:
        monitor.log("info", note)
    warnings = [*job.source.warnings, *job.plan.warnings, *executor.warnings]
    if novelty is not None and novelty.is_high:
        warnings.append(describe_novelty(novelty, metadata.name))
    for warning in warnings:
        monitor.log("warning", warning)
    return warnings


def _open_outputs(stack: ExitStack, job: Job) -> MapOutputs:
    """Open the writers of the classified raster and, if requested, of confidence and novelty."""
    request, source, metadata = job.request, job.source, job.bundle.metadata
    points, cog, overwrite = source.ground_control_points, request.options.cog, request.options.overwrite

    def writer(path: str, style: RasterStyle) -> LandCoverWriter:
        return stack.enter_context(LandCoverWriter(path, source.grid, style, points, cog, overwrite))

    entries = coloured(metadata.scheme, request.options.colours).entries
    palette = {NODATA_ID: (0, 0, 0), **{entry.id: entry.rgb for entry in entries}}
    classes = writer(request.output, RasterStyle(NODATA_ID, LAND_COVER, palette, Resampling.mode))
    outputs = MapOutputs(source.grid, [entry.id for entry in entries], classes, None)
    if request.confidence:
        grey = RasterStyle(CONFIDENCE_NODATA, "Confidence (percent)", None, Resampling.average)
        outputs.confidence = writer(request.confidence, grey)
    if request.probabilities:
        names = tuple(entry.name for entry in metadata.scheme.classes)
        outputs.probabilities = writer(
            request.probabilities, RasterStyle(CONFIDENCE_NODATA, names, None, Resampling.average)
        )
    if request.novelty:
        grey = RasterStyle(NOVELTY_NODATA, "Novelty (percent)", None, Resampling.average)
        again = stack.enter_context(source.reopen())
        outputs.novelty = NoveltyRows(job.plan, again, metadata, writer(request.novelty, grey))
    return outputs


def _classify(
    job: Job,
    executor: Executor,
    outputs: MapOutputs,
    monitor: Monitor,
    journal: Journal,
    watched: list[FileIdentity],
) -> int:
    """Compute all tile rows, resuming an interrupted run; return the number of windows with valid pixels."""
    tile_rows = len(job.plan.tiles.row_starts)
    before = _resume(journal, outputs, monitor, tile_rows)

    def finished(done: int, windows: int) -> None:
        if journal.is_due() and done < tile_rows:
            _check_sources(watched, job.bundle)
            _save(journal, Progress(done, before.windows + windows), monitor)

    try:
        windows = executor.compute(outputs, before.tile_rows, tile_rows, monitor, finished)
    except (BandError, BundleError, GeoreferenceError, RasterReadError, RunCancelled) as error:
        if not (isinstance(error, RunCancelled) and job.request.options.keep):
            journal.remove()  # after other errors (memory, disk, device) the run can be resumed
        raise
    return before.windows + windows


def _check_sources(watched: list[FileIdentity], bundle: ModelBundle) -> None:
    """Check that input, area of interest and model are the files that were opened."""
    check_unchanged(watched)
    bundle.check_unchanged()


def _save(journal: Journal, progress: Progress, monitor: Monitor) -> None:
    try:
        journal.save(progress)
    except OSError as error:
        monitor.log("warning", tr("The finished rows could not be saved: {error}.", error=error))


def _resume(journal: Journal, outputs: MapOutputs, monitor: Monitor, tile_rows: int) -> Progress:
    """Write the rows that an interrupted run with the same key has saved; return its progress."""
    try:
        progress = journal.load()
    except DamagedJournalError as error:
        progress = None
        monitor.log(
            "warning",
            tr("The rows saved by an interrupted run are discarded: {error}. The run starts anew.", error=error),
        )
    if progress is None:
        journal.remove()
        progress = Progress(0, 0)
    else:
        for rows in journal.rows():
            outputs.write_rows(*rows)
        monitor.log(
            "info",
            tr(
                "Resuming an interrupted run: {done} of {total} tile rows are finished.",
                done=progress.tile_rows,
                total=tile_rows,
            ),
        )
    outputs.journal = journal
    return progress


def _key(job: Job, executor: Executor, inputs: list[FileIdentity]) -> dict[str, object]:
    """Return everything that the pixels of the result depend on, JSON-ready."""
    request = job.request.to_json()
    for name in ("overwrite", "keep", "cog", "batch", "memory", "min_area", "simplify", "colours"):
        del request["options"][name]
    vectors = ("polygons", "buildings", "roads", "building_class", "road_class", "source")
    for name in ("output", "novelty", "report", "within", *vectors):
        del request[name]
    return {
        "request": request,
        "input": [(file.path, *file.key) for file in inputs],
        "area": None if job.plan.area is None else job.plan.area.digest,
        "model": job.bundle.digest,
        "computed": str(executor.computed),
        "plan": repr((job.plan.work, job.plan.tiles, job.plan.stretch)),
        "versions": versions(),
    }


def _result(
    request: SegmentationRequest,
    job: Job,
    computed: Candidate,
    outputs: MapOutputs,
    windows: int,
    started: float,
    warnings: list[str],
    novelty: Novelty | None,
) -> SegmentationResult:
    entries = job.bundle.metadata.scheme.entries
    stretch = job.plan.stretch
    return SegmentationResult(
        output=request.output,
        record=str(record_path(request.output)),
        confidence=request.confidence,
        polygons=request.polygons,
        report=request.report,
        buildings=request.buildings,
        roads=request.roads,
        height=outputs.grid.height,
        width=outputs.grid.width,
        pixels={entry.name: int(outputs.pixels[entry.id]) for entry in entries},
        area_m2=(
            None
            if outputs.grid.crs is None
            else {entry.name: round(float(outputs.area_m2[entry.id]), 3) for entry in entries}
        ),
        valid_pixels=int(outputs.pixels[1:].sum()),
        windows=windows,
        seconds=round(time.perf_counter() - started, 3),
        device=computed.device,
        precision=computed.precision,
        runtime=computed.runtime,
        model_hash=job.bundle.digest,
        warnings=tuple(warnings),
        measured_on=outputs.grid.measured_on,
        stretch=None if stretch.is_identity else stretch.limits,
        novelty=None if novelty is None else round(novelty.percent, 1),
        usual_novelty=None if novelty is None else novelty.usual,
        unlike_ground=None if novelty is None else round(novelty.unlike, 1),
        novelty_raster=request.novelty,
        probabilities=request.probabilities,
        area_polygons=None if job.plan.area is None else job.plan.area.polygons,
        area_hash=None if job.plan.area is None else job.plan.area.digest,
        bands=job.source.bands_text,
    )


def _commit(
    request: SegmentationRequest,
    bundle: ModelBundle,
    outputs: MapOutputs,
    result: SegmentationResult,
    inputs: list[FileIdentity],
    watched: list[FileIdentity],
) -> None:
    """Verify the rasters and move them into place, the classified one first.

    Raises:
        RasterReadError: if the input or the area of interest was changed during the run.
        BundleError: if the model was.
        OutputError: if a raster cannot be written.
    """
    record = dumps(run_record(request, bundle.metadata, result, inputs))
    scheme = coloured(bundle.metadata.scheme, request.options.colours)
    counts = {i: int(n) for i, n in enumerate(outputs.pixels)}
    tags = {"LANDCOVER_RUN": record, **class_tags(scheme), **error_ratio_tags(scheme, bundle.metadata.error_ratios)}
    outputs.classes.finish(tags, partial(legend_xml, scheme, counts), raster_style_beside(request, scheme.entries))
    further = [outputs.confidence, None if outputs.novelty is None else outputs.novelty.writer]
    beside = [writer for writer in further if writer is not None]
    for writer in beside:
        writer.finish({"LANDCOVER_RUN": record})
    if outputs.probabilities is not None:
        outputs.probabilities.finish({"LANDCOVER_RUN": record, **class_tags(scheme), **probability_tags(scheme)})
        beside.append(outputs.probabilities)
    _check_sources(watched, bundle)
    for writer in (outputs.classes, *beside):
        writer.place()
