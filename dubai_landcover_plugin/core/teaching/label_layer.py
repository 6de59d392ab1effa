"""Create Label Layer: an empty layer whose form lists the classes, and places that are worth labelling."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.grid.placement import drawn_transform
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.teaching.label_form import (
    LABEL_FIELDS,
    PLACE_FIELDS,
    label_style_qml,
    place_style_qml,
)
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.core.teaching.teach import new_classes
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.labelling import LabelLayerRequest, LabelLayerResult
from dubai_landcover_plugin.protocol.requests.session import OpenSession, SuggestRequest
from dubai_landcover_plugin.protocol.translation import tr

_TRIES = 30  # random positions in a part of the raster before it is left out
_SPACING = 48  # px between the points that keep later places away from earlier ones


@dataclass(frozen=True)
class _Place:
    """A square to label: its window, px, why it was chosen, and confidence and novelty there, percent or NaN."""

    window: Window
    reason: str
    confidence: float = math.nan
    novelty: float = math.nan


def create_label_layer(request: LabelLayerRequest, monitor: Monitor | None = None) -> LabelLayerResult:
    """Write an empty layer for labels and, if asked, squares of the raster that are worth labelling.

    Args:
        request: Raster, model, outputs, choice and number of places.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        GeoreferenceError: if the raster has no CRS.
        LandCoverError: if raster or model cannot be used, a new class is invalid, or a file cannot be written.
        RunCancelled: if the monitor cancels.

    Example:
        >>> from dubai_landcover_plugin.core import create_label_layer
        >>> from dubai_landcover_plugin.protocol.requests import LabelLayerRequest
        >>> create_label_layer(LabelLayerRequest("image.tif", "labels.gpkg")).classes
        ('Water', 'Land', 'Road', 'Building', 'Vegetation')
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    bundle = open_bundle(request.options.model)
    source = bundle.metadata.scheme
    scheme = ClassScheme((*source.classes, *new_classes(request.new_classes, source)), source.unlabeled)
    with ExitStack() as stack:
        chosen = request.options
        options = SourceOptions(bands=chosen.bands, crs=chosen.crs, nodata=chosen.nodata, second=chosen.second)
        raster = stack.enter_context(RasterSource(request.input, bundle.metadata.bands, options))
        grid = raster.grid
        if grid.crs is None:
            raise GeoreferenceError(
                tr("{path} has no CRS, so labels cannot be placed on it.", path=request.input),
                tr("Assign its CRS first (Raster > Projections > Assign Projection)."),
            )
        places = []
        if request.places:
            spread = request.sampling == "spread"
            places = _spread(request, raster, monitor) if spread else _uncertain(request, raster, monitor)
    warnings = []
    if request.places and len(places) < request.count:
        warnings.append(
            tr("Only {count} of {total} places fit into the raster.", count=len(places), total=request.count)
        )
    for text in warnings:
        monitor.log("warning", text)
    style = label_style_qml(coloured(scheme, request.options.colours))
    overwrite = request.options.overwrite
    with VectorWriter(request.output, "Polygon", grid.crs, LABEL_FIELDS, style, overwrite) as file:
        file.finish(monitor)
    if request.places:
        _write_places(request.places, places, drawn_transform(grid), grid.crs, overwrite, monitor)
    names = tuple(entry.name for entry in scheme.classes)
    return LabelLayerResult(request.output, request.places, len(places), names, tuple(warnings))


