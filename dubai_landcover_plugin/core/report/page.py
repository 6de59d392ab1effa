"""The HTML page of Land Cover Report: view models of ``report.html.j2``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.numbers import MISSING, AreaUnit, area_unit, percent, thousands
from dubai_landcover_plugin.core.html.table import Bar, Cell, Column, Named, Part, Stack, Table
from dubai_landcover_plugin.core.io.edits import EditRecord
from dubai_landcover_plugin.core.report.counts import BLOCK_M
from dubai_landcover_plugin.core.report.map_svg import CONFIDENCE_STOPS, Maps
from dubai_landcover_plugin.core.report.provenance import Provenance
from dubai_landcover_plugin.core.report.statistics import (
    THRESHOLDS,
    AreaStatistics,
    ClassStatistics,
    ErrorEstimate,
)
from dubai_landcover_plugin.protocol.translation import joined, tr

_MOST_ZONES = 500  # listed on the page; the CSV table has all
_MOST_EDITS, _MOST_PAIRS = 20, 6
_TOOLS = {"apply_corrections": "Apply Corrections", "recode_classes": "Recode Classes"}
_SURFACES = {"plane": "in the plane of the CRS", "ellipsoid": "on the WGS 84 ellipsoid"}
_CONFIDENCE_COLOURS = ("#b2452c", "#e59a4c", "#a9c9a4", "#4f8a63")
"""From low to high: one for each interval between 0, the thresholds and 100 %."""


@dataclass(frozen=True)
class _ZoneTables:
    """Tables by zone.

    Args:
        shares: Share of each class.
        areas: Area of each class, in ``unit``.
        unit: Symbol of the unit.
        omitted: Zones that are not listed.
    """

    shares: Table
    areas: Table
    unit: str
    omitted: int


def report_page(source: Provenance, raster: AreaStatistics, zones: Sequence[AreaStatistics], maps: Maps) -> str:
    """Return a self-contained page.

    Args:
        source: Provenance of the figures.
        raster: Statistics of the whole raster.
        zones: Statistics of the zones; empty without zones.
        maps: Maps of classes and confidence.
    """
    unit = area_unit(raster.area, source.unit)
    return render(
        "report.html.j2",
        title=source.title,
        source=source,
        key_figures=_key_figures(raster, unit),
        shares=_shares(source, raster),
        maps=maps,
        class_legend=[(entry.colour, entry.name) for entry in source.scheme.entries],
        classes=_class_table(source, raster, unit),
        unclassified=1 - raster.coverage if raster.pixels else 0.0,
        confidence=_confidence_table(source, raster, unit),
        confidence_legend=_confidence_legend(),
        ramp=", ".join(f"{colour} {percentage}%" for percentage, colour in CONFIDENCE_STOPS),
        zones=_zone_tables(source, raster, zones) if zones else None,
        block=f"{BLOCK_M:g} {tr('px' if source.crs is None else 'm')}",
        edits=_edit_table(source.edits, sum(one.pixels for one in raster.classes)) if source.edits else None,
        sources=_sources(source),
    )


def _key_figures(raster: AreaStatistics, unit: AreaUnit) -> list[tuple[str, str]]:
    figures = [(f"{unit.text(raster.area)} {unit.shown}", tr("classified"))]
    if raster.largest is not None:
        figures.append((percent(raster.largest.share), tr("{name}, the largest class", name=raster.largest.entry.name)))
    if raster.confidence is not None:
        wrong = raster.wrong_share
        figures.append((f"{raster.confidence:.0f} %", tr("mean confidence")))
        figures.append(
            (tr("unknown"), tr("how much of it is another class"))
            if wrong is None
            else (f"≈ {percent(wrong)}", tr("of it probably another class"))
        )
    return figures


def _shares(source: Provenance, area: AreaStatistics) -> Stack:
    return Stack(
        tuple(
            Part(source.colour(one.entry), one.share, f"{one.entry.name} {percent(one.share)}") for one in area.classes
        )
    )


def _class_table(source: Provenance, raster: AreaStatistics, unit: AreaUnit) -> Table:
    largest = max((one.share for one in raster.classes), default=0) or 1
    rows = tuple(
        (
            _name(source, one),
            Bar(source.colour(one.entry), one.share / largest),
            unit.text(one.area),
            percent(one.share),
            thousands(one.pixels),
        )
        for one in _by_area(raster)
    )
    columns = (
        Column(tr("Class"), width="20%"), Column("", width="40%"),
        Column(tr("Area, {unit}", unit=unit.shown), number=True),
        Column(tr("Share"), number=True), Column(tr("Pixels"), number=True),
    )  # fmt: skip
    whole = percent(1.0) if raster.pixels else MISSING
    return Table(columns, rows, totals=(tr("Total"), "", unit.text(raster.area), whole, thousands(raster.pixels)))


def _confidence_table(source: Provenance, raster: AreaStatistics, unit: AreaUnit) -> Table | None:
    """Return confidence and probable errors of each class; None where no pixel has a confidence."""
    rows = tuple(_confidence_row(source, one, one.error, unit) for one in _by_area(raster) if one.error)
    if not rows:
        return None
    heads = (tr("Mean"), *(tr("below\n{value} %", value=threshold) for threshold in THRESHOLDS),
             tr("Probably\nwrong, {unit}", unit=unit.shown), tr("Range (95 %)"), tr("of the\nclass"))  # fmt: skip
    first = (Column(tr("Class")), Column(tr("Confidence of its pixels"), width="26%"))
    return Table((*first, *(Column(head, number=True) for head in heads)), rows)


def _confidence_row(source: Provenance, one: ClassStatistics, error: ErrorEstimate, unit: AreaUnit) -> tuple[Cell, ...]:
    edges = [0.0, *error.below, one.area]
    shares = [(high - low) / one.area for low, high in pairwise(edges)]
    parts = [Part(colour, share, percent(share)) for colour, share in zip(_CONFIDENCE_COLOURS, shares, strict=True)]
    wrong, figures = error.wrong, (MISSING, MISSING, MISSING)
    if wrong is not None:
        range_text = f"{unit.text(wrong.low)} – {unit.text(wrong.high)}"
        figures = (unit.text(wrong.expected), range_text, percent(wrong.expected / one.area))
    return (
        _name(source, one), Stack(tuple(parts)), f"{error.confidence:.0f} %",
        *(percent(area / one.area) for area in error.below), *figures,
    )  # fmt: skip


def _confidence_legend() -> list[tuple[str, str]]:
    intervals = pairwise((0, *THRESHOLDS, 100))
    return [
        (colour, tr("{low} to {high} %", low=low, high=high))
        for colour, (low, high) in zip(_CONFIDENCE_COLOURS, intervals, strict=True)
    ]


def _zone_tables(source: Provenance, raster: AreaStatistics, zones: Sequence[AreaStatistics]) -> _ZoneTables:
    # Columns for the classes that occur anywhere.
    present = [i for i, one in enumerate(raster.classes) if one.pixels or any(zone.classes[i].pixels for zone in zones)]
    entries = [raster.classes[i].entry for i in present]
    classes = [Column(entry.name, number=True, colour=source.colour(entry)) for entry in entries]
    unit = area_unit(max(zone.area for zone in zones), source.unit)
    shares: list[Sequence[Cell]] = []
    areas: list[Sequence[Cell]] = []
    has_remarks = any(zone.remark for zone in zones[:_MOST_ZONES])
    for zone in zones[:_MOST_ZONES]:
        of_class = [zone.classes[i] for i in present]
        shown = [percent(one.share) if zone.pixels else MISSING for one in of_class]
        shares.append((str(zone.number), zone.name, _shares(source, zone), *shown))
        figures = [unit.text(area) for area in (zone.area, *(one.area for one in of_class))]
        row = [text if zone.pixels else MISSING for text in figures]
        row.append(percent(zone.coverage) if zone.has_coverage else MISSING)
        if source.confidence is not None:
            row.append(MISSING if zone.confidence is None else f"{zone.confidence:.0f} %")
        areas.append((str(zone.number), zone.name, *row, *((tr(zone.remark),) if has_remarks else ())))
    first = (Column(tr("No")), Column(tr("Zone")))
    whole = [percent(raster.classes[i].share) for i in present]
    totals: Sequence[Cell] = ("", tr("Whole raster"), _shares(source, raster), *whole)
    last = [Column(tr("Covered"), number=True)]
    if source.confidence is not None:
        last.append(Column(tr("Mean\nconfid."), number=True))
    if has_remarks:
        last.append(Column(tr("Remark")))
    total_area = Column(tr("All,\n{unit}", unit=unit.shown), number=True)
    return _ZoneTables(
        Table((*first, Column("", width="24%"), *classes), tuple(shares), totals=totals, classes="zones"),
        Table((*first, total_area, *classes, *last), tuple(areas), classes="zones"),
        unit.shown,
        max(len(zones) - _MOST_ZONES, 0),
    )


def _edit_table(edits: Sequence[EditRecord], pixels: int) -> Table:
    """Return a row for each of the last runs of a tool, with the pixels that it changed by pair of classes."""
    rows = []
    for edit in edits[-_MOST_EDITS:]:
        pairs = [f"{pair} {thousands(count)}" for pair, count in edit.changes[:_MOST_PAIRS]]
        more = len(edit.changes) - len(pairs)
        text = joined([*pairs, *([tr("{count} more", count=more)] if more > 0 else [])])
        rows.append(
            (
                (tr(_TOOLS[edit.tool]) if edit.tool in _TOOLS else edit.tool) or MISSING,
                edit.finished[:16].replace("T", " ") or MISSING,
                thousands(edit.edits) if edit.edits else MISSING,
                thousands(edit.changed),
                percent(edit.changed / pixels) if pixels else MISSING,
                text or MISSING,
            )
        )
    columns = (
        Column(tr("Tool")), Column(tr("Time (UTC)")), Column(tr("Corrections"), number=True),
        Column(tr("Changed,\npixels"), number=True), Column(tr("Share"), number=True),
        Column(tr("Changed pixels by classes"), width="42%"),
    )  # fmt: skip
    return Table(columns, tuple(rows))


def _sources(source: Provenance) -> list[tuple[str, str]]:
    height, width = source.size
    gsd = "" if source.gsd is None else tr(", {size} m per pixel", size=f"{source.gsd:.3g}")
    model = source.model + (f" (SHA-256 {source.model_hash[:16]}…)" if source.model_hash else "")
    zones = ""
    if source.zones is not None:
        zones = source.zones + (
            tr(", named by {field}", field=source.zone_field) if source.zone_field else tr(", numbered")
        )
    return [
        (tr("Classified raster"), source.raster),
        (tr("Size"), tr("{width:,} × {height:,} px", width=width, height=height) + gsd),
        (tr("CRS"), source.crs or tr("none")),
        (tr("Areas"), tr(_SURFACES[source.measured_on]) if source.measured_on in _SURFACES else ""),
        (tr("Model"), model), (tr("Classified on"), source.classified),
        (tr("Confidence"), source.confidence or tr("not given")), (tr("Zones"), zones),
        (tr("Report"), f"{source.written}, Dubai Land Cover"),
    ]  # fmt: skip


def _by_area(area: AreaStatistics) -> list[ClassStatistics]:
    return sorted(area.classes, key=lambda one: -one.area)


def _name(source: Provenance, one: ClassStatistics) -> Named:
    return Named(one.entry.name, source.colour(one.entry))
