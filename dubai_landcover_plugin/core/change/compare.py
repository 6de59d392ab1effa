"""The tool: two classified rasters in, the change between them out."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

from rasterio.enums import Resampling

from dubai_landcover_plugin.core.change.aligned_pair import BothDates
from dubai_landcover_plugin.core.change.alignment import Alignment, align, share_crs
from dubai_landcover_plugin.core.change.change_codes import ChangeCoding
from dubai_landcover_plugin.core.change.coregistration import Shift, estimate_shift
from dubai_landcover_plugin.core.change.polygons import ChangePolygons
from dubai_landcover_plugin.core.change.report import change_html
from dubai_landcover_plugin.core.change.result import ChangeOutcome
from dubai_landcover_plugin.core.change.transitions import ChangeTally
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.attribute_table import entries_xml
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.outputs import check_outputs, legend_path
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest, ChangeResult

_BAND_PIXELS, _BAND_ROWS = 1 << 22, 512
_LARGE_SHIFT_PX = 1.0


@dataclass(frozen=True)
class _Dates:
    """Both maps, their classes and where they meet."""

    request: ChangeRequest
    grids: tuple[Grid, Grid]
    coding: ChangeCoding
    models: tuple[str, str]


def map_change(request: ChangeRequest, monitor: Monitor | None = None) -> ChangeResult:
    """Compare two classified rasters and write what changed.

    Memory does not grow with the rasters, apart from the outlines of regions that are not closed yet.

    Raises:
        LandCoverError: if the rasters are no class maps, have no class or no area in common, or an output cannot be
            written. Each file is whole or not there.
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    with limited_cache():
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
    return outcome.result()


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
    with BothDates(dates.request, dates.grids, dates.coding, alignment) as both:
        return estimate_shift(both.classes, alignment.grid)


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
        both = stack.enter_context(BothDates(request, dates.grids, coding, alignment))
        raster = stack.enter_context(LandCoverWriter(request.output, grid, style))
        polygons = None
        if request.polygons:
            polygons = stack.enter_context(ChangePolygons(request, coding, both))
        rows = max(min(_BAND_PIXELS // grid.width, _BAND_ROWS), 1)
        for first in range(0, grid.height, rows):
            raise_if_cancelled(monitor)
            band = both.band(first, min(first + rows, grid.height))
            tally.add(first, band.earlier, band.later, band.sure)
            raster.write_rows(band.codes(coding))
            monitor.report(first + len(band.sure), 2 * grid.height, "comparing")
        raise_if_cancelled(monitor)
        if not tally.all_pixels:
            warnings.append("No pixel has data in both rasters: the result is all nodata.")
            monitor.log("warning", warnings[-1])
        count = None if polygons is None else polygons.write(monitor)
        outcome = ChangeOutcome(
            request, coding, tally, shift, corrected, dates.models, grid.height, grid.width, count, tuple(warnings)
        )
        raster.finish(outcome.tags())
        raise_if_cancelled(monitor)
        _place(outcome, raster, polygons)
    return outcome


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