def _spread(request: LabelLayerRequest, raster: RasterSource, monitor: Monitor) -> list[_Place]:
    """Return a random square with data in each of as many parts of the raster, in random order."""
    grid, draw = raster.grid, np.random.default_rng([22, request.seed])
    side = min(request.size, grid.height, grid.width)
    rows = max(round(math.sqrt(request.count * grid.height / grid.width)), 1)
    cols = math.ceil(request.count / rows)
    found: list[_Place] = []
    # a place that does not fit into its part is drawn anywhere
    parts = [divmod(part, cols) for part in draw.permutation(rows * cols)[: request.count].tolist()]
    for low, spans in ((parts, (1 / rows, 1 / cols)), ([(0, 0)] * request.count, (1.0, 1.0))):
        for row, col in low:
            raise_if_cancelled(monitor)
            if len(found) == request.count:
                return found
            for _ in range(_TRIES):
                top = int((row + draw.random()) * spans[0] * max(grid.height - side, 0))
                left = int((col + draw.random()) * spans[1] * max(grid.width - side, 0))
                window = Window(top, left, side, side)
                if not any(_touch(window, place.window) for place in found) and raster.read(window).valid.mean() > 0.5:
                    found.append(_Place(window, tr("spread at random")))
                    break
            monitor.report(len(found), request.count, tr("places"))
    return found


def _uncertain(request: LabelLayerRequest, raster: RasterSource, monitor: Monitor) -> list[_Place]:
    """Return squares around the places that are worth a sample most, the best first."""
    grid = raster.grid
    transform = drawn_transform(grid)
    side = min(request.size, grid.height, grid.width)
    visited: list[tuple[float, float]] = []
    found: list[_Place] = []
    with TeachingSession(OpenSession(request.input, request.options), monitor) as session:
        while len(found) < request.count:
            raise_if_cancelled(monitor)
            monitor.report(len(found), request.count, tr("places"))
            best = session.suggest(SuggestRequest(tuple(visited)), monitor)
            if not best.extent:
                break
            west, south, east, north = best.extent
            col, row = ~transform @ ((west + east) / 2, (south + north) / 2)
            window = Window(_inside(row, side, grid.height), _inside(col, side, grid.width), side, side)
            novel = best.is_novel
            reason = tr("ground unlike the training images") if novel else tr("the model is unsure")
            novelty = math.nan if best.novelty is None else best.novelty
            if any(_touch(window, place.window) for place in found):
                visited.append(transform @ (col, row))
                continue
            found.append(_Place(window, reason, best.confidence, novelty))
            visited += _around(window, side, transform)
    monitor.report(request.count, request.count, tr("places"))
    return found


def _inside(middle: float, side: int, length: int) -> int:
    """Return the start of a square around a middle, moved into the raster."""
    return int(min(max(middle - side / 2, 0), length - side))


def _around(window: Window, side: int, transform: Affine) -> list[tuple[float, float]]:
    """Return points in a square and half of its side around it: squares around later places do not touch it then."""
    rows = np.arange(window.row - side / 2, window.row + 1.5 * side + 1, _SPACING)
    cols = np.arange(window.col - side / 2, window.col + 1.5 * side + 1, _SPACING)
    return [transform @ (col, row) for row in rows.tolist() for col in cols.tolist()]


def _touch(one: Window, other: Window) -> bool:
    """Return whether two windows have common pixels."""
    apart_rows = one.rows.stop <= other.rows.start or other.rows.stop <= one.rows.start
    return not (apart_rows or one.cols.stop <= other.cols.start or other.cols.stop <= one.cols.start)


def _write_places(
    path: str, places: list[_Place], transform: Affine, crs: CRS, overwrite: bool, monitor: Monitor
) -> None:
    corners = [
        [
            transform @ (col, row)
            for col, row in (
                (place.window.cols.start, place.window.rows.start),
                (place.window.cols.stop, place.window.rows.start),
                (place.window.cols.stop, place.window.rows.stop),
                (place.window.cols.start, place.window.rows.stop),
            )
        ]
        for place in places
    ]
    fields = {
        "place": np.arange(1, len(places) + 1, dtype=np.int32),
        "reason": np.array([place.reason for place in places], object),
        "confidence": np.array([place.confidence for place in places]),
        "novelty": np.array([place.novelty for place in places]),
    }
    with VectorWriter(path, "Polygon", crs, PLACE_FIELDS, place_style_qml(), overwrite) as file:
        file.write(np.array([shapely.Polygon(ring) for ring in corners], object), fields)
        file.finish(monitor)
