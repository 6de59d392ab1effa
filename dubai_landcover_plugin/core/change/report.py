"""An HTML page about the change between two dates: matrix, gains and losses, shift."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape

from dubai_landcover_plugin.core.change.result import ChangeOutcome
from dubai_landcover_plugin.core.change.transitions import ClassChange
from dubai_landcover_plugin.core.html.page import page, warning

_MORE_STYLE = """
td.same { background: #f1f1f1; } td.total, th.total { font-weight: 600; border-left: 2px solid #ddd; }
tr.total td { font-weight: 600; border-top: 2px solid #ddd; } .scroll { overflow-x: auto; }
.half { width: 34%; padding: .35rem 0; } .half .bar { display: inline-block; vertical-align: middle; }
.left { text-align: right; border-right: 1px solid #888; }
"""
_MOST_TRANSITIONS = 12
_HECTARE = 1e4


def change_html(outcome: ChangeOutcome) -> str:
    """Return a self-contained page."""
    request, tally = outcome.request, outcome.tally
    show, unit = _areas_in(outcome)
    warnings = "".join(map(warning, outcome.warnings))
    classes = tally.by_class(outcome.coding.names)
    body = (
        f"<h1>Land-cover change</h1>\n<p>{escape(request.earlier)}<br>→ {escape(request.later)}<br>"
        f'<span class="small">{escape(_facts(outcome))}</span></p>\n{warnings}\n'
        f"<h2>Overview</h2>\n{_overview(outcome, show, unit)}\n"
        f"<h2>Gains and losses ({unit})</h2>\n{_gains(outcome, classes, show)}\n"
        f"<h2>Change matrix ({unit})</h2>\n{_matrix(outcome, classes, show)}\n"
        f"<h2>Largest changes</h2>\n{_transitions(outcome, show, unit)}\n"
        f"<h2>Shift between the rasters</h2>\n{_shift(outcome)}\n"
        f"<h2>How to read this</h2>\n{_reading(outcome)}\n"
        f"<h2>Run</h2>\n<pre>{escape(json.dumps(outcome.result().to_json(), indent=2, ensure_ascii=False))}</pre>\n"
    )
    return page("Land-cover change", body, _MORE_STYLE)


def _areas_in(outcome: ChangeOutcome) -> tuple[Callable[[float], str], str]:
    """Return how areas are written, and their unit: hectares where that leaves figures to read."""
    if outcome.tally.unit == "px":
        return (lambda area: f"{area:,.0f}"), "px"
    if outcome.tally.compared < 10 * _HECTARE:
        return (lambda area: f"{area:,.0f}"), "m²"
    return (lambda area: f"{area / _HECTARE:,.2f}"), "ha"


def _facts(outcome: ChangeOutcome) -> str:
    models = list(dict.fromkeys(name for name in outcome.models if name))
    facts = [f"{outcome.width:,} × {outcome.height:,} px compared"]
    if models:
        facts.append(f"model{'s' * (len(models) > 1)} {' and '.join(models)}")
    if outcome.request.min_confidence > 0:
        facts.append(f"minimum confidence {100 * outcome.request.min_confidence:g} %")
    if outcome.polygons is not None:
        facts.append(f"{outcome.polygons:,} polygons from {outcome.request.min_area:g} {outcome.tally.unit} on")
    return " · ".join(facts)


def _overview(outcome: ChangeOutcome, show: Callable[[float], str], unit: str) -> str:
    tally = outcome.tally
    rows = [
        ("Changed", tally.changed, "#d8452e"),
        ("Unchanged", tally.unchanged, "#bdbdbd"),
        ("Uncertain", tally.uncertain, "#7a7a7a"),
    ]
    whole = tally.compared or 1.0
    cells = "".join(
        f'<tr><td>{name}</td><td style="width:50%"><div class="bar" style="background:{colour};'
        f'width:{100 * area / whole:.2f}%"></div></td><td class="number">{100 * area / whole:.2f} %</td>'
        f'<td class="number">{show(area)} {unit}</td></tr>'
        for name, area, colour in rows
    )
    return f"<table>{cells}</table>"


def _gains(outcome: ChangeOutcome, classes: list[ClassChange], show: Callable[[float], str]) -> str:
    most = max([one.gain for one in classes] + [one.loss for one in classes] + [1e-9])
    rows = []
    for index, one in enumerate(classes):
        colour = "rgb({}, {}, {})".format(*outcome.coding.colour_of(index))
        loss, gain = 95 * one.loss / most, 95 * one.gain / most
        net = f"{'+' if one.net > 0 else '−' if one.net < 0 else ''}{show(abs(one.net))}"
        rows.append(
            f"<tr><td>{escape(one.name)}</td>"
            f'<td class="number">{show(one.loss)}</td>'
            f'<td class="half left"><span class="bar" style="background:{colour};opacity:.45;width:{loss:.2f}%"></span>'
            f'</td><td class="half"><span class="bar" style="background:{colour};width:{gain:.2f}%"></span></td>'
            f'<td class="number">{show(one.gain)}</td><td class="number">{net}</td>'
            f'<td class="number">{show(one.swap)}</td></tr>'
        )
    return (
        '<table><tr><th>Class</th><th class="number">Loss</th><th></th><th></th><th class="number">Gain</th>'
        f'<th class="number">Net</th><th class="number">Swap</th></tr>{"".join(rows)}</table>'
    )


def _matrix(outcome: ChangeOutcome, classes: list[ClassChange], show: Callable[[float], str]) -> str:
    names, areas = outcome.coding.names, outcome.tally.areas
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in names)
    rows = []
    for row, name in enumerate(names):
        cells = "".join(
            f'<td class="number{" same" if row == column else ""}">{show(float(areas[row, column]))}</td>'
            for column in range(len(names))
        )
        rows.append(f'<tr><td>{escape(name)}</td>{cells}<td class="number total">{show(classes[row].before)}</td></tr>')
    totals = "".join(f'<td class="number">{show(one.after)}</td>' for one in classes)
    whole = show(float(areas.sum()))
    return (
        f'<div class="scroll"><table><tr><th>From ↓ to →</th>{head}<th class="number total">Earlier</th></tr>'
        f'{"".join(rows)}<tr class="total"><td>Later</td>{totals}<td class="number total">{whole}</td></tr>'
        "</table></div>"
    )


def _transitions(outcome: ChangeOutcome, show: Callable[[float], str], unit: str) -> str:
    areas = outcome.areas_by_code()
    changes = sorted((code for code in outcome.legend() if code.is_change), key=lambda code: -areas[code.id])
    if not changes:
        return "<p>No pixel surely changed its class.</p>"
    rows = []
    for code in changes[:_MOST_TRANSITIONS]:
        colour, length = "rgb({}, {}, {})".format(*code.rgb), 100 * areas[code.id] / areas[changes[0].id]
        rows.append(
            f'<tr><td><span class="key" style="background:{colour}"></span>{escape(code.name)}</td>'
            f'<td style="width:45%"><div class="bar" style="background:{colour};width:{length:.2f}%"></div></td>'
            f'<td class="number">{show(areas[code.id])} {unit}</td><td class="number">code {code.id}</td></tr>'
        )
    return f"<table>{''.join(rows)}</table>"


def _shift(outcome: ChangeOutcome) -> str:
    shift = outcome.shift
    if shift is None:
        return "<p>Could not be told: the edges of the classes in both rasters do not agree well enough.</p>"
    lies = f"The later raster lies {shift.text} of the earlier one" if shift.pixels >= 0.05 else "There is none"
    text = f"{lies} ({100 * shift.agreement:.0f} % of {shift.samples} samples agree within a pixel)."
    if outcome.corrected != (0, 0):
        text += (
            f" It was moved back by {outcome.corrected[0]} columns and {outcome.corrected[1]} rows before comparing."
        )
    return f"<p>{escape(text)}</p>"


def _reading(outcome: ChangeOutcome) -> str:
    unit = "pixels" if outcome.tally.unit == "px" else "areas on the ground"
    return (
        f"<p>Figures are counted {unit} of sure pixels. Gain is what became a class, loss what was one; net is their "
        "difference, swap is what was lost in one place and gained in another. Uncertain pixels, Unlabeled or less "
        "sure than the minimum confidence in either date, are in none of the tables but the overview.</p>"
        "<p>Both maps have errors, and those of both end up here: small differences along edges are mostly errors. For "
        "an area with an interval, check a random sample of changes against the images (Olofsson et al. 2014, "
        '<a href="https://doi.org/10.1016/j.rse.2014.02.015">doi:10.1016/j.rse.2014.02.015</a>).</p>'
    )
