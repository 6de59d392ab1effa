"""The tool: two classified rasters in, the change between them out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.change.alignment import Alignment, GridReader, align, share_crs
from dubai_landcover_plugin.core.change.coding import UNCERTAIN, UNKNOWN, ChangeCoding, Indices
from dubai_landcover_plugin.core.change.confidence import ConfidenceReader
from dubai_landcover_plugin.core.change.outcome import ChangeOutcome
from dubai_landcover_plugin.core.change.polygons import ChangePolygons
from dubai_landcover_plugin.core.change.report import change_html
from dubai_landcover_plugin.core.change.shift import Shift, estimate_shift
from dubai_landcover_plugin.core.change.tally import ChangeTally
from dubai_landcover_plugin.core.classes import NODATA_ID
from dubai_landcover_plugin.core.classified import ClassifiedSource
from dubai_landcover_plugin.core.errors import OutputError
from dubai_landcover_plugin.core.legend import entries_xml, legend_path
from dubai_landcover_plugin.core.monitor import Monitor, SilentMonitor, raise_if_cancelled
from dubai_landcover_plugin.core.raster import Grid
from dubai_landcover_plugin.core.requests.change import ChangeRequest
from dubai_landcover_plugin.core.vector_files import check_vector_writable, vector_files
from dubai_landcover_plugin.core.windows import Window
from dubai_landcover_plugin.core.writer import LandCoverWriter, RasterStyle, check_writable, write_text

_BAND_PIXELS, _BAND_ROWS = 1 << 22, 512
_CACHE_MB = 256  # decoded blocks that GDAL keeps; its own choice grows with the machine
_LARGE_SHIFT_PX = 1.0


@dataclass(frozen=True)
class _Dates:
    """Both maps, their classes and where they meet."""

    request: ChangeRequest
    grids: tuple[Grid, Grid]
    coding: ChangeCoding
    models: tuple[str, str]


@dataclass(frozen=True)
class _Band:
    """Rows of both dates on the same pixels, (h, W) each; confidence is the lower of both dates."""

    first: int
    earlier: Indices
    later: Indices
    confidence: npt.NDArray[np.float32] | None


def map_change(request: ChangeRequest, monitor: Monitor | None = None) -> dict[str, Any]:
    """Compare two classified rasters and write what changed.

    Memory does not grow with the rasters, apart from the outlines of regions that are not closed yet (see
    :class:`.RegionTracer`).

    Returns:
        :meth:`.ChangeOutcome.to_json`.

    Raises:
        LandCoverError: if the rasters are no class maps, have no class or no area in common, or an output cannot be
            written. Each file is whole or not there.
    """
    monitor = monitor or SilentMonitor()
    _check_outputs(request)
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        dates = _open_dates(request)
        warnings = _scheme_warnings(dates)
        alignment = align(*dates.grids)
        warnings += alignment.notes
        monitor.report(0, 1, "estimating the shift")
        shift = _estimate(dates, alignment)
        raise_if_cancelled(monitor)
        corrected = (0, 0)
        if request.correct_shift and shift is not None and shift.whole != (0, 0):
            corrected = shift.whole
            alignment = align(*dates.grids, corrected)
        warnings += _shift_warnings(shift, corrected, request.correct_shift)
        outcome = _compare(dates, alignment, shift, corrected, warnings, monitor)
    monitor.report(1, 1, "")
    return outcome.to_json()


def _check_outputs(request: ChangeRequest) -> None:
    paths = [request.output, str(legend_path(request.output))]
    paths += [path for path in (request.csv, request.report) if path]
    for path in paths:
        # A legend without its raster is a leftover that lies about whatever comes.
        check_writable(path, request.overwrite or path == str(legend_path(request.output)), request.inputs)
    if request.polygons:
        check_vector_writable(request.polygons, request.overwrite, request.inputs)
        paths += map(str, vector_files(request.polygons))
    places = [os.path.normcase(os.path.realpath(path)) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise OutputError(f"{path} would be written twice.", "Give each output a path of its own.")


def _open_dates(request: ChangeRequest) -> _Dates:
    with ClassifiedSource(request.earlier) as earlier, ClassifiedSource(request.later) as later:
        coding = ChangeCoding(earlier.scheme, later.scheme)
        return _Dates(request, share_crs(earlier.grid, later.grid), coding, (earlier.model, later.model))


def _scheme_warnings(dates: _Dates) -> list[str]:
    warnings = []
    first, second = dates.models
    if first and second and first != second:
        warnings.append(
            f"The rasters were made by different models, {first} and {second}: where these differ counts as change."
        )
    if dates.coding.unmatched:
        warnings.append(
            f"Only one of the rasters knows {', '.join(dates.coding.unmatched)}: every such pixel counts as change."
        )
    request = dates.request
    if request.min_confidence > 0 and len(request.confidences) == 1:
        warnings.append("The confidence of only one date was given: the other one's pixels all count as sure.")
    if dates.grids[0].crs is None:
        warnings.append("The rasters have no CRS: areas are counted in pixels.")
    return warnings


def _estimate(dates: _Dates, alignment: Alignment) -> Shift | None:
    with ExitStack() as stack:
        readers = _class_readers(stack, dates, alignment)

        def read(window: Window) -> tuple[Indices, Indices]:
            return (
                dates.coding.indices(readers[0].read(window), later=False),
                dates.coding.indices(readers[1].read(window), later=True),
            )

        return estimate_shift(read, alignment.grid)


def _shift_warnings(shift: Shift | None, corrected: tuple[int, int], wanted: bool) -> list[str]:
    if shift is None:
        told = "The shift between the rasters could not be told from the edges of their classes"
        return [f"{told}: nothing was corrected."] if wanted else []
    rest = math.hypot(shift.cols - corrected[0], shift.rows - corrected[1])
    if rest <= _LARGE_SHIFT_PX:
        return []
    return [
        f"The later raster lies {shift.text} of the earlier one: strips along all edges count as change. Correct the "
        "shift, or georeference one of them again."
    ]


def _class_readers(stack: ExitStack, dates: _Dates, alignment: Alignment) -> tuple[GridReader, GridReader]:
    request, (earlier, later) = dates.request, dates.grids
    return (
        stack.enter_context(GridReader(request.earlier, earlier, alignment.grid)),
        stack.enter_context(GridReader(request.later, later, alignment.sampling)),
    )


def _bands(dates: _Dates, alignment: Alignment) -> Iterator[_Band]:
    """Yield bands of rows of the common area."""
    request, grid = dates.request, alignment.grid
    rows = max(min(_BAND_PIXELS // grid.width, _BAND_ROWS), 1)
    with ExitStack() as stack:
        maps = _class_readers(stack, dates, alignment)
        given = zip(
            (request.earlier_confidence, request.later_confidence),
            dates.grids,
            (alignment.grid, alignment.sampling),
            strict=True,
        )
        confidences = [
            stack.enter_context(ConfidenceReader(path, own, wanted)) for path, own, wanted in given if path is not None
        ]
        for first in range(0, grid.height, rows):
            window = Window(first, 0, min(rows, grid.height - first), grid.width)
            ids = [reader.read(window) for reader in maps]
            least = None
            for reader in confidences:
                values = reader.read(window)
                least = values if least is None else np.minimum(least, values)  # NaN wins
            yield _Band(
                first, dates.coding.indices(ids[0], later=False), dates.coding.indices(ids[1], later=True), least
            )


def _compare(
    dates: _Dates,
    alignment: Alignment,
    shift: Shift | None,
    corrected: tuple[int, int],
    warnings: list[str],
    monitor: Monitor,
) -> ChangeOutcome:
    """Go through all bands, then put every output into place."""
    request, grid, coding = dates.request, alignment.grid, dates.coding
    for text in warnings:
        monitor.log("warning", text)
    tally = ChangeTally(coding.count, grid)
    colours = {NODATA_ID: (0, 0, 0), **{code.id: code.rgb for code in coding.legend()}}
    style = RasterStyle(NODATA_ID, "Change", colours, Resampling.mode, coding.dtype.name)
    with ExitStack() as stack:
        raster = stack.enter_context(LandCoverWriter(request.output, grid, style))
        polygons = None
        if request.polygons:
            polygons = stack.enter_context(ChangePolygons(request, coding, grid))
        for band in _bands(dates, alignment):
            raise_if_cancelled(monitor)
            sure = _sure(band, request.min_confidence)
            tally.add(band.first, band.earlier, band.later, sure)
            codes = _codes(band, sure, coding)
            raster.write_rows(codes)
            if polygons is not None:
                polygons.add(np.where(sure & (band.earlier != band.later), codes, 0), band.confidence)
            monitor.report(band.first + len(codes), grid.height + 1, "comparing")
        raise_if_cancelled(monitor)
        if not tally.all_pixels:
            warnings.append("No pixel has data in both rasters: the result is all nodata.")
            monitor.log("warning", warnings[-1])
        count = None if polygons is None else polygons.finish()
        outcome = ChangeOutcome(
            request, coding, tally, shift, corrected, dates.models, grid.height, grid.width, count, tuple(warnings)
        )
        raster.finish(outcome.tags())
        raise_if_cancelled(monitor)
        _place(outcome, raster, polygons)
    return outcome


def _sure(band: _Band, least: float) -> npt.NDArray[np.bool_]:
    """Return where both classes are known and, if a minimum is set, sure enough."""
    sure: npt.NDArray[np.bool_] = (band.earlier >= 0) & (band.later >= 0)
    if band.confidence is not None and least > 0:
        sure &= band.confidence >= round(100 * least, 6)  # false where it is NaN
    return sure


def _codes(band: _Band, sure: npt.NDArray[np.bool_], coding: ChangeCoding) -> npt.NDArray[Any]:
    """Return the codes of a band, (h, W) uint8 or uint16."""
    has_data = (band.earlier >= UNKNOWN) & (band.later >= UNKNOWN)
    codes = np.where(has_data, UNCERTAIN, NODATA_ID).astype(coding.dtype)
    codes[sure] = coding.codes[band.earlier[sure], band.later[sure]]
    return codes


def _place(outcome: ChangeOutcome, raster: LandCoverWriter, polygons: ChangePolygons | None) -> None:
    """Move everything into place, the raster first."""
    request = outcome.request
    raster.place()
    write_text(legend_path(request.output), entries_xml(outcome.legend(), outcome.pixels_by_code()))
    if polygons is not None:
        polygons.place()
    if request.csv:
        write_text(request.csv, outcome.table())
    if request.report:
        write_text(request.report, change_html(outcome))
