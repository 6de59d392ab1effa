"""``landcover change``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest, ChangeResult


def _lines(result: ChangeResult) -> Iterator[str]:
    for name in ("changed", "unchanged", "uncertain"):
        yield _row(result, name.capitalize(), getattr(result, name))
    changes = [code for code in result.legend if code["change"]]
    for code in sorted(changes, key=lambda code: -float(code["area"])):
        yield _row(result, f"  {code['name']}", code["area"])
    shift = result.shift
    if shift is not None:
        on_ground = "" if shift["metres"] is None else f", {shift['metres']:.2f} m"
        yield f"Shift {shift['cols']:+.2f} columns, {shift['rows']:+.2f} rows{on_ground}"
    yield from (path for path in (result.output, result.polygons, result.csv, result.report) if path)


def _row(result: ChangeResult, name: str, area: float) -> str:
    shown = f"{area / 1e4:12,.2f} ha" if result.unit == "m²" else f"{area:12,.0f} px"
    return f"{name:28s} {100 * area / (result.compared or 1.0):6.2f} % {shown}"


CHANGE = tool_command("change", ChangeRequest, "map_change", _lines, "Change between two classified rasters.")
