"""``landcover roads``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    roads = add_command(commands, "roads", _roads, "road network of a classified raster")
    roads.add_argument("input", metavar="CLASSIFIED")
    roads.add_argument("output", metavar="OUTPUT", help="lines: .gpkg, .shp, .geojson, .fgb or .parquet")
    roads.add_argument("--nodes", metavar="FILE", help="also write ends and junctions as points")
    roads.add_argument("--class", dest="class_name", default=RoadsRequest.class_name, help="name or id (%(default)s)")
    roads.add_argument("--confidence", metavar="FILE", help="confidence raster of the same run")
    roads.add_argument(
        "--barriers", nargs="*", help="classes that no bridge crosses (default: Water and Building, where they exist)"
    )
    for name, text in (
        ("max-gap", "widest gap that is bridged, m"),
        ("spur", "branches shorter than so many road widths are cut off"),
        ("min-length", "shortest network kept, m"),
        ("max-width", "what is wider is no road, m"),
        ("max-hole", "largest hole that is filled, m²"),
        ("simplify", "tolerance, m"),
    ):
        default = getattr(RoadsRequest, name.replace("-", "_"))
        roads.add_argument(f"--{name}", type=float, default=default, help=f"{text} (%(default)s)")
    roads.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def _roads(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.roads.extract import extract_roads

    outcome = extract_roads(
        RoadsRequest(
            input=parsed.input,
            output=parsed.output,
            nodes=parsed.nodes,
            class_name=parsed.class_name,
            confidence=parsed.confidence,
            max_gap=parsed.max_gap,
            barriers=None if parsed.barriers is None else tuple(parsed.barriers),
            spur=parsed.spur,
            min_length=parsed.min_length,
            max_width=parsed.max_width,
            max_hole=parsed.max_hole,
            simplify=parsed.simplify,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
        return 0
    sys.stdout.write(
        f"{outcome.lines} lines, {outcome.length:.0f} {outcome.unit}, {outcome.junctions} junctions, "
        f"{outcome.ends} ends, {outcome.networks} networks, {outcome.bridged} gaps bridged: "
        f"{outcome.output}\n"
    )
    return 0
