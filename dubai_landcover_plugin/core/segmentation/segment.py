"""Segments one raster: the tool that every surface of the project runs."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

from rasterio.enums import Resampling

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.io.attribute_table import legend_xml
from dubai_landcover_plugin.core.io.class_tags import class_tags
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.outputs import check_outputs, legend_path, outputs_of, record_path, refuse_inputs
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.runtimes.selection import Candidate
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA, MapOutputs
from dubai_landcover_plugin.core.segmentation.executor import Computation, Engine, Job, LocalComputation, open_job
from dubai_landcover_plugin.core.segmentation.journal import Journal, Progress
from dubai_landcover_plugin.core.segmentation.run_record import input_identity, run_record
from dubai_landcover_plugin.core.segmentation.vector_outputs import check_classes, write_extras
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import (
    BandError,
    GeoreferenceError,
    RasterReadError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult


def segment_raster(
    request: SegmentationRequest,
    monitor: Monitor | None = None,
    bundle: ModelBundle | None = None,
    engine: Engine = LocalComputation,
) -> SegmentationResult:
    """Classify a raster and write what the request asks for.

    Args:
        request: What to do.
        monitor: Where progress goes; may cancel the run.
        bundle: The model, where the caller holds it already; else the request's is loaded.
        engine: What computes the rows.

    Raises:
        LandCoverError: whatever stops the run. No output file is left then, and existing ones are as they were;
            only where polygons or report fail, the finished rasters stay.
    """
    started = time.perf_counter()
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    bundle = bundle or open_bundle(request.options.model)
    check_classes(request, bundle.metadata.scheme)
    with ExitStack() as stack:
        job = open_job(stack, request, bundle)
        refuse_inputs(outputs_of(request), job.source.files)
        computation = stack.enter_context(engine(job, monitor))
        warnings = _tell(monitor, job, computation)
        outputs = _open_outputs(stack, request, bundle, job.source)
        windows = _classify(job, computation, outputs, monitor, stack)
        if not outputs.pixels[1:].any():
            warnings.append("The raster holds no valid pixel: the result is all nodata.")
            monitor.log("warning", warnings[-1])
        monitor.report(1, 1, "verifying")
        result = _result(request, bundle, computation.computed, outputs, windows, started, warnings)
        _commit(request, bundle, outputs, result)
    result = replace(result, seconds=round(time.perf_counter() - started, 3))
    record = run_record(request, bundle.metadata, result)
    write_text(result.record, dumps(record, indent=2))
    try:
        write_extras(request, bundle.metadata.scheme, record, monitor)
    finally:
        # The record stays the youngest file of a run: what is younger was changed by somebody else.
        with suppress(OSError):
            os.utime(result.record)
    return result


def _tell(monitor: Monitor, job: Job, computation: Computation) -> list[str]:
    """Log what was settled; return the warnings."""
    metadata, computed = job.bundle.metadata, computation.computed
    size = f", {metadata.parameters:,} parameters" if metadata.parameters else ""
    notes = [
        f"Model {metadata.name} ({metadata.spec.architecture}{size}) on {computed.device}, {computed.runtime}, "
        f"{computed.precision}."
    ]
    for note in [*notes, *job.plan.notes, *computation.notes]:
        monitor.log("info", note)
    warnings = [*job.source.notes, *job.plan.warnings, *computation.warnings]
    for warning in warnings:
        monitor.log("warning", warning)
    return warnings


def _open_outputs(
    stack: ExitStack, request: SegmentationRequest, bundle: ModelBundle, source: RasterSource
) -> MapOutputs:
    palette = {NODATA_ID: (0, 0, 0), **{entry.id: entry.rgb for entry in bundle.metadata.scheme.entries}}
    style = RasterStyle(NODATA_ID, "Land cover", palette, Resampling.mode)
    points, cog = source.ground_control_points, request.options.cog
    classes = stack.enter_context(LandCoverWriter(request.output, source.grid, style, points, cog))
    confidence = None
    if request.confidence:
        grey = RasterStyle(CONFIDENCE_NODATA, "Confidence (percent)", None, Resampling.average)
        confidence = stack.enter_context(LandCoverWriter(request.confidence, source.grid, grey, points, cog))
    return MapOutputs(source.grid, [entry.id for entry in bundle.metadata.scheme.entries], classes, confidence)


def _classify(job: Job, computation: Computation, outputs: MapOutputs, monitor: Monitor, stack: ExitStack) -> int:
    """Run every window through the network; return how many held data."""
    bands = len(job.plan.tiles.row_starts)
    journal = Journal(job.request.output, _key(job, computation))
    before = _go_on(journal, outputs, monitor, bands)

    def finished(band: int, windows: int) -> None:
        if journal.is_due() and band < bands:
            try:
                journal.save(Progress(band, before.windows + windows))
            except OSError as error:
                monitor.log("warning", f"What is finished so far could not be kept: {error}.")

    try:
        windows = computation.compute(outputs, before.bands, bands, monitor, finished)
    except (BandError, GeoreferenceError, RasterReadError, RunCancelled) as error:
        if not (isinstance(error, RunCancelled) and job.request.options.keep):
            journal.remove()  # anything else is the machine's fault: when that is mended, the run goes on
        raise
    stack.callback(journal.remove)
    return before.windows + windows


def _go_on(journal: Journal, outputs: MapOutputs, monitor: Monitor, bands: int) -> Progress:
    """Take over what the same run has left behind; return how far it had come."""
    progress = journal.load()
    if progress is None:
        journal.remove()
        progress = Progress(0, 0)
    else:
        for labels, confidence in journal.rows():
            outputs.write_rows(labels, confidence)
        told = f"An earlier run had finished {progress.bands} of {bands} bands of windows"
        monitor.log("info", f"{told}; this one goes on from there.")
    outputs.journal = journal
    return progress


def _key(job: Job, computation: Computation) -> dict[str, object]:
    """Return all that the pixels of the result depend on."""
    asked = job.request.to_json()
    for name in ("overwrite", "keep", "cog", "batch", "memory", "min_area", "simplify"):
        del asked["options"][name]
    for name in ("output", "polygons", "buildings", "roads", "report"):
        del asked[name]
    return {
        "request": asked,
        "input": input_identity(job.request.input),
        "model": job.bundle.digest,
        "computed": str(computation.computed),
        "plan": repr((job.plan.work, job.plan.tiles, job.plan.stretch)),
        "versions": versions(),
    }


def _result(
    request: SegmentationRequest,
    bundle: ModelBundle,
    computed: Candidate,
    outputs: MapOutputs,
    windows: int,
    started: float,
    warnings: list[str],
) -> SegmentationResult:
    entries = bundle.metadata.scheme.entries
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
        model_hash=bundle.digest,
        warnings=tuple(warnings),
    )


def _commit(request: SegmentationRequest, bundle: ModelBundle, outputs: MapOutputs, result: SegmentationResult) -> None:
    """Verify the rasters and move them into place, the classified one last."""
    record = dumps(run_record(request, bundle.metadata, result))
    scheme = bundle.metadata.scheme
    outputs.classes.finish({"LANDCOVER_RUN": record, **class_tags(scheme)})
    if outputs.confidence is not None:
        outputs.confidence.finish({"LANDCOVER_RUN": record})
    outputs.classes.place()
    if outputs.confidence is not None:
        outputs.confidence.place()
    write_text(legend_path(request.output), legend_xml(scheme, {i: int(n) for i, n in enumerate(outputs.pixels)}))
