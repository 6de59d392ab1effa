"""``landcover polygons``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, add_polygon_options, print_json
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.request import VECTOR_SUFFIXES


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    polygons = add_command(commands, "polygons", _polygons, "polygons of a classified raster")
    polygons.add_argument("input", help="a raster made by landcover segment")
    polygons.add_argument(
        "output", help=f"a vector file ({', '.join(VECTOR_SUFFIXES)}), or a folder: then a file for each class"
    )
    polygons.add_argument(
        "--classes", nargs="+", metavar="CLASS", help="names or ids; a file gets all, a folder Building and Road"
    )
    polygons.add_argument(
        "--format", default="shp", choices=[suffix[1:] for suffix in VECTOR_SUFFIXES], help="in a folder (%(default)s)"
    )
    polygons.add_argument("--confidence", metavar="FILE.tif", help="confidence raster of the same run, for attributes")
    polygons.add_argument("--corners", action="store_true", help="join pixels that touch at a corner (8-connected)")
    add_polygon_options(polygons)


def _polygons(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons, polygonize

    shape = {
        "min_area": parsed.min_area,
        "simplify": parsed.simplify,
        "corners": parsed.corners,
        "confidence": parsed.confidence,
        "overwrite": parsed.overwrite,
    }
    classes = tuple(parsed.classes or ())
    if parsed.output.lower().endswith(tuple(VECTOR_SUFFIXES)):
        outcome = polygonize(PolygonizeRequest(parsed.input, parsed.output, classes, **shape), monitor)
        files = dict.fromkeys(outcome.counts, outcome.file)
    else:
        chosen = {"classes": classes} if classes else {}
        outcome = export_class_polygons(
            ClassFilesRequest(parsed.input, parsed.output, suffix=f".{parsed.format}", **chosen, **shape), monitor
        )
        files = outcome.files
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
        return 0
    for name, path in files.items():
        sys.stdout.write(f"{name:12s} {outcome.counts[name]:9,} polygons  {path}\n")
    sys.stdout.write("Areas        raster, after merging small regions, polygons; 0 gaps, 0 overlaps\n")
    for name, areas in outcome.conservation["areas"].items():
        sys.stdout.write(f"{name:12s} " + " ".join(f"{value:15,.0f}" for value in areas.values()) + "\n")
    return 0
