"""Land Cover Report: areas of the classes of a classified raster, for the raster and for zones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.confidence import UNKNOWN, ConfidenceSource
from dubai_landcover_plugin.core.io.edits import read_edits
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.report.counts import PERCENTS, Blocks, ClassCounts, Strip
from dubai_landcover_plugin.core.report.map_svg import Maps, draw_maps
from dubai_landcover_plugin.core.report.page import report_page
from dubai_landcover_plugin.core.report.provenance import Provenance
from dubai_landcover_plugin.core.report.statistics import NO_CENTRE, THIN, AreaStatistics, area_statistics
from dubai_landcover_plugin.core.report.tables import csv_text, write_zones_layer
from dubai_landcover_plugin.core.report.zones import Zone, Zones, read_zones
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.report import ReportRequest, ReportResult
from dubai_landcover_plugin.protocol.translation import joined, tr


@dataclass(frozen=True)
class Statistics:
    """The statistics that page, table and layer show.

    Args:
        raster: The whole raster.
        zones: Each zone, in the order of the layer; empty without zones.
    """

    raster: AreaStatistics
    zones: tuple[AreaStatistics, ...]


@dataclass(frozen=True)
class RunFacts:
    """What the run that has just made the raster adds to its report.

    Args:
        facts: Sentences below the title.
        warnings: Warnings of the run, which its log has already.
    """

    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def write_report(request: ReportRequest, monitor: Monitor | None = None) -> ReportResult:
    """Count the pixels of each class and write page, table and layer of zones.

    Args:
        request: Raster, zones and outputs.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Raises:
        LandCoverError: if an input cannot be used or an output cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import write_report
        >>> from dubai_landcover_plugin.protocol.requests import ReportRequest
        >>> result = write_report(ReportRequest("landcover.tif", "report.html", csv="areas.csv"))
        >>> result.areas["Road"], result.unit
        (384.0, 'm2')
    """
    return report_on_run(request, monitor or LoggingMonitor(), None)


def report_on_run(request: ReportRequest, monitor: Monitor, run: RunFacts | None) -> ReportResult:
    """Do as :func:`write_report`, with facts and warnings of the run that has just made the raster on top."""
    check_outputs(request)
    with ExitStack() as stack:
        stack.enter_context(limited_cache())
        source = stack.enter_context(ClassifiedSource(request.input, request.scheme))
        confidence = None
        if request.confidence is not None:
            confidence = stack.enter_context(ConfidenceSource(request.confidence, source.grid))
        zones = None if request.zones is None else read_zones(request.zones, request.zone_field, source.grid)
        counted = _count(source, confidence, zones, monitor)
        raise_if_cancelled(monitor)
        scheme = coloured(source.scheme, request.colours)
        maps = draw_maps(source, confidence, zones, scheme)
        provenance = _provenance(request, source, scheme, zones, counted)
    for note in provenance.notes:
        if run is None or note not in run.warnings:
            monitor.log("warning", note)
    if run is not None:
        notes = dict.fromkeys((*run.warnings, *provenance.notes))
        provenance = replace(provenance, notes=tuple(notes), facts=run.facts)
    raise_if_cancelled(monitor)
    _write(request, provenance, counted, zones, maps)
    monitor.report(1, 1, "")
    return _result(request, provenance, counted)


def _count(
    source: ClassifiedSource, confidence: ConfidenceSource | None, zones: Zones | None, monitor: Monitor
) -> Statistics:
    grid, slots = source.grid, len(source.scheme.entries) + 1
    slot_of = _slots(source.scheme)
    raster, listed = ClassCounts(slots), () if zones is None else zones.zones
    by_zone = [ClassCounts(slots) for _ in listed]
    areas, blocks = GroundScale(grid).pixel_areas(0, grid.height), Blocks.on(grid)
    for first, last, ends in blocks.strips(grid.height, grid.width):
        raise_if_cancelled(monitor)
        monitor.report(first, grid.height, tr("counting"))
        ids = source.read(first, last)
        keys = slot_of[ids].astype(np.int32)
        percents = UNKNOWN if confidence is None else confidence.read(first, last)
        keys = np.where(keys > 0, keys * PERCENTS + percents, UNKNOWN).astype(np.int32)
        summed = None if confidence is None else blocks
        strip = Strip(first, keys, areas[first:last], grid.has_constant_scale, summed, ends)
        raster.add(strip)
        for zone, counts in zip(listed, by_zone, strict=True):
            _count_zone(zone, counts, strip)
        if ends:
            for counts in (raster, *by_zone):
                counts.end_blocks(float(strip.areas.mean()))
    statistics = partial(
        area_statistics, scheme=source.scheme, error_ratios=source.error_ratios, is_novel=source.is_novel
    )
    return Statistics(
        statistics(raster, number=0, name="Whole raster"),
        tuple(
            statistics(counts, number=zone.number, name=zone.name, inside=zone.inside, thin=zone.thin)
            for zone, counts in zip(listed, by_zone, strict=True)
        ),
    )


def _count_zone(zone: Zone, counts: ClassCounts, strip: Strip) -> None:
    window = zone.window(strip.first, strip.first + len(strip.keys), strip.keys.shape[1])
    if window is not None:
        top, _, left, _ = window
        counts.add(strip, top - strip.first, left, zone.mask(*window))


def _slots(scheme: ClassScheme) -> npt.NDArray[np.uint8]:
    """Return the slot of each id: 0 for nodata, then the classes in the scheme's order."""
    slots = np.zeros(256, np.uint8)
    for slot, entry in enumerate(scheme.entries, 1):
        slots[entry.id] = slot
    return slots


