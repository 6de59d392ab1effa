"""Change Between Dates: the from–to raster, polygons and report of two classified rasters."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from rasterio.enums import Resampling

from dubai_landcover_plugin.core.change.aligned_pair import AlignedPair
from dubai_landcover_plugin.core.change.alignment import Alignment, align, share_crs
from dubai_landcover_plugin.core.change.change_codes import ChangeCoding
from dubai_landcover_plugin.core.change.coregistration import Shift, estimate_shift
from dubai_landcover_plugin.core.change.page import change_page
from dubai_landcover_plugin.core.change.polygons import ChangePolygons
from dubai_landcover_plugin.core.change.result import Comparison
from dubai_landcover_plugin.core.change.transitions import TransitionMatrix
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.attribute_table import entries_xml
from dubai_landcover_plugin.core.io.class_map import ClassDecoder, ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.file_identity import FileIdentity
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.input_files import check_unchanged
from dubai_landcover_plugin.core.io.output_check import check_outputs, refuse_inputs
from dubai_landcover_plugin.core.io.outputs import outputs_of
from dubai_landcover_plugin.core.io.qml import raster_style_beside
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest, ChangeResult
from dubai_landcover_plugin.protocol.translation import joined, tr

_STRIP_PIXELS, _STRIP_ROWS = 1 << 22, 512
_LARGE_SHIFT_PX = 1.0
_BAND = "Change"


@dataclass(frozen=True)
class _Dates:
    """Grids, classes, models and files of both rasters, and notes on their classes."""

    request: ChangeRequest
    grids: tuple[Grid, Grid]
    decoders: tuple[ClassDecoder, ClassDecoder]
    coding: ChangeCoding
    models: tuple[str, str]
    notes: tuple[str, ...]
    inputs: tuple[FileIdentity, ...]

    def pair(self, alignment: Alignment) -> AlignedPair:
        """Open both rasters on the grid of their common area."""
        return AlignedPair(self.request, self.grids, self.decoders, self.coding, alignment)


def map_change(request: ChangeRequest, monitor: Monitor | None = None) -> ChangeResult:
    """Compare two classified rasters and write the changes.

    Memory does not grow with the rasters, except for the outlines of regions that are not complete yet.

    Args:
        request: Inputs, outputs and options.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if a raster is not a classified raster, they have no class or no area in common, or an output
            cannot be written. Each file is complete or does not exist.

    Example:
        >>> from dubai_landcover_plugin.core import map_change
        >>> from dubai_landcover_plugin.protocol.requests import ChangeRequest
        >>> result = map_change(ChangeRequest("before.tif", "landcover.tif", "change.tif", min_area=0))
        >>> 0 < result.changed < result.compared
        True
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    with limited_cache():
        dates = _open_dates(request)
        warnings = _scheme_warnings(dates)
        alignment = align(*dates.grids)
        warnings += alignment.notes
        monitor.report(0, 1, tr("estimating the shift"))
        shift = _estimate(dates, alignment)
        raise_if_cancelled(monitor)
        corrected = (0, 0)
        if request.correct_shift and shift is not None and shift.rounded != (0, 0):
            corrected = shift.rounded
            alignment = align(*dates.grids, corrected)
        warnings += _shift_warnings(shift, corrected, request.correct_shift)
        comparison = _compare(dates, alignment, shift, corrected, warnings, monitor)
    monitor.report(1, 1, "")
    return comparison.result()


def _open_dates(request: ChangeRequest) -> _Dates:
    with (
        ClassifiedSource(request.earlier, request.earlier_scheme) as earlier,
        ClassifiedSource(request.later, request.later_scheme) as later,
    ):
        refuse_inputs(outputs_of(request), [*earlier.files, *later.files])
        return _Dates(
            request,
            share_crs(earlier.grid, later.grid),
            (earlier.decoder, later.decoder),
            ChangeCoding(earlier.scheme, later.scheme),
            (earlier.model, later.model),
            tuple(dict.fromkeys((*earlier.notes, *later.notes))),
            (*earlier.inputs, *later.inputs),
        )


