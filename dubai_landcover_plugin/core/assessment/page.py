"""An assessment as an HTML page: accuracy, areas, confusion matrix, and how it was done."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from dubai_landcover_plugin.core.assessment.estimate import Figure
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.html.page import page, warning

_STYLE = """
.big { font-size: 2.2rem; font-weight: 600; } td.hit { font-weight: 600; } td.miss { color: #555; }
th.turned { text-align: right; } svg { display: block; } .sum td { border-top: 2px solid #999; color: #555; }
"""
_NONE = "–"
_RIGHT = {
    "points": "of the area is",
    "polygons": "of the pixels in the polygons are",
    "raster": "of the pixels compared are",
}
_TOTALS = {"points": "Points", "polygons": "Pixels", "raster": "Pixels"}


def assessment_html(found: Assessment, title: str, reference: str) -> str:
    """Return a self-contained page.

    Args:
        found: What it shows.
        title: The map, for example its path.
        reference: What it was compared with.
    """
    warnings = "".join(f"{warning(text)}\n" for text in found.warnings)
    method = "".join(f"<p>{escape(text)}</p>\n" for text in found.method)
    facts = " · ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.facts.items())
    body = (
        f'<h1>Accuracy assessment</h1>\n<p>{escape(title)}<br><span class="small">Reference: {escape(reference)}'
        f"<br>{escape(facts)}</span></p>\n"
        f'<p><span class="big">{_percent(found.overall)}</span><br>{_RIGHT[found.kind]} right: overall accuracy'
        f"{_interval_note(found)}.{_classified(found)}</p>\n{warnings}"
        f"<h2>Accuracy of classes</h2>\n{_accuracy_table(found)}\n"
        f"<h2>Areas</h2>\n{_area_table(found)}\n"
        f"<h2>Confusion matrix: {_TOTALS[found.kind].lower()}</h2>\n{_matrix(found, False)}\n"
        f"<h2>Confusion matrix: percent of the area</h2>\n{_matrix(found, True)}\n"
        f'<h2>Method</h2>\n<div class="small">{method}</div>\n'
    )
    return page("Accuracy assessment", body, _STYLE)


def _percent(figure: Figure, digits: int = 1) -> str:
    if not math.isfinite(figure.value):
        return _NONE
    margin = f" ± {100 * figure.margin:.{digits}f}" if math.isfinite(figure.margin) else ""
    return f"{100 * figure.value:.{digits}f}{margin} %"


def _interval_note(found: Assessment) -> str:
    return ", with its 95 % interval" if math.isfinite(found.overall.margin) else ""


def _classified(found: Assessment) -> str:
    if found.classified is None:
        return ""
    name = found.scheme.unlabeled.name
    return f" {escape(name)} counts as wrong; without it, {_percent(found.classified)}."


def _accuracy_table(found: Assessment) -> str:
    rows = []
    for index in found.labelled:
        users, producers = found.users[index], found.producers[index]
        rows.append(
            f"<tr>{_name(found, index)}"
            f'<td>{_bar(found, index, users, 1.0)}</td><td class="number">{_percent(users)}</td>'
            f'<td>{_bar(found, index, producers, 1.0)}</td><td class="number">{_percent(producers)}</td></tr>\n'
        )
    return (
        "<table><tr><th>Class</th><th></th>"
        '<th class="number" title="Of what is mapped as the class, how much is">User\'s</th><th></th>'
        '<th class="number" title="Of the class on the ground, how much is mapped as it">Producer\'s</th></tr>\n'
        f"{''.join(rows)}</table>\n"
        "<p class=\"small\">User's accuracy: of what the map shows as the class, the share that is. Producer's "
        "accuracy: of the class on the ground, the share that the map shows.</p>"
    )


def _area_table(found: Assessment) -> str:
    scale, unit = (1e4, "ha") if found.unit == "m2" else (1.0, "px")
    tops = [figure.value + (figure.margin if math.isfinite(figure.margin) else 0) for figure in found.areas]
    longest = max([*tops, *found.mapped.tolist(), 1e-9])
    rows = []
    for index in found.shown:
        figure = found.areas[index]
        rows.append(
            f"<tr>{_name(found, index)}"
            f'<td class="number">{found.mapped[index] / scale:,.{_digits(scale)}f}</td>'
            f"<td>{_bar(found, index, figure, longest, found.mapped[index])}</td>"
            f'<td class="number">{_amount(figure.times(1 / scale), _digits(scale))}</td></tr>\n'
        )
    estimated = "Estimated" if found.kind == "points" else "Reference"
    return (
        f'<table><tr><th>Class</th><th class="number">Map, {unit}</th><th></th>'
        f'<th class="number">{estimated}, {unit}</th></tr>\n{"".join(rows)}</table>\n'
        '<p class="small">The tick is the area on the map, the bar that on the ground.</p>'
    )


def _digits(scale: float) -> int:
    return 2 if scale > 1 else 0


def _amount(figure: Figure, digits: int) -> str:
    if not math.isfinite(figure.value):
        return _NONE
    margin = f" ± {figure.margin:,.{digits}f}" if math.isfinite(figure.margin) else ""
    return f"{figure.value:,.{digits}f}{margin}"


def _bar(found: Assessment, index: int, figure: Figure, longest: float, tick: float | None = None) -> str:
    """Return a bar with a whisker for the interval and a tick for another value."""
    if not math.isfinite(figure.value):
        return ""
    width = 150.0

    def x(value: float) -> float:
        return width * min(max(value / longest, 0.0), 1.0)

    parts = [f'<rect y="3" width="{x(figure.value):.1f}" height="8" fill="{found.scheme.entries[index].colour}"/>']
    if math.isfinite(figure.margin):
        low, high = x(figure.value - figure.margin), x(figure.value + figure.margin)
        parts.append(
            f'<path d="M{low:.1f} 7H{high:.1f}M{low:.1f} 4v6M{high:.1f} 4v6" stroke="#fff" stroke-width="3"/>'
            f'<path d="M{low:.1f} 7H{high:.1f}M{low:.1f} 4v6M{high:.1f} 4v6" stroke="#222"/>'
        )
    if tick is not None:
        parts.append(f'<path d="M{x(tick):.1f} 0v14" stroke="#d00" stroke-width="2"/>')
    return f'<svg width="{width + 2:.0f}" height="14" viewBox="-1 0 {width + 2:.0f} 14">{"".join(parts)}</svg>'


def _matrix(found: Assessment, as_shares: bool) -> str:
    """Return the confusion matrix, rows the map, columns the reference; cells shaded by their share of the row."""
    values = 100 * found.shares if as_shares else found.counts
    digits = 2 if as_shares else 0
    heads = "".join(f'<th class="turned">{escape(found.scheme.entries[j].name)}</th>' for j in found.labelled)
    rows = []
    for i in found.shown:
        total = float(values[i].sum())
        cells = "".join(
            f'<td class="number {"hit" if i == j else "miss"}" '
            f'style="background:{_shade(values[i, j], total, i == j)}">{values[i, j]:,.{digits}f}</td>'
            for j in found.labelled
        )
        rows.append(f'<tr>{_name(found, i)}{cells}<td class="number">{total:,.{digits}f}</td></tr>\n')
    columns = values[:, found.labelled].sum(axis=0)
    sums = "".join(f'<td class="number">{value:,.{digits}f}</td>' for value in columns)
    return (
        f'<table><tr><th>Map ↓ Reference →</th>{heads}<th class="turned">Sum</th></tr>\n{"".join(rows)}'
        f'<tr class="sum"><td>Sum</td>{sums}<td class="number">{float(np.sum(values)):,.{digits}f}</td></tr></table>'
    )


def _shade(value: float, total: float, hit: bool) -> str:
    strength = 0.0 if total == 0 else 0.6 * math.sqrt(float(value) / total)  # few errors can be seen too
    return f"rgba({'40,140,80' if hit else '210,70,50'},{strength:.2f})"


def _name(found: Assessment, index: int) -> str:
    entry = found.scheme.entries[index]
    return f'<td><span class="key" style="background:{entry.colour}"></span>{escape(entry.name)}</td>'
