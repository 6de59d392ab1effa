"""Segments one raster: the tool that every surface of the project runs."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import rasterio
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.bundle import ModelBundle, load_bundle
from dubai_landcover_plugin.core.class_maps import (
    CONFIDENCE_NODATA,
    ClassMaps,
    Decision,
    MapOutputs,
    NativeMaps,
    ResampledMaps,
)
from dubai_landcover_plugin.core.classes import NODATA_ID
from dubai_landcover_plugin.core.errors import (
    BandError,
    GeoreferenceError,
    LandCoverError,
    OutputError,
    RasterReadError,
    RunCancelled,
)
from dubai_landcover_plugin.core.journal import Journal
from dubai_landcover_plugin.core.legend import legend_path, legend_xml
from dubai_landcover_plugin.core.monitor import Monitor, SilentMonitor
from dubai_landcover_plugin.core.pipeline import Pipeline, sample_window
from dubai_landcover_plugin.core.plan import Plan, make_plan
from dubai_landcover_plugin.core.polygons import check_vector_writable, vector_files, write_class_polygons
from dubai_landcover_plugin.core.predictor import Predictor
from dubai_landcover_plugin.core.raster import RasterSource, SourceOptions
from dubai_landcover_plugin.core.record import class_tags, input_identity, record_path, run_record, versions
from dubai_landcover_plugin.core.report import report_html
from dubai_landcover_plugin.core.request import SegmentationRequest, SegmentationResult, dumps
from dubai_landcover_plugin.core.runtimes.choice import WORTH_TRYING
from dubai_landcover_plugin.core.writer import LandCoverWriter, RasterStyle, check_writable, write_text

_CACHE_MB = 128  # of decoded blocks; GDAL takes a twentieth of the memory unless told


def segment_raster(
    request: SegmentationRequest, monitor: Monitor | None = None, bundle: ModelBundle | None = None
) -> SegmentationResult:
    """Classify a raster and write what the request asks for.

    Args:
        request: What to do.
        monitor: Where progress goes; may cancel the run.
        bundle: The model, where the caller holds it already; else the request's is loaded.

    Raises:
        LandCoverError: whatever stops the run. No output file is left then, and existing ones are as they were;
            only where polygons or report fail, the finished rasters stay.
    """
    started = time.perf_counter()
    monitor = monitor or SilentMonitor()
    _check_outputs(request, (request.input,))
    bundle = bundle or load_bundle(request.options.model)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE_MB))
        source = stack.enter_context(_open_source(request, bundle))
        _check_outputs(request, (request.input, *source.files))
        plan = make_plan(request, source, bundle.metadata)
        predictor = _open_predictor(request, bundle, plan, source, monitor)
        stack.callback(predictor.close)
        warnings = _tell(monitor, bundle, predictor, source, plan)
        outputs = _open_outputs(stack, request, bundle, source)
        windows = _classify(request, plan, source, predictor, outputs, bundle, monitor, stack)
        if not outputs.pixels[1:].any():
            warnings.append("The raster holds no valid pixel: the result is all nodata.")
            monitor.log("warning", warnings[-1])
        monitor.report(1, 1, "verifying")
        result = _result(request, bundle, predictor, outputs, windows, started, warnings)
        _commit(request, bundle, outputs, result)
    result = replace(result, seconds=round(time.perf_counter() - started, 3))
    record = run_record(request, bundle.metadata, result)
    write_text(result.record, dumps(record, indent=2))
    try:
        _write_extras(request, bundle, record, monitor)
    finally:
        # The record stays the youngest file of a run: what is younger was changed by somebody else.
        with suppress(OSError):
            os.utime(result.record)
    return result


def _open_source(request: SegmentationRequest, bundle: ModelBundle) -> RasterSource:
    options = request.options
    chosen = SourceOptions(options.bands, options.crs, options.nodata, options.pixel_space, request.extent)
    return RasterSource(request.input, bundle.metadata.bands, chosen)


def _open_predictor(
    request: SegmentationRequest, bundle: ModelBundle, plan: Plan, source: RasterSource, monitor: Monitor
) -> Predictor:
    """Return the network on a runtime; for more than a few windows, on the one that proves fastest."""
    options = request.options
    choose = options.runtime == "auto" and plan.work.height * plan.work.width >= WORTH_TRYING
    return Predictor(
        bundle,
        options.device,
        options.precision,
        options.tta,
        options.runtime,
        (len(bundle.metadata.bands), *plan.tiles.window_shape) if choose or options.runtime != "auto" else None,
        sample_window(plan, source, bundle.metadata) if choose else None,
        monitor.log,
    )


def _check_outputs(request: SegmentationRequest, inputs: tuple[str, ...]) -> None:
    """Refuse outputs that cannot be written, or that are one another or an input under another name.

    Raises:
        OutputError: if one is refused.
    """
    wanted = [request.output, request.confidence, request.report, str(record_path(request.output))]
    paths = [path for path in wanted if path]
    for path in paths:
        check_writable(path, request.options.overwrite, inputs)
    if request.polygons:
        check_vector_writable(request.polygons, request.options.overwrite, inputs)
        paths += map(str, vector_files(request.polygons))
    places = [os.path.normcase(os.path.realpath(path)) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise OutputError(f"{path} would be written twice.", "Give each output a path of its own.")


def _tell(monitor: Monitor, bundle: ModelBundle, predictor: Predictor, source: RasterSource, plan: Plan) -> list[str]:
    """Log what was settled; return the warnings."""
    metadata = bundle.metadata
    monitor.log(
        "info",
        f"Model {metadata.name} ({metadata.spec.architecture}, {metadata.parameters:,} parameters) on "
        f"{predictor.device}, {predictor.runtime}, {predictor.precision}.",
    )
    for note in plan.notes:
        monitor.log("info", note)
    warnings = [*source.notes, *plan.warnings]
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
    return MapOutputs(source.grid, classes, confidence)


def _classify(
    request: SegmentationRequest,
    plan: Plan,
    source: RasterSource,
    predictor: Predictor,
    outputs: MapOutputs,
    bundle: ModelBundle,
    monitor: Monitor,
    stack: ExitStack,
) -> int:
    """Run every window through the network; return how many were computed."""
    decision = Decision(bundle.metadata.scheme, request.options.min_confidence)
    maps: ClassMaps
    if plan.work.is_native:
        maps = NativeMaps(plan.tiles, decision, outputs)
    else:
        validity = stack.enter_context(_open_source(request, bundle))
        maps = ResampledMaps(plan.tiles, decision, outputs, validity)
    journal = Journal(request.output, _key(request, plan, predictor, bundle), source.grid.width)
    pipeline = Pipeline(plan, source, predictor, maps, outputs, bundle.metadata, monitor, journal)
    try:
        computed = pipeline.run(request.options.batch or predictor.batch)
    except (BandError, GeoreferenceError, RasterReadError, RunCancelled) as error:
        if not (isinstance(error, RunCancelled) and request.options.keep):
            journal.remove()  # anything else is the machine's fault: when that is mended, the run goes on
        raise
    stack.callback(journal.remove)
    return computed


def _key(request: SegmentationRequest, plan: Plan, predictor: Predictor, bundle: ModelBundle) -> dict[str, object]:
    """Return all that the pixels of the result depend on."""
    asked = request.to_json()
    for name in ("overwrite", "keep", "cog", "batch", "min_area", "simplify"):
        del asked["options"][name]
    for name in ("output", "polygons", "report"):
        del asked[name]
    computed = (predictor.runtime, predictor.device, predictor.precision)
    sizes = (plan.work, plan.tiles, plan.stretch)
    return {
        "request": asked,
        "input": input_identity(request.input),
        "model": bundle.digest,
        "computed": computed,
        "plan": repr(sizes),
        "versions": versions(),
    }


def _result(
    request: SegmentationRequest,
    bundle: ModelBundle,
    predictor: Predictor,
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
        device=predictor.device,
        precision=predictor.precision,
        runtime=predictor.runtime,
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


def _write_extras(request: SegmentationRequest, bundle: ModelBundle, record: dict[str, Any], monitor: Monitor) -> None:
    """Write polygons and report from the finished raster."""
    try:
        if request.polygons:
            options = request.options
            write_class_polygons(
                Path(request.output), Path(request.polygons), options.min_area, options.simplify, monitor
            )
        if request.report:
            write_text(request.report, report_html(record, bundle.metadata.scheme))
    except LandCoverError as error:
        if isinstance(error, OutputError):
            raise OutputError(
                f"The classified raster {request.output} is complete, but then: {error.message}", error.remedy
            ) from error
        raise
