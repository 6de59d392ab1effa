"""The HTML page of an accuracy assessment: view models of ``accuracy.html.j2``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.numbers import HECTARES, MISSING, PIXELS, decimals, with_margin
from dubai_landcover_plugin.core.html.table import Cell, Column, IntervalBar, Named, Shaded, Table, columns
from dubai_landcover_plugin.protocol.translation import tr

_OVERALL = {
    "points": "of the area is right: overall accuracy.",
    "polygons": "of the pixels in the polygons are right: overall accuracy.",
    "raster": "of the compared pixels are right: overall accuracy.",
}
_OVERALL_WITH_INTERVAL = {
    "points": "of the area is right: overall accuracy, with its 95 % interval.",
    "polygons": "of the pixels in the polygons are right: overall accuracy, with its 95 % interval.",
    "raster": "of the compared pixels are right: overall accuracy, with its 95 % interval.",
}
_FACTS = {
    "points": "{count:,} points",
    "polygons": "{count:,} polygons",
    "pixels": "{count:,} pixels",
    "unlabelled": "{count:,} unlabelled",
    "outside": "{count:,} outside",
    "on_nodata": "{count:,} on nodata",
    "without_pixels": "{count:,} without pixels",
    "shared_pixels": "{count:,} shared pixels",
}
"""Counts of :attr:`.Assessment.facts`, in words."""
_MISS_INK = "#555"


def assessment_page(found: Assessment, title: str, reference: str) -> str:
    """Return a self-contained page.

    Args:
        found: The assessment.
        title: The map, for example its path.
        reference: The reference data, for example its path.
    """
    return render(
        "accuracy.html.j2",
        title=tr("Accuracy assessment"),
        map=title,
        reference=reference,
        facts=[tr(_FACTS[name], count=count) for name, count in found.facts.items()],
        overall=_percent(found.overall),
        found=(
            tr(_OVERALL_WITH_INTERVAL[found.kind]) if math.isfinite(found.overall.margin) else tr(_OVERALL[found.kind])
        ),
        classified=None if found.classified is None else _percent(found.classified),
        unlabeled=found.scheme.unlabeled.name,
        warnings=found.warnings,
        accuracy=_accuracy_table(found),
        areas=_area_table(found),
        counted=tr("Confusion matrix: points") if found.kind == "points" else tr("Confusion matrix: pixels"),
        counts=_matrix(found, as_shares=False),
        shares=_matrix(found, as_shares=True),
        method=found.method,
    )


def _percent(figure: IntervalEstimate) -> str:
    text = with_margin(100 * figure.value, 100 * figure.margin, 1)
    return text if text == MISSING else f"{text} %"


def _accuracy_table(found: Assessment) -> Table:
    rows: list[Sequence[Cell]] = []
    for index in found.labelled:
        users, producers = found.users[index], found.producers[index]
        first = (_bar(found, index, users, 1.0), _percent(users))
        rows.append((_name(found, index), *first, _bar(found, index, producers, 1.0), _percent(producers)))
    heads = (
        Column(tr("Class")), Column(""),
        Column(tr("User's"), number=True, title=tr("Share of the area mapped as the class that is the class")),
        Column(""),
        Column(
            tr("Producer's"), number=True, title=tr("Share of the class on the ground that is mapped as the class")
        ),
    )  # fmt: skip
    return Table(heads, tuple(rows))


def _area_table(found: Assessment) -> Table:
    unit = HECTARES if found.unit == "m2" else PIXELS
    upper = [figure.value + (figure.margin if math.isfinite(figure.margin) else 0) for figure in found.areas]
    longest = max([*upper, *found.mapped.tolist(), 1e-9])
    rows: list[Sequence[Cell]] = []
    for index in found.shown:
        figure = found.areas[index]
        estimate = with_margin(figure.value / unit.size, figure.margin / unit.size, unit.decimals)
        bar = _bar(found, index, figure, longest, found.mapped[index])
        rows.append((_name(found, index), unit.text(found.mapped[index]), bar, estimate))
    areas = tr("Estimated, {unit}" if found.kind == "points" else "Reference, {unit}", unit=unit.shown)
    heads = (
        Column(tr("Class")), Column(tr("Map, {unit}", unit=unit.shown), number=True), Column(""),
        Column(areas, number=True),
    )  # fmt: skip
    return Table(heads, tuple(rows))


def _bar(found: Assessment, index: int, figure: IntervalEstimate, longest: float, tick: float | None = None) -> Cell:
    """Return a bar with a whisker for the interval and a tick at another value; empty for an undefined figure."""
    if not math.isfinite(figure.value):
        return ""

    def position(value: float) -> float:
        return min(max(value / longest, 0.0), 1.0)

    interval = None
    if math.isfinite(figure.margin):
        interval = position(figure.value - figure.margin), position(figure.value + figure.margin)
    colour = found.scheme.entries[index].colour
    return IntervalBar(colour, position(figure.value), interval, None if tick is None else position(tick))


def _matrix(found: Assessment, as_shares: bool) -> Table:
    """Return the confusion matrix: rows are the map, columns the reference; shading is the share of the row."""
    values = 100 * found.shares if as_shares else found.counts
    digits = 2 if as_shares else 0
    rows: list[Sequence[Cell]] = []
    for i in found.shown:
        total = float(values[i].sum())
        cells = [_cell(float(values[i, j]), total, digits, hit=i == j) for j in found.labelled]
        rows.append((_name(found, i), *cells, decimals(total, digits)))
    sums = [decimals(float(value), digits) for value in values[:, found.labelled].sum(axis=0)]
    names = [found.scheme.entries[j].name for j in found.labelled]
    return Table(
        columns((tr("Map ↓ Reference →"), *names, tr("Sum"))), tuple(rows),
        totals=(tr("Sum"), *sums, decimals(float(values.sum()), digits)),
    )  # fmt: skip


def _cell(value: float, total: float, digits: int, hit: bool) -> Shaded:
    opacity = 0.0 if total == 0 else 0.6 * math.sqrt(value / total)  # the root makes few errors visible
    background = f"rgba({'40,140,80' if hit else '210,70,50'},{opacity:.2f})"
    return Shaded(decimals(value, digits), background, "" if hit else _MISS_INK, strong=hit)


def _name(found: Assessment, index: int) -> Named:
    entry = found.scheme.entries[index]
    return Named(entry.name, entry.colour)
