"""Draw Accuracy Sample: a stratified random sample of pixels, with the classes of a map as strata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.assessment.allocation import allocate, sample_size
from dubai_landcover_plugin.core.assessment.point_form import point_style_qml
from dubai_landcover_plugin.core.assessment.strata import StrataCounter, strip_rows
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import drawn_transform
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RequestError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.assessment import (
    MOST_POINTS,
    REFERENCE_FIELD,
    AccuracySampleRequest,
    AccuracySampleResult,
)
from dubai_landcover_plugin.protocol.translation import tr

FIELDS = {
    "point_id": "int32",
    REFERENCE_FIELD: "object",
    "map_class": "object",
    "stratum": "int32",
    "stratum_px": "float64",  # integers of a shapefile are at most 2³¹ - 1
}
"""Attributes of the points: number, reference class to fill in, map class, its id (stratum) and its pixels."""


_Pixels = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Rows, columns and class ids, (N,) each."""


@dataclass(frozen=True)
class _StripCounts:
    """Pixels of each class in each strip, and in total, (256,) int64 each."""

    counts: list[npt.NDArray[np.int64]]
    totals: npt.NDArray[np.int64]


def draw_accuracy_sample(request: AccuracySampleRequest, monitor: Monitor | None = None) -> AccuracySampleResult:
    """Write a stratified random sample of pixel centres, in random order, to be labelled in QGIS.

    Args:
        request: Map, output, sample size and allocation.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if the raster is not a classified raster or has no classified pixel, an expected class is
            unknown, or the file cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import draw_accuracy_sample
        >>> from dubai_landcover_plugin.protocol.requests import AccuracySampleRequest
        >>> result = draw_accuracy_sample(AccuracySampleRequest("landcover.tif", "points.gpkg", size=200, seed=3))
        >>> result.size
        200
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    with limited_cache(), ClassifiedSource(request.input, request.scheme) as source:
        strips = _count(source, monitor)
        present = [entry for entry in source.scheme.entries if strips.totals[entry.id]]
        if not present:
            raise RasterOpenError(
                tr("{path} has no classified pixel.", path=request.input), tr("Choose another raster.")
            )
        points, notes = _allocate_points(request, source.scheme, strips.totals)
        notes[:0] = source.notes
        for note in notes:
            monitor.log("warning", note)
        rows, cols, ids = _draw(source, strips, points, request.seed, monitor)
        source.check_unchanged()
        _write(request, source, (rows, cols, ids), strips.totals, monitor)
    monitor.report(1, 1, "")
    return AccuracySampleResult(
        output=request.output,
        size=len(ids),
        points={entry.name: points[entry.id] for entry in present},
        pixels={entry.name: int(strips.totals[entry.id]) for entry in present},
        warnings=tuple(notes),
    )


def _count(source: ClassifiedSource, monitor: Monitor) -> _StripCounts:
    counter, counts = StrataCounter(source.grid), []
    for first, ids in source.strips(strip_rows(source.grid)):
        raise_if_cancelled(monitor)
        monitor.report(first, 2 * source.grid.height, tr("counting"))
        counts.append(counter.add(first, ids))
    return _StripCounts(counts, counter.strata().pixels)


def _allocate_points(
    request: AccuracySampleRequest, scheme: ClassScheme, totals: npt.NDArray[np.int64]
) -> tuple[dict[int, int], list[str]]:
    """Return the number of points of each class id, and warnings."""
    present = [entry for entry in scheme.entries if totals[entry.id]]
    pixels = totals[[entry.id for entry in present]]
    given = {scheme.find(name).id: accuracy for name, accuracy in request.expected.items()}
    expected = np.array([given.get(entry.id, request.expected_accuracy) for entry in present])
    size = request.size or max(sample_size(pixels, expected, request.standard_error), 2)
    if size > MOST_POINTS:
        raise RequestError(
            tr(
                "A standard error of {standard_error:g} needs {size:,} points; the limit is {limit:,}.",
                standard_error=request.standard_error,
                size=size,
                limit=MOST_POINTS,
            ),
            tr("Choose a larger standard error."),
        )
    points = allocate(pixels, size, request.allocation, request.min_per_class)
    notes = [
        tr("{name} has 1 pixel: all of them are in the sample.", name=entry.name)
        if here == 1
        else tr("{name} has {count} pixels: all of them are in the sample.", name=entry.name, count=here)
        for entry, here, drawn in zip(present, pixels.tolist(), points.tolist(), strict=True)
        if here == drawn
    ]
    if points.sum() > size:
        reason = (
            tr("all classes get the same number")
            if request.allocation == "equal"
            else tr("each class gets its minimum")
        )
        notes.append(
            tr(
                "{count:,} points were drawn instead of {size:,}: {reason}.",
                count=int(points.sum()),
                size=size,
                reason=reason,
            )
        )
    return dict(zip([entry.id for entry in present], points.tolist(), strict=True)), notes


def _draw(
    source: ClassifiedSource, strips: _StripCounts, points: Mapping[int, int], seed: int, monitor: Monitor
) -> _Pixels:
    """Return rows, columns and class ids of the drawn pixels, (N,) each, in row-major order.

    Pixels are drawn by their rank within the class in row-major order, so that the points depend on the map and the
    seed alone. The ranks are then located strip by strip.
    """
    ranks_of_class = {
        class_id: np.sort(np.random.default_rng([seed, class_id]).choice(strips.totals[class_id], count, replace=False))
        for class_id, count in points.items()
    }
    height, width = source.grid.height, source.grid.width
    seen = np.zeros(256, np.int64)  # pixels of each class above the strip
    found = []
    for strip, counts in enumerate(strips.counts):
        raise_if_cancelled(monitor)
        first = strip * strip_rows(source.grid)
        monitor.report(height + first, 2 * height, tr("drawing points"))
        here = {class_id: ranks[slice(*np.searchsorted(ranks, (seen[class_id], seen[class_id] + counts[class_id])))]
                for class_id, ranks in ranks_of_class.items()}  # fmt: skip
        if any(map(len, here.values())):
            ids = source.read(first, min(first + strip_rows(source.grid), height)).ravel()
            for class_id, ranks in here.items():
                places = np.flatnonzero(ids == class_id)[ranks - seen[class_id]] if len(ranks) else ranks
                found.append((first + places // width, places % width, np.full(len(places), class_id)))
        seen += counts
    rows, cols, class_ids = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((cols, rows))
    return rows[order], cols[order], class_ids[order]


def _write(
    request: AccuracySampleRequest,
    source: ClassifiedSource,
    pixels: _Pixels,
    totals: npt.NDArray[np.int64],
    monitor: Monitor,
) -> None:
    """Write the points in random order, so that their order does not reveal the class or the location."""
    order = np.random.default_rng([request.seed, 0]).permutation(len(pixels[0]))
    rows, cols, ids = (part[order] for part in pixels)
    names = {entry.id: entry.name for entry in source.scheme.entries}
    fields = {
        "point_id": np.arange(1, len(ids) + 1, dtype=np.int32),
        REFERENCE_FIELD: np.full(len(ids), None, object),
        "map_class": np.array([names[class_id] for class_id in ids.tolist()], object),
        "stratum": ids.astype(np.int32),
        "stratum_px": totals[ids].astype(np.float64),
    }
    style = point_style_qml(source.scheme, list(FIELDS))
    with VectorWriter(request.output, "Point", source.grid.crs, FIELDS, style, request.overwrite) as file:
        file.write(_centres(source.grid, rows, cols), fields)
        file.finish(monitor)


def _centres(grid: Grid, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    t = drawn_transform(grid)
    x, y = cols + 0.5, rows + 0.5
    points: npt.NDArray[np.object_] = shapely.points(t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
    return points