def _title(given: str) -> str:
    """Return the heading of the page; the default one is translated."""
    return tr("Land cover report") if given in ("", ReportRequest.title) else given


def _provenance(
    request: ReportRequest,
    source: ClassifiedSource,
    scheme: ClassScheme,
    zones: Zones | None,
    counted: Statistics,
) -> Provenance:
    grid = source.grid
    notes = [*source.notes, *(() if zones is None else zones.notes)]
    if grid.crs is None:
        notes.append(tr("The raster has no CRS: areas are counted in pixels."))
    if counted.raster.without_confidence:
        notes.append(
            tr(
                "{without_confidence:,} classified pixels have no confidence; it excludes them.",
                without_confidence=counted.raster.without_confidence,
            )
        )
    if not counted.raster.pixels:
        notes.append(tr("The raster has no classified pixel."))
    notes += _notes_on_thin_zones(counted.zones)
    if source.is_novel:
        notes.append(
            tr(
                "The ground is unlike the training images of the model: its confidence does not say how much is "
                "wrong, so no wrong area is given. Look at the result, and estimate the areas from labelled "
                "reference points (Accuracy Assessment)."
            )
        )
    gsd = grid.gsd()
    return Provenance(
        title=_title(request.title.strip()),
        raster=Path(request.input).name,
        size=(grid.height, grid.width),
        gsd=gsd,
        crs=None if grid.crs is None else _crs_name(grid.crs),
        model=source.model,
        model_hash=str(source.run.get("model", {}).get("sha256", "")),
        classified=str(source.run.get("finished", ""))[:10],
        written=datetime.now(timezone.utc).date().isoformat(),
        confidence=None if request.confidence is None else Path(request.confidence).name,
        zones=None if zones is None else zones.source,
        zone_field=request.zone_field,
        scheme=scheme,
        notes=tuple(notes),
        error_ratios=tuple(
            (entry.name, source.error_ratios[entry.id]) for entry in scheme.classes if entry.id in source.error_ratios
        ),
        measured_on=grid.measured_on,
        edits=read_edits(source.tags),
    )


def _notes_on_thin_zones(zones: Sequence[AreaStatistics]) -> list[str]:
    """Return a warning about zones whose areas pixel centres cannot measure."""
    without = sum(zone.remark == NO_CENTRE for zone in zones)
    thin = sum(zone.remark == THIN for zone in zones)
    found = (
        [
            tr(
                "{without} of {count} zones contain no pixel centre and have no figures",
                without=without,
                count=len(zones),
            )
        ]
        if without
        else []
    )
    if thin:
        found.append(
            tr(
                "{thin} of {count} zones are thinner than a pixel and have uncertain figures",
                thin=thin,
                count=len(zones),
            )
        )
    if not found:
        return []
    return [
        tr(
            "{found}: a pixel belongs to a zone if its centre does. Use a raster of finer pixels for them.",
            found=joined(found, mark="; "),
        )
    ]


def _crs_name(crs: Any) -> str:
    code = crs.to_epsg()
    name = crs.to_wkt().partition('"')[2].partition('"')[0]
    return f"{name} (EPSG:{code})" if code else name or "unnamed"


def _write(
    request: ReportRequest, provenance: Provenance, counted: Statistics, zones: Zones | None, maps: Maps
) -> None:
    if request.zones_layer is not None and zones is not None:
        write_zones_layer(request.zones_layer, zones, counted.zones, provenance, request.overwrite)
    if request.csv is not None:
        table = csv_text((counted.raster, *counted.zones), provenance)
        write_text(request.csv, table, overwrite=request.overwrite)
    page = report_page(provenance, counted.raster, counted.zones, maps)
    write_text(request.report, page, overwrite=request.overwrite)


def _result(request: ReportRequest, provenance: Provenance, counted: Statistics) -> ReportResult:
    raster = counted.raster
    return ReportResult(
        report=request.report,
        csv=request.csv,
        zones_layer=request.zones_layer,
        unit=provenance.unit,
        valid_pixels=raster.pixels,
        total_area=round(raster.area, 3),
        pixels={one.entry.name: one.pixels for one in raster.classes},
        areas={one.entry.name: round(one.area, 3) for one in raster.classes},
        shares={one.entry.name: round(one.share, 6) for one in raster.classes},
        wrong={
            one.entry.name: round(one.error.wrong.expected, 3)
            for one in raster.classes
            if one.error and one.error.wrong
        },
        mean_confidence=None if raster.confidence is None else round(raster.confidence, 2),
        zones=len(counted.zones),
        warnings=provenance.notes,
    )
