"""Segments one raster: the tool that every surface of the project runs."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.blending import BandBlender
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
from dubai_landcover_plugin.core.errors import LandCoverError, OutputError
from dubai_landcover_plugin.core.legend import legend_path, legend_xml
from dubai_landcover_plugin.core.monitor import Monitor, SilentMonitor, raise_if_cancelled
from dubai_landcover_plugin.core.plan import Plan, make_plan
from dubai_landcover_plugin.core.polygons import check_vector_writable, vector_files, write_class_polygons
from dubai_landcover_plugin.core.predictor import Batch, Predictor
from dubai_landcover_plugin.core.raster import RasterSource, SourceOptions
from dubai_landcover_plugin.core.record import class_tags, record_path, run_record
from dubai_landcover_plugin.core.report import report_html
from dubai_landcover_plugin.core.request import SegmentationRequest, SegmentationResult, dumps
from dubai_landcover_plugin.core.runtimes.choice import WORTH_TRYING
from dubai_landcover_plugin.core.windows import Window
from dubai_landcover_plugin.core.writer import LandCoverWriter, RasterStyle, check_writable, write_text

_AHEAD = 2  # batches that are read before they are needed
_SAMPLED = (0.5, 0.25, 0.75, 0.0, 0.99)  # where along the windows one is looked for to try the runtimes on


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
        source = stack.enter_context(_open_source(request, bundle))
        _check_outputs(request, (request.input, *source.files))
        plan = make_plan(request, source, bundle.metadata)
        fill = np.rint(np.array(bundle.metadata.mean) * 255).astype(np.uint8)
        predictor = _open_predictor(request, bundle, plan, source, fill, monitor)
        stack.callback(predictor.close)
        warnings = _tell(monitor, bundle, predictor, source, plan)
        outputs = _open_outputs(stack, request, bundle, source)
        windows = _classify(request, plan, source, predictor, outputs, bundle, fill, monitor, stack)
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
    request: SegmentationRequest,
    bundle: ModelBundle,
    plan: Plan,
    source: RasterSource,
    fill: npt.NDArray[np.uint8],
    monitor: Monitor,
) -> Predictor:
    """Return the network on a runtime; for more than a few windows, on the one that proves fastest."""
    options = request.options
    choose = options.runtime == "auto" and plan.work.height * plan.work.width >= WORTH_TRYING
    sample = _sample(plan, source, fill) if choose else None
    shape = (len(bundle.metadata.bands), *plan.tiles.window_shape)
    return Predictor(
        bundle,
        options.device,
        options.precision,
        options.tta,
        options.runtime,
        shape if choose or options.runtime != "auto" else None,
        sample,
        monitor.log,
    )


def _sample(plan: Plan, source: RasterSource, fill: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """Return a window that holds data as (1, C, H, W), the middle one if it does; None if no tried one does."""
    tiles = list(plan.tiles)
    for share in _SAMPLED:
        item = _read(plan, source, tiles[int(share * len(tiles))], fill)
        if item.valid.mean() > 0.5 and item.chip is not None:
            return item.chip[None]
    return None


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
    points = source.ground_control_points
    classes = stack.enter_context(LandCoverWriter(request.output, source.grid, style, points))
    confidence = None
    if request.confidence:
        grey = RasterStyle(CONFIDENCE_NODATA, "Confidence (percent)", None, Resampling.average)
        confidence = stack.enter_context(LandCoverWriter(request.confidence, source.grid, grey, points))
    return MapOutputs(source.grid, classes, confidence)


@dataclass(frozen=True)
class _Item:
    """One window on its way: its chip, (C, H, W) uint8, or None where no pixel is valid."""

    window: Window
    valid: npt.NDArray[np.bool_]
    chip: npt.NDArray[np.uint8] | None


def _classify(
    request: SegmentationRequest,
    plan: Plan,
    source: RasterSource,
    predictor: Predictor,
    outputs: MapOutputs,
    bundle: ModelBundle,
    fill: npt.NDArray[np.uint8],
    monitor: Monitor,
    stack: ExitStack,
) -> int:
    """Run every window through the network; return how many were computed."""
    metadata = bundle.metadata
    decision = Decision(metadata.scheme, request.options.min_confidence)
    maps: ClassMaps
    if plan.work.is_native:
        maps = NativeMaps(plan.tiles, decision, outputs)
    else:
        validity = stack.enter_context(_open_source(request, bundle))
        maps = ResampledMaps(plan.tiles, decision, outputs, validity)
    blender = BandBlender(plan.tiles, metadata.spec.classes, metadata.receptive_radius)
    meter = _Meter(monitor, len(plan.tiles), source.grid.height * source.grid.width)
    computed = 0

    def blend(items: list[_Item], probabilities: npt.NDArray[np.float32]) -> None:
        each = iter(probabilities)
        for item in items:
            maps.saw(item.window, item.valid)
            for block in blender.add(item.window, next(each) if item.chip is not None else None):
                maps.put(block)

    with ThreadPoolExecutor(1, "reader") as reader, ThreadPoolExecutor(1, "writer") as writer:
        written: Future[None] | None = None
        started: deque[tuple[list[_Item], Batch | None]] = deque()

        def finish_one() -> None:
            nonlocal written
            items, batch = started.popleft()
            probabilities = predictor.finish(batch) if batch is not None else np.empty((0,), np.float32)
            if written is not None:
                written.result()
            written = writer.submit(blend, items, probabilities)
            meter.add(len(items))

        for items in _ahead(reader, _batches(plan, source, fill, request.options.batch or predictor.batch)):
            raise_if_cancelled(monitor)
            chips = [item.chip for item in items if item.chip is not None]
            started.append((items, predictor.start(np.stack(chips)) if chips else None))
            computed += len(chips)
            if len(started) > predictor.in_flight:
                finish_one()
        while started:
            raise_if_cancelled(monitor)
            finish_one()
        if written is not None:
            written.result()
    raise_if_cancelled(monitor)
    return computed


def _batches(plan: Plan, source: RasterSource, fill: npt.NDArray[np.uint8], batch: int) -> Iterator[list[_Item]]:
    """Yield windows in the grid's order; each list has at most ``batch`` that hold data."""
    items: list[_Item] = []
    full = 0
    for window in plan.tiles:
        item = _read(plan, source, window, fill)
        items.append(item)
        full += item.chip is not None
        if full == batch or len(items) == 4 * batch:
            yield items
            items, full = [], 0
    if items:
        yield items


