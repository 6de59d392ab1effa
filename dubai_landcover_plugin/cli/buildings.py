"""``landcover buildings``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    parser = add_command(commands, "buildings", _buildings, "building polygons with right angles along their own walls")
    parser.add_argument("input", help="polygon layer; FILE|layername=NAME where there are several")
    parser.add_argument("output", help=".gpkg, .shp, .geojson, .fgb or .parquet")
    parser.add_argument(
        "--tolerance", type=float, help="shortest edge, m (two pixels of outlines that follow pixels, else 2)"
    )
    parser.add_argument(
        "--min-iou",
        type=float,
        default=BuildingsRequest.min_iou,
        help="smallest IoU with the given outline, which is kept otherwise (%(default)s)",
    )
    parser.add_argument("--diagonals", action="store_true", help="allow edges at 45°")
    parser.add_argument(
        "--split", type=float, default=BuildingsRequest.split, metavar="WIDTH",
        help="part touching buildings where they are narrower than this, m",
    )  # fmt: skip
    parser.add_argument(
        "--min-part",
        type=float,
        default=BuildingsRequest.min_part,
        help="smallest building that --split makes, m² (%(default)s)",
    )
    parser.add_argument("--obstacles", help="polygon layer that outlines must not newly overlap, such as roads")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")


def _buildings(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.buildings.regularize import regularize_buildings

    outcome = regularize_buildings(
        BuildingsRequest(
            input=parsed.input,
            output=parsed.output,
            tolerance=parsed.tolerance,
            min_iou=parsed.min_iou,
            diagonals=parsed.diagonals,
            split=parsed.split,
            min_part=parsed.min_part,
            obstacles=parsed.obstacles,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
    else:
        sys.stdout.write(f"{outcome.buildings} buildings, {outcome.regular} regular: {outcome.output}\n")
    return 0
