"""``landcover change``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.request import VECTOR_SUFFIXES


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    change = add_command(commands, "change", _change, "what changed between two classified rasters")
    change.add_argument("earlier", help="classified raster of the earlier date; the result has its pixels")
    change.add_argument("later", help="classified raster of the later date")
    change.add_argument("output", help="the from–to GeoTIFF")
    change.add_argument("--polygons", metavar="FILE", help=f"polygons of change ({', '.join(VECTOR_SUFFIXES)})")
    change.add_argument("--csv", metavar="FILE.csv", help="change matrix, a line for each pair of classes")
    change.add_argument("--report", metavar="FILE.html", help="report with matrix, gains and losses")
    change.add_argument("--earlier-confidence", metavar="FILE", help="confidence raster of the earlier date, percent")
    change.add_argument("--later-confidence", metavar="FILE", help="confidence raster of the later date, percent")
    change.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="P", help="less sure in either date: uncertain (0..1)"
    )
    change.add_argument(
        "--min-area", type=float, default=ChangeRequest.min_area, metavar="A", help="smallest polygon, m² (%(default)s)"
    )
    change.add_argument(
        "--correct-shift", action="store_true", help="move the later raster by the estimated shift, in whole pixels"
    )
    change.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def _change(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.change.compare import map_change

    names = (
        "earlier", "later", "output", "polygons", "csv", "report", "earlier_confidence", "later_confidence",
        "min_confidence", "min_area", "correct_shift", "overwrite",
    )  # fmt: skip
    outcome = map_change(ChangeRequest(**{name: getattr(parsed, name) for name in names}), monitor)
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
        return 0
    in_hectares = outcome.unit == "m²"
    whole = outcome.compared or 1.0

    def row(name: str, area: float) -> None:
        shown = f"{area / 1e4:12,.2f} ha" if in_hectares else f"{area:12,.0f} px"
        sys.stdout.write(f"{name:28s} {100 * area / whole:6.2f} % {shown}\n")

    for name in ("changed", "unchanged", "uncertain"):
        row(name.capitalize(), getattr(outcome, name))
    for code in sorted((code for code in outcome.legend if code["change"]), key=lambda code: -code["area"]):
        row(f"  {code['name']}", code["area"])
    shift = outcome.shift
    if shift is not None:
        on_ground = "" if shift["metres"] is None else f", {shift['metres']:.2f} m"
        sys.stdout.write(f"Shift {shift['cols']:+.2f} columns, {shift['rows']:+.2f} rows{on_ground}\n")
    for key in ("output", "polygons", "csv", "report"):
        if getattr(outcome, key):
            sys.stdout.write(f"{getattr(outcome, key)}\n")
    return 0
