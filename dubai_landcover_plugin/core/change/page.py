"""The HTML page of a change between two dates: view models of ``change.html.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from dubai_landcover_plugin.core.change.result import Comparison
from dubai_landcover_plugin.core.change.transitions import ClassChange
from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.numbers import HECTARES, PIXELS, AreaUnit, percent, thousands
from dubai_landcover_plugin.core.html.table import Bar, Cell, Column, Named, Shaded, Table, columns
from dubai_landcover_plugin.protocol.translation import isolated, tr

_MOST_TRANSITIONS = 12
_LONGEST_BAR = 0.95  # of the cell's width, in the table of gains and losses
_SAME = "#f1f1f1"
_LEAST_HECTARES = 10  # smaller comparisons are shown in m²


def change_page(comparison: Comparison) -> str:
    """Return a self-contained page."""
    unit = _area_unit(comparison)
    classes = comparison.transitions.by_class(comparison.coding.names)
    return render(
        "change.html.j2",
        title=tr("Land-cover change"),
        request=comparison.request,
        facts=_facts(comparison),
        warnings=comparison.warnings,
        unit=unit,
        overview=_overview(comparison, unit),
        gains=_gains(comparison, classes, unit),
        matrix=_matrix(comparison, classes, unit),
        transitions=_transitions(comparison, unit),
        shift=comparison.shift,
        corrected=comparison.corrected,
        record=comparison.result().to_json(),
    )


def _area_unit(comparison: Comparison) -> AreaUnit:
    if comparison.transitions.unit == "px":
        return PIXELS
    return AreaUnit("m²", 1.0, 0) if comparison.transitions.compared < _LEAST_HECTARES * HECTARES.size else HECTARES


def _facts(comparison: Comparison) -> list[str]:
    models = list(dict.fromkeys(name for name in comparison.models if name))
    facts = [tr("{size} px compared", size=f"{thousands(comparison.width)} × {thousands(comparison.height)}")]
    if models:
        names = tr(" and ").join(map(isolated, models))
        facts.append(tr("models {names}", names=names) if len(models) > 1 else tr("model {name}", name=names))
    if comparison.request.min_confidence > 0:
        facts.append(tr("minimum confidence {percent:g} %", percent=100 * comparison.request.min_confidence))
    if comparison.polygons is not None:
        smallest = f"{comparison.request.min_area:g} {comparison.transitions.unit}"
        facts.append(tr("{count:,} polygons of at least {area}", count=comparison.polygons, area=smallest))
    return facts


def _overview(comparison: Comparison, unit: AreaUnit) -> Table:
    transitions = comparison.transitions
    listed = [
        (tr("Changed"), transitions.changed, "#d8452e"),
        (tr("Unchanged"), transitions.unchanged, "#bdbdbd"),
        (tr("Uncertain"), transitions.uncertain, "#7a7a7a"),
    ]
    whole = transitions.compared or 1.0
    rows = tuple(
        (name, Bar(colour, area / whole), percent(area / whole, 2), f"{unit.text(area)} {unit.shown}")
        for name, area, colour in listed
    )
    return Table((Column(""), Column("", width="50%"), Column("", number=True), Column("", number=True)), rows)


def _gains(comparison: Comparison, classes: Sequence[ClassChange], unit: AreaUnit) -> Table:
    largest = max([one.gain for one in classes] + [one.loss for one in classes] + [1e-9]) / _LONGEST_BAR
    rows: list[Sequence[Cell]] = []
    for index, one in enumerate(classes):
        colour = _css(comparison.coding.colour_of(index))
        loss, gain = Bar(colour, one.loss / largest, opacity=0.45), Bar(colour, one.gain / largest)
        net = f"{'+' if one.net > 0 else '−' if one.net < 0 else ''}{unit.text(abs(one.net))}"
        rows.append((one.name, unit.text(one.loss), loss, gain, unit.text(one.gain), net, unit.text(one.swap)))
    heads = (
        Column(tr("Class")), Column(tr("Loss"), number=True), Column("", width="34%", classes="half left"),
        Column("", width="34%", classes="half"), *columns((tr("Gain"), tr("Net"), tr("Swap")), text=0),
    )  # fmt: skip
    return Table(heads, tuple(rows))


def _matrix(comparison: Comparison, classes: Sequence[ClassChange], unit: AreaUnit) -> Table:
    names, areas = comparison.coding.names, comparison.transitions.areas
    rows: list[Sequence[Cell]] = []
    for row, name in enumerate(names):
        texts = [unit.text(float(area)) for area in areas[row]]
        cells = [Shaded(text, _SAME) if row == column else text for column, text in enumerate(texts)]
        rows.append((name, *cells, unit.text(classes[row].before)))
    heads = (*columns((tr("From ↓ to →"), *names)), Column(tr("Earlier"), number=True, classes="total"))
    totals = (tr("Later"), *(unit.text(one.after) for one in classes), unit.text(float(areas.sum())))
    return Table(heads, tuple(rows), totals=totals)


def _transitions(comparison: Comparison, unit: AreaUnit) -> Table:
    areas = comparison.areas_by_code()
    changes = sorted((code for code in comparison.legend() if code.is_change), key=lambda code: -areas[code.id])
    rows = []
    for code in changes[:_MOST_TRANSITIONS]:
        colour, area = _css(code.rgb), areas[code.id]
        bar = Bar(colour, area / areas[changes[0].id])
        rows.append((Named(code.name, colour), bar, f"{unit.text(area)} {unit.shown}", tr("code {id}", id=code.id)))
    return Table((Column(""), Column("", width="45%"), Column("", number=True), Column("", number=True)), tuple(rows))


def _css(rgb: tuple[int, int, int]) -> str:
    return "rgb({}, {}, {})".format(*rgb)