def _read(plan: Plan, source: RasterSource, window: Window, fill: npt.NDArray[np.uint8]) -> _Item:
    """Read a window as the network sees it, what is not valid filled with the mean colour."""
    shape = None if plan.work.is_native else (plan.work.height, plan.work.width)
    chip = source.read(window, shape, plan.work.scale)
    if not chip.valid.any():
        return _Item(window, chip.valid, None)
    values = plan.stretch(chip.values)
    if not chip.valid.all():
        values = np.where(chip.valid, values, fill[:, None, None])
    return _Item(window, chip.valid, values)


def _ahead(reader: ThreadPoolExecutor, batches: Iterator[list[_Item]]) -> Iterable[list[_Item]]:
    """Yield batches, reading the next two meanwhile."""
    coming = deque(reader.submit(next, batches, None) for _ in range(_AHEAD))
    while (items := coming.popleft().result()) is not None:
        coming.append(reader.submit(next, batches, None))
        yield items


class _Meter:
    """Turns finished windows into progress and throughput."""

    def __init__(self, monitor: Monitor, windows: int, pixels: int) -> None:
        self._monitor, self._windows, self._pixels = monitor, windows, pixels
        self._done = 0
        self._started = time.perf_counter()
        monitor.report(0, windows, "")

    def add(self, windows: int) -> None:
        """Count windows and report."""
        self._done += windows
        elapsed = max(time.perf_counter() - self._started, 1e-9)
        rate = self._pixels * self._done / self._windows / elapsed / 1e6
        left = elapsed * (self._windows - self._done) / self._done
        self._monitor.report(self._done, self._windows, f"{rate:.2f} Mpx/s, {left:.0f} s left")


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
