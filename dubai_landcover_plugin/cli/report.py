"""``landcover report``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.request import VECTOR_SUFFIXES


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    report = add_command(commands, "report", _report, "areas of the classes of a classified raster, as a page")
    report.add_argument("input", help="the classified GeoTIFF")
    report.add_argument("report", help="the page, .html")
    report.add_argument("--csv", metavar="FILE.csv", help="the same figures as a table")
    report.add_argument("--zones", metavar="LAYER", help="polygons to report one by one; FILE or 'FILE|layername=NAME'")
    report.add_argument("--zone-field", metavar="NAME", help="attribute that names the zones (they are numbered)")
    report.add_argument(
        "--zones-layer", metavar="FILE", help=f"copy of the zones with areas and shares ({', '.join(VECTOR_SUFFIXES)})"
    )
    report.add_argument("--confidence", metavar="FILE.tif", help="confidence raster of the same run, for uncertainty")
    report.add_argument("--title", default=ReportRequest.title, help="heading of the page (%(default)s)")
    report.add_argument("--natural-colours", action="store_true", help="water blue, vegetation green and so on")
    report.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def _report(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.report.report import write_report

    outcome = write_report(
        ReportRequest(
            input=parsed.input,
            report=parsed.report,
            csv=parsed.csv,
            zones=parsed.zones,
            zone_field=parsed.zone_field,
            zones_layer=parsed.zones_layer,
            confidence=parsed.confidence,
            title=parsed.title,
            natural_colours=parsed.natural_colours,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
        return 0
    metres = outcome.unit == "m2"
    for name, area in outcome.areas.items():
        told = f"{area / 1e4:14,.2f} ha" if metres else f"{area:14,.0f} px"
        sys.stdout.write(f"{name:12s} {told} {100 * outcome.shares[name]:6.2f} %\n")
    written = [getattr(outcome, name) for name in ("report", "csv", "zones_layer") if getattr(outcome, name)]
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0
