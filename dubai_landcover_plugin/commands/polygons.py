"""``landcover polygons``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.commands.command import Terminal, add_command, add_polygon_options, print_json
from dubai_landcover_plugin.core.requests.checks import VECTOR_SUFFIXES
from dubai_landcover_plugin.core.requests.polygons import PolygonsRequest


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    polygons = add_command(commands, "polygons", _polygons, "class polygons of a classified raster")
    polygons.add_argument("input")
    polygons.add_argument("output_folder")
    polygons.add_argument(
        "--classes", nargs="+", default=list(PolygonsRequest.classes), help="names or ids (%(default)s)"
    )
    polygons.add_argument("--format", default="shp", choices=[suffix[1:] for suffix in VECTOR_SUFFIXES])
    add_polygon_options(polygons)


def _polygons(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.polygons import export_polygons

    outcome = export_polygons(
        PolygonsRequest(
            input=parsed.input,
            output_folder=parsed.output_folder,
            classes=tuple(parsed.classes),
            suffix=f".{parsed.format}",
            min_area=parsed.min_area,
            simplify=parsed.simplify,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        print_json(outcome)
    else:
        for name, path in outcome["files"].items():
            sys.stdout.write(f"{name}: {outcome['counts'][name]} polygons, {path}\n")
    return 0