def _scheme_warnings(dates: _Dates) -> list[str]:
    """Return warnings about models, classes, confidence and CRS."""
    warnings = [*dates.notes]
    first, second = dates.models
    if first and second and first != second:
        warnings.append(
            tr(
                "The rasters were made by different models, {first} and {second}: where they differ counts as change.",
                first=first,
                second=second,
            )
        )
    if dates.coding.unmatched:
        warnings.append(
            tr(
                "Only one of the rasters has the classes {names}: all their pixels count as change.",
                names=joined(dates.coding.unmatched),
            )
        )
    request = dates.request
    if request.min_confidence > 0 and len(request.confidences) == 1:
        warnings.append(tr("The confidence of only one date was given: all pixels of the other date count as certain."))
    if dates.grids[0].crs is None:
        warnings.append(tr("The rasters have no CRS: areas are counted in pixels."))
    return warnings


def _estimate(dates: _Dates, alignment: Alignment) -> Shift | None:
    with dates.pair(alignment) as pair:
        return estimate_shift(pair.classes, alignment.grid)


def _shift_warnings(shift: Shift | None, corrected: tuple[int, int], correct: bool) -> list[str]:
    """Return a warning if a shift that was to be corrected is unknown, or if a large shift is left."""
    if shift is None:
        unknown = tr(
            "The shift between the rasters could not be estimated: the edges of their classes do not match. Nothing "
            "was corrected."
        )
        return [unknown] if correct else []
    remaining = math.hypot(shift.cols - corrected[0], shift.rows - corrected[1])
    if remaining <= _LARGE_SHIFT_PX:
        return []
    return [
        tr(
            "The later raster is shifted {shift} relative to the earlier one: edges appear as strips of change. "
            "Correct the shift, or georeference one of the rasters again.",
            shift=shift.text,
        )
    ]


def _compare(
    dates: _Dates,
    alignment: Alignment,
    shift: Shift | None,
    corrected: tuple[int, int],
    warnings: list[str],
    monitor: Monitor,
) -> Comparison:
    """Compare all strips, write the outputs, and move them to their final paths."""
    request, grid, coding = dates.request, alignment.grid, dates.coding
    for text in warnings:
        monitor.log("warning", text)
    transitions = TransitionMatrix(coding.count, grid)
    colours = {NODATA_ID: (0, 0, 0), **{code.id: code.rgb for code in coding.legend()}}
    style = RasterStyle(NODATA_ID, _BAND, colours, Resampling.mode, coding.dtype.name)
    with ExitStack() as stack:
        pair = stack.enter_context(dates.pair(alignment))
        raster = stack.enter_context(LandCoverWriter(request.output, grid, style, overwrite=request.overwrite))
        polygons = None
        if request.polygons:
            polygons = stack.enter_context(ChangePolygons(request, coding, pair))
        rows = max(min(_STRIP_PIXELS // grid.width, _STRIP_ROWS), 1)
        for first in range(0, grid.height, rows):
            raise_if_cancelled(monitor)
            strip = pair.strip(first, min(first + rows, grid.height))
            transitions.add(first, strip.earlier, strip.later, strip.certain)
            raster.write_rows(strip.codes(coding))
            monitor.report(first + len(strip.certain), 2 * grid.height, tr("comparing"))
        raise_if_cancelled(monitor)
        if not transitions.all_pixels:
            warnings.append(tr("No pixel has data in both rasters: the result is all nodata."))
            monitor.log("warning", warnings[-1])
        count = None if polygons is None else polygons.write(monitor)
        comparison = Comparison(
            request,
            coding,
            transitions,
            shift,
            corrected,
            dates.models,
            grid.height,
            grid.width,
            count,
            tuple(warnings),
        )
        legend = partial(entries_xml, comparison.legend(), comparison.pixels_by_code(), description=_BAND)
        raster.finish(comparison.tags(), legend, raster_style_beside(request, comparison.legend()))
        raise_if_cancelled(monitor)
        check_unchanged(dates.inputs)
        _place(comparison, raster, polygons, monitor)
    return comparison


def _place(comparison: Comparison, raster: LandCoverWriter, polygons: ChangePolygons | None, monitor: Monitor) -> None:
    """Move the outputs to their final paths, the raster first."""
    request = comparison.request
    raster.place()
    if polygons is not None:
        polygons.place(monitor)
    if request.csv:
        write_text(request.csv, comparison.table(), overwrite=request.overwrite)
    if request.report:
        write_text(request.report, change_page(comparison), overwrite=request.overwrite)
