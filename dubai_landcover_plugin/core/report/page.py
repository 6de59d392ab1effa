"""The page of Land Cover Report: what an analyst hands on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from dubai_landcover_plugin.core.html.page import PRINT, bar, key, page, stack, table, warning
from dubai_landcover_plugin.core.report.counts import BLOCK_M
from dubai_landcover_plugin.core.report.map_svg import CONFIDENCE_STOPS, Pictures
from dubai_landcover_plugin.core.report.provenance import AreaUnit, Facts, area_unit
from dubai_landcover_plugin.core.report.statistics import THRESHOLDS, AreaFigures, ClassFigures

_STYLE = """
header { border-top: 6px solid var(--accent); padding-top: 1rem; }
.overall .stack { height: 1.3rem; margin: .9rem 0 .4rem; border-radius: 3px; }
.cards { display: flex; gap: .8rem; margin: 1rem 0 0; }
.cards div { flex: 1 1 0; background: var(--pale); border-left: 3px solid var(--accent); padding: .5rem .8rem; }
.cards b { display: block; font-size: 1.3rem; line-height: 1.3; font-weight: 600; }
figure { margin: .4rem 0 1rem; } figcaption { color: var(--soft); font-size: .87em; margin-top: .35rem; }
.map { display: block; width: 100%; height: auto; font-family: Arial, sans-serif; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9em; margin: .5rem 0 0; }
.ramp { width: 14rem; height: .8em; border-radius: 2px; align-self: center; }
.whole { break-inside: avoid; } .name { white-space: nowrap; }
.zones { font-size: .87em; } .zones td, .zones th { padding: .26rem .4rem; }
.notes li { margin: .25rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
"""
_LISTED = 500
"""Zones that the page lists; more nobody reads, they are in the table."""

_SURENESS = ("#b2452c", "#e59a4c", "#a9c9a4", "#4f8a63")
"""Colours of confidence from low to high: below each threshold, and above the last."""


def report_page(facts: Facts, raster: AreaFigures, zones: Sequence[AreaFigures], pictures: Pictures) -> str:
    """Return the page.

    Args:
        facts: Of the sources.
        raster: Figures of the whole raster.
        zones: Figures of the zones; empty without.
        pictures: Maps.
    """
    unit = area_unit(raster.area, facts.unit)
    parts = [_head(facts, raster, unit), _map(facts, pictures, bool(zones)), _classes(facts, raster, unit)]
    if facts.confidence is not None:
        parts.append(_confidence(facts, raster, pictures, unit))
    if zones:
        parts.append(_zones(facts, raster, zones, area_unit(max(zone.area for zone in zones), facts.unit)))
    parts += [_method(facts), _sources(facts)]
    return page(facts.title, "\n".join(parts), PRINT + _STYLE)


def _head(facts: Facts, raster: AreaFigures, unit: AreaUnit) -> str:
    largest = raster.largest
    cards = [(f"{unit.text(raster.area)} {unit.sign}", "classified")]
    if largest is not None:
        cards.append((_percent(largest.share), f"{largest.entry.name}, the largest class"))
    if raster.confidence is not None and raster.wrong_share is not None:
        cards.append((f"{raster.confidence:.0f} %", "mean confidence"))
        cards.append((f"≈ {_percent(raster.wrong_share)}", "of it probably another class"))
    told = "".join(f"<div><b>{escape(value)}</b>{escape(text)}</div>" for value, text in cards)
    shares = stack(
        (_colour(facts, one), one.share, f"{one.entry.name} {_percent(one.share)}") for one in raster.classes
    )
    return (
        f"<header><h1>{escape(facts.title)}</h1>\n"
        f'<p class="small">{escape(facts.raster)} · {escape(facts.written)}</p></header>\n'
        f"{''.join(map(warning, facts.notes))}\n"
        f'<div class="cards">{told}</div>\n<div class="overall">{shares}</div>'
    )


def _map(facts: Facts, pictures: Pictures, zoned: bool) -> str:
    keys = "".join(f"<span>{key(entry.colour)}{escape(entry.name)}</span>" for entry in facts.scheme.entries)
    told = "The map follows the raster's rows; north is not up. " if pictures.turned else ""
    told += "Numbers are those of the zones. " if zoned else ""
    return (
        f'<h2>Map</h2>\n<figure>{pictures.classes}<div class="legend">{keys}</div>'
        f"{f'<figcaption>{told}</figcaption>' if told else ''}</figure>"
    )


def _classes(facts: Facts, raster: AreaFigures, unit: AreaUnit) -> str:
    most = max((one.share for one in raster.classes), default=0) or 1
    rows = [
        (
            _name(facts, one),
            bar(_colour(facts, one), one.share / most),
            unit.text(one.area),
            _percent(one.share),
            f"{one.pixels:,}",
        )
        for one in _by_area(raster)
    ]
    totals = ("Total", "", unit.text(raster.area), _percent(1.0) if raster.pixels else "–", f"{raster.pixels:,}")
    heads = ("Class", "", f"Area, {unit.sign}", "Share", "Pixels")
    told = table(heads, rows, left=2, totals=totals, widths=("20%", "40%"))
    rest = "" if raster.coverage == 1 or not raster.pixels else (
        f'<p class="small">{_percent(1 - raster.coverage)} of the raster has no data and is not counted.</p>'
    )  # fmt: skip
    return f'<section class="whole"><h2>Areas by class</h2>\n{told}{rest}</section>'


def _confidence(facts: Facts, raster: AreaFigures, pictures: Pictures, unit: AreaUnit) -> str:
    rows = [_doubt_row(facts, one, unit) for one in _by_area(raster) if one.doubt]
    if not rows:
        return "<h2>Confidence</h2>\n<p>No classified pixel has a confidence.</p>"
    heads = ("Class", "Confidence of its pixels", "Mean", *(f"below<br>{t} %" for t in THRESHOLDS),
             f"Probably<br>wrong, {unit.sign}", "Range (95 %)", "of the<br>class")  # fmt: skip
    bounds = (0, *THRESHOLDS, 100)
    keys = "".join(
        f"<span>{key(colour)}{low} to {high} %</span>"
        for colour, low, high in zip(_SURENESS, bounds[:-1], bounds[1:], strict=True)
    )
    ramp = ", ".join(f"{colour} {percent}%" for percent, colour in CONFIDENCE_STOPS)
    return (
        '<section class="whole"><h2>Confidence</h2>\n<p>Confidence is how probable the model holds a class to be. '
        "The area <b>probably wrong</b> is the part of a class that its confidence gives to other classes; the range "
        "tells how far that may be off. What a class <i>misses</i>, because it was labelled as another, is not in it: "
        "only reference points tell that.</p>\n"
        f'{table(heads, rows, left=2, widths=("", "26%"))}<div class="legend">{keys}</div></section>\n'
        f'<figure style="margin-top:1.2rem">{pictures.confidence or ""}<div class="legend"><span>Confidence</span>'
        f'<span>0 %</span><span class="ramp" style="background:linear-gradient(90deg, {ramp})"></span>'
        "<span>100 %</span></div></figure>"
    )


def _doubt_row(facts: Facts, one: ClassFigures, unit: AreaUnit) -> tuple[str, ...]:
    doubt = one.doubt
    if doubt is None:
        return ()
    edges = [0.0, *doubt.below, one.area]
    parts = [(high - low) / one.area for low, high in pairwise(edges)]
    chart = stack((colour, share, _percent(share)) for colour, share in zip(_SURENESS, parts, strict=True))
    return (
        _name(facts, one), chart, f"{doubt.confidence:.0f} %", *(_percent(area / one.area) for area in doubt.below),
        unit.text(doubt.wrong), f"{unit.text(doubt.low)} – {unit.text(doubt.high)}", _percent(doubt.wrong / one.area),
    )  # fmt: skip


def _zones(facts: Facts, raster: AreaFigures, zones: Sequence[AreaFigures], unit: AreaUnit) -> str:
    seen = [i for i, one in enumerate(raster.classes) if one.pixels or any(zone.classes[i].pixels for zone in zones)]
    names = [f"{key(_colour(facts, raster.classes[i]))}<br>{escape(raster.classes[i].entry.name)}" for i in seen]
    shares, areas = [], []
    for zone in zones[:_LISTED]:
        start = (str(zone.number), escape(zone.name))
        of_class = [zone.classes[i] for i in seen]
        chart = stack((_colour(facts, one), one.share, f"{one.entry.name} {_percent(one.share)}") for one in of_class)
        part = (_percent(one.share) if zone.pixels else "–" for one in of_class)
        shares.append((*start, chart, *part))
        sure = () if facts.confidence is None else ("–" if zone.confidence is None else f"{zone.confidence:.0f} %",)
        areas.append(
            (*start, unit.text(zone.area), *(unit.text(one.area) for one in of_class), _percent(zone.coverage), *sure)
        )
    whole = [_percent(raster.classes[i].share) for i in seen]
    chart = stack((_colour(facts, one), one.share, one.entry.name) for one in raster.classes)
    sure_head = () if facts.confidence is None else ("Mean<br>confid.",)
    more = len(zones) - _LISTED
    rest = f'<p class="small">{more:,} more zones are left out here; the CSV table has all.</p>' if more > 0 else ""
    first = table(("No", "Zone", "", *names), shares, left=3, totals=("", "Whole raster", chart, *whole),
                  widths=("", "", "24%"))  # fmt: skip
    second = table(("No", "Zone", f"All,<br>{unit.sign}", *names, "Covered", *sure_head), areas, left=2)
    return (
        f'<h2>Shares by zone</h2>\n<div class="zones">{first}</div>\n'
        f'<h2>Areas by zone, {unit.sign}</h2>\n<div class="zones">{second}</div>{rest}\n'
        '<p class="small">A pixel counts where its centre lies; where zones overlap, in each of them. Covered: the '
        "part of a zone that is classified; the rest is off the raster or has no data. Shares are of the classified "
        "part.</p>"
    )


def _method(facts: Facts) -> str:
    notes = ["Areas are counted pixels times the size of a pixel on the ground; pixels without data are not counted."]
    if facts.crs is None:
        notes = ["Areas are counts of pixels, for the raster has no CRS; pixels without data are not counted."]
    if facts.confidence is not None:
        notes += [
            "Probably wrong: the sum over the pixels of a class of area × (1 − confidence). It holds if the confidence "
            "is calibrated, and does so however much neighbouring pixels err together.",
            f"Its range allows for pixels that err together (within {_block(facts)}, those of a class are taken as "
            "right or wrong as one) and for classes that in a scene are wrong more often, or less, than their "
            "confidence tells (standard deviation: half of the figure). On eight labelled scenes of Dubai such ranges "
            "held the truth for 92 to 95 % of the classes; most of these scenes had trained the model. Ground of "
            "another kind can lie outside.",
            "For areas with a confidence interval, classify a random sample of reference points by hand and estimate "
            "from it (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015).",
        ]
    return f'<h2>Method and limits</h2>\n<ul class="notes small">{"".join(f"<li>{note}</li>" for note in notes)}</ul>'


def _block(facts: Facts) -> str:
    return f"{BLOCK_M:g} {'px' if facts.crs is None else 'm'}"


def _sources(facts: Facts) -> str:
    height, width = facts.size
    size = f"{width:,} × {height:,} px" + ("" if facts.gsd is None else f", {facts.gsd:.3g} m per pixel")
    model = facts.model + (f" (SHA-256 {facts.model_hash[:16]}…)" if facts.model_hash else "")
    named = "" if facts.zones is None else (f", named by {facts.zone_field}" if facts.zone_field else ", numbered")
    listed = [
        ("Class map", facts.raster), ("Size", size), ("CRS", facts.crs or "none"), ("Model", model),
        ("Classified", facts.classified), ("Confidence", facts.confidence or "not given"),
        ("Zones", (facts.zones or "") + named), ("Report", f"{facts.written}, Dubai Land Cover"),
    ]  # fmt: skip
    told = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in listed if text)
    return f'<h2>Sources</h2>\n<dl class="small">{told}</dl>'


def _by_area(area: AreaFigures) -> Iterable[ClassFigures]:
    return sorted(area.classes, key=lambda one: -one.area)


def _colour(facts: Facts, one: ClassFigures) -> str:
    return next(entry.colour for entry in facts.scheme.entries if entry.id == one.entry.id)


def _name(facts: Facts, one: ClassFigures) -> str:
    return f'<span class="name">{key(_colour(facts, one))}{escape(one.entry.name)}</span>'


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 0.05 or percent == 0 else "< 0.1 %"
