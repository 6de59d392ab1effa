"""``landcover report``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.report import ReportRequest, ReportResult


def _lines(result: ReportResult) -> Iterator[str]:
    for name, area in result.areas.items():
        shown = f"{area / 1e4:14,.2f} ha" if result.unit == "m2" else f"{area:14,.0f} px"
        yield f"{name:12s} {shown} {100 * result.shares[name]:6.2f} %"
    yield from (path for path in (result.report, result.csv, result.zones_layer) if path)


REPORT = tool_command("report", ReportRequest, "write_report", _lines, "Areas of the classes, as a web page.")
