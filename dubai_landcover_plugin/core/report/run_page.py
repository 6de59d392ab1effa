"""The HTML page of one segmentation run: areas by class and the run record."""

from __future__ import annotations

from typing import Any

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.numbers import MISSING, hectares, percent, thousands
from dubai_landcover_plugin.core.html.table import Bar, Column, Named, Table
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import tr


def run_page(record: dict[str, Any], scheme: ClassScheme) -> str:
    """Return a self-contained page.

    Args:
        record: Run record, see :func:`.run_record`.
        scheme: Classes of the run, in the colours to show.
    """
    result = record["result"]
    return render(
        "run.html.j2", title=tr("Land cover"), record=record, result=result, classes=_class_table(result, scheme)
    )


def _class_table(result: dict[str, Any], scheme: ClassScheme) -> Table:
    total = max(result["valid_pixels"], 1)
    areas = result["area_m2"]
    largest = max([*result["pixels"].values(), 1])
    rows = []
    for entry in scheme.entries:
        pixels = result["pixels"][entry.name]
        area = MISSING if areas is None else hectares(areas[entry.name])
        name, bar = Named(entry.name, entry.colour), Bar(entry.colour, pixels / largest)
        rows.append((name, bar, percent(pixels / total), area, thousands(pixels)))
    heads = (Column(tr("Class")), Column("", width="45%"))
    numbers = (Column(head, number=True) for head in (tr("Share"), tr("Hectares"), tr("Pixels")))
    return Table((*heads, *numbers), tuple(rows))
