"""Reclassify Probabilities: weights and thresholds of classes applied to the probabilities of finished runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.corrections.edited_raster import by_pair
from dubai_landcover_plugin.core.io.attribute_table import LAND_COVER, legend_xml
from dubai_landcover_plugin.core.io.class_map import limited_cache
from dubai_landcover_plugin.core.io.edits import EDITS_TAG, earlier_edits
from dubai_landcover_plugin.core.io.output_check import check_outputs, refuse_inputs
from dubai_landcover_plugin.core.io.outputs import outputs_of
from dubai_landcover_plugin.core.io.probabilities import CERTAIN, ProbabilitySource
from dubai_landcover_plugin.core.io.qml import raster_style_beside
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA, MapOutputs, most_probable
from dubai_landcover_plugin.core.segmentation.vector_outputs import VectorSteps, check_classes, write_vectors
from dubai_landcover_plugin.core.teaching.labels import class_ids
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest, ReclassifyResult
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import joined, tr

_STRIP_VALUES = 1 << 23  # probabilities in memory at once

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Sums = npt.NDArray[np.uint16]
"""(K, n, W) percentages, added up over the rasters."""
Mask = npt.NDArray[np.bool_]


def reclassify_probabilities(request: ReclassifyRequest, monitor: Monitor | None = None) -> ReclassifyResult:
    """Write a classified raster from probability rasters with other weights and thresholds.

    Without weights and thresholds it is that of the run, bit for bit. Ties go to the first class.

    Args:
        request: The rasters, weights, thresholds, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        The outputs, and the pixels whose class is not the most probable one.

    Raises:
        LandCoverError: if a raster cannot be used, a class is unknown, or an output cannot be written. The raster is
            complete or does not exist.
        RunCancelled: if the monitor cancels the run.

    Example:
        >>> from dubai_landcover_plugin.core import reclassify_probabilities
        >>> from dubai_landcover_plugin.protocol.requests import ReclassifyRequest
        >>> request = ReclassifyRequest("probabilities.tif", "more_buildings.tif", weights={"Building": 1.5})
        >>> result = reclassify_probabilities(request)
        >>> result.changed == sum(result.changes.values())
        True
    """
    monitor = monitor or LoggingMonitor()
    started = time.perf_counter()
    check_outputs(request)
    with limited_cache(), ExitStack() as stack:
        sources = [stack.enter_context(ProbabilitySource(path)) for path in (request.input, *request.average)]
        for other in sources[1:]:
            sources[0].check_same(other)
        refuse_inputs(outputs_of(request), [file for source in sources for file in source.files])
        check_classes(request, sources[0].scheme, "raster")
        result = _write_rasters(request, sources, monitor)
    steps = VectorSteps(
        request.output, request, request.confidence, request.min_area, request.simplify, request.overwrite
    )
    write_vectors(steps, sources[0].scheme, monitor)
    return replace(result, seconds=round(time.perf_counter() - started, 3))


@dataclass(frozen=True)
class Rules:
    """Weights and thresholds as tables over the sum of percentages of all rasters.

    Args:
        scheme: The classes.
        products: (K, 100 N + 1) float32: the sum times the weight of each class.
        scores: The same, and -1 where the class may not be taken.
        min_confidence: Pixels whose class has less become Unlabeled, 0..1.
        rasters: Number N of rasters.
    """

    scheme: ClassScheme
    products: Floats
    scores: Floats
    min_confidence: float
    rasters: int

    def classify(self, sums: Sums, valid: Mask) -> tuple[Bytes, Bytes, Bytes]:
        """Return new class ids, their confidence (percent) and the most probable class ids, (n, W) uint8 each."""
        weighted, total = np.zeros((2, *sums.shape[1:]), np.float32)
        scores = np.empty(sums.shape, np.float32)
        for values, products, table, score in zip(sums, self.products, self.scores, scores, strict=True):
            np.take(table, values, out=score)
            weighted += products[values]
            total += values
        best, labels = most_probable(scores, self.scheme.ids)
        # Share of the class in the weighted probabilities; those of a pixel may not add up to 100.
        plain = total / (CERTAIN * self.rasters)
        confidence = np.where(weighted > 0, best / np.maximum(weighted, 1e-9) * plain, 0)
        unlabeled = (best < 0) | (confidence < self.min_confidence - 1e-6)
        labels[unlabeled] = self.scheme.unlabeled.id
        percents = np.rint(confidence.clip(0, 1) * CERTAIN).astype(np.uint8)
        _, usual = most_probable(sums.astype(np.float32), self.scheme.ids)
        labels *= valid
        usual *= valid
        percents[~valid] = CONFIDENCE_NODATA
        return labels, percents, usual


def make_rules(request: ReclassifyRequest, scheme: ClassScheme) -> Rules:
    """Return the rules of a request.

    Raises:
        ClassSchemeError: if a class is unknown or named twice.
    """
    rasters = 1 + len(request.average)
    values = np.arange(CERTAIN * rasters + 1, dtype=np.float32)
    weights = _by_class(request.weights, scheme, tr("weights"), 1.0)
    minimums = _by_class(request.minimums, scheme, tr("minimum probabilities"), 0.0)
    products: Floats = (values * np.array(weights, np.float32)[:, None]).astype(np.float32)
    scores = products.copy()
    for row, weight, minimum in zip(scores, weights, minimums, strict=True):
        row[values < minimum * CERTAIN * rasters - 1e-6] = -1
        if weight == 0:
            row[:] = -1
    return Rules(scheme, products, scores, request.min_confidence, rasters)


def _by_class(given: dict[str, float], scheme: ClassScheme, name: str, default: float) -> list[float]:
    """Return the value of each class, in the order of the bands."""
    ids = class_ids(given, scheme.classes, name, tr("raster"))
    if NODATA_ID in ids:
        raise ClassSchemeError(
            tr("The {name} have an empty class or the id 0, which is no data.", name=name), tr("Name classes.")
        )
    if len(set(ids)) < len(ids):
        raise ClassSchemeError(
            tr("The {name} have a class twice: {names}.", name=name, names=joined(given)),
            tr("Give each class once."),
        )
    values = dict(zip(ids, given.values()))
    return [values.get(number, default) for number in scheme.ids]


def uncertainty_of(sums: Sums, measure: str) -> Bytes:
    """Return the uncertainty of each pixel, (n, W) uint8, percent.

    Args:
        sums: (K, n, W) percentages, K at least 1.
        measure: ``margin``: 100 less the difference of the highest two shares; ``entropy``: Shannon entropy as a share
            of that of equal probabilities.
    """
    shares = sums / np.maximum(sums.sum(axis=0, dtype=np.float32), 1)  # (K, n, W)
    if measure == "margin":
        ordered = np.sort(shares, axis=0)
        found = 1 - (ordered[-1] - (ordered[-2] if len(ordered) > 1 else 0))
    else:
        logarithms = np.log(np.maximum(shares, 1e-9))
        found = -(shares * logarithms).sum(axis=0) / np.log(max(len(shares), 2))
    percents: Bytes = np.rint(found.clip(0, 1) * CERTAIN).astype(np.uint8)
    return percents


def _write_rasters(
    request: ReclassifyRequest, sources: Sequence[ProbabilitySource], monitor: Monitor
) -> ReclassifyResult:
    """Classify strip by strip, verify the rasters and move them into place."""
    source = sources[0]
    scheme, grid = source.scheme, source.grid
    rules = make_rules(request, scheme)
    colours = {NODATA_ID: (0, 0, 0), **{entry.id: entry.rgb for entry in scheme.entries}}
    counts = np.zeros((256, 256), np.int64)
    with ExitStack() as stack:

        def writer(path: str, style: RasterStyle) -> LandCoverWriter:
            points = source.ground_control_points
            return stack.enter_context(LandCoverWriter(path, grid, style, points, overwrite=request.overwrite))

        classes = writer(request.output, RasterStyle(NODATA_ID, LAND_COVER, colours, Resampling.mode))
        outputs = MapOutputs(grid, [entry.id for entry in scheme.entries], classes, None)
        if request.confidence:
            grey = RasterStyle(CONFIDENCE_NODATA, "Confidence (percent)", None, Resampling.average)
            outputs.confidence = writer(request.confidence, grey)
        measured = None
        if request.uncertainty:
            name = f"Uncertainty, {request.measure} (percent)"
            measured = writer(request.uncertainty, RasterStyle(CONFIDENCE_NODATA, name, None, Resampling.average))
        rows = max(_STRIP_VALUES // (len(scheme.classes) * grid.width), 1)
        for first in range(0, grid.height, rows):
            raise_if_cancelled(monitor)
            sums, valid = _read(sources, first, min(first + rows, grid.height))
            labels, percents, usual = rules.classify(sums, valid)
            outputs.write_rows(labels, percents)
            if measured is not None:
                measured.write_rows(np.where(valid, uncertainty_of(sums, request.measure), CONFIDENCE_NODATA))
            changed = labels != usual
            pairs = usual[changed].astype(np.uint16) << 8 | labels[changed]
            counts += np.bincount(pairs, minlength=counts.size).reshape(counts.shape)
            monitor.report(first + len(labels), grid.height, tr("classifying"))
        monitor.report(1, 1, tr("verifying"))
        result = _result(request, sources, outputs, counts)
        tags = _tags(request, source, result)
        pixels = {number: int(count) for number, count in enumerate(outputs.pixels)}
        classes.finish(tags, partial(legend_xml, scheme, pixels), raster_style_beside(request, scheme.entries))
        beside = [one for one in (outputs.confidence, measured) if one is not None]
        for one in beside:
            one.finish({name: tags[name] for name in ("LANDCOVER_RUN", EDITS_TAG) if name in tags})
        raise_if_cancelled(monitor)
        for read in sources:
            read.check_unchanged()
        for placed in (classes, *beside):
            placed.place()
    return result


def _read(sources: Sequence[ProbabilitySource], first: int, last: int) -> tuple[Sums, Mask]:
    """Return the sum of the percentages of all rasters, and where all have data."""
    sums, valid = None, None
    for source in sources:
        values = source.read(first, last)
        known = (values != source.nodata).all(axis=0)
        valid = known if valid is None else valid & known
        values[:, ~known] = 0
        sums = values.astype(np.uint16) if sums is None else sums + values
    if sums is None or valid is None:
        raise AssertionError("There is at least one raster.")
    return sums, valid


def _result(
    request: ReclassifyRequest,
    sources: Sequence[ProbabilitySource],
    outputs: MapOutputs,
    counts: npt.NDArray[np.int64],
) -> ReclassifyResult:
    scheme = sources[0].scheme
    areas = {entry.name: round(float(outputs.area_m2[entry.id]), 3) for entry in scheme.entries}
    return ReclassifyResult(
        output=request.output,
        changed=int(counts.sum()),
        changes=by_pair(counts, scheme),
        pixels={entry.name: int(outputs.pixels[entry.id]) for entry in scheme.entries},
        area_m2=None if outputs.grid.crs is None else areas,
        confidence=request.confidence,
        uncertainty=request.uncertainty,
        polygons=request.polygons,
        buildings=request.buildings,
        roads=request.roads,
        scheme=scheme.to_json(),
        models=tuple(source.model for source in sources),
        seconds=0.0,
    )


def _tags(request: ReclassifyRequest, source: ProbabilitySource, result: ReclassifyResult) -> dict[str, str]:
    """Return the tags of the raster: those of the run, the classes, and all edits so far."""
    edit = {
        "tool": "reclassify_probabilities",
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "request": request.to_json(),
        "models": result.models,
        "changed": result.changed,
        "changes": result.changes,
    }
    kept = {name: source.tags[name] for name in ("LANDCOVER_RUN",) if name in source.tags}
    return {**kept, **class_tags(source.scheme), EDITS_TAG: dumps([*earlier_edits(source.tags), edit])}
