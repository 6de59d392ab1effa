"""``landcover accuracy`` and ``landcover sample``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.requests.assessment import (
    ALLOCATIONS,
    REFERENCE_FIELD,
    AccuracyRequest,
    AccuracySampleRequest,
    expected_accuracies,
)
from dubai_landcover_plugin.protocol.requests.request import VECTOR_SUFFIXES


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    accuracy = add_command(
        commands, "accuracy", _accuracy, "compare a classified raster with the truth: raster, points or polygons", False
    )
    accuracy.add_argument("truth", help="classified raster, or vector file of labelled points or of polygons")
    accuracy.add_argument("classified")
    accuracy.add_argument(
        "--field", default=REFERENCE_FIELD, help="attribute of points or polygons with the class (%(default)s)"
    )
    accuracy.add_argument("--report", metavar="FILE.html", help="report with intervals, areas and confusion matrix")
    accuracy.add_argument("--table", metavar="FILE.csv", help="the figures as a table")
    accuracy.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    _add_sample(commands)


def _add_sample(commands: Any) -> None:
    defaults = AccuracySampleRequest
    sample = add_command(commands, "sample", _sample, "draw points of a classified raster to label in QGIS")
    sample.add_argument("classified")
    sample.add_argument("points", help=f"vector file ({', '.join(VECTOR_SUFFIXES)})")
    sample.add_argument(
        "--standard-error",
        type=float,
        default=defaults.standard_error,
        help="wanted standard error of overall accuracy (%(default)s)",
    )
    sample.add_argument(
        "--expected-accuracy",
        type=float,
        default=defaults.expected_accuracy,
        help="user's accuracy to be expected (%(default)s)",
    )
    sample.add_argument("--expected", nargs="+", default=[], metavar="CLASS=0.7", help="the same for single classes")
    sample.add_argument("--size", type=int, help="number of points, whatever standard error it gives")
    sample.add_argument("--allocation", choices=ALLOCATIONS, default=defaults.allocation, help="(%(default)s)")
    sample.add_argument(
        "--min-per-class",
        type=int,
        default=defaults.min_per_class,
        help="fewest points of a class under 'minimum' (%(default)s)",
    )
    sample.add_argument("--seed", type=int, default=defaults.seed, help="(%(default)s)")
    sample.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def _sample(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.assessment.sample import draw_accuracy_sample

    outcome = draw_accuracy_sample(
        AccuracySampleRequest(
            input=parsed.classified,
            output=parsed.points,
            standard_error=parsed.standard_error,
            expected=expected_accuracies(parsed.expected),
            expected_accuracy=parsed.expected_accuracy,
            size=parsed.size,
            allocation=parsed.allocation,
            min_per_class=parsed.min_per_class,
            seed=parsed.seed,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
        return 0
    total = sum(outcome.pixels.values())
    for name, points in outcome.points.items():
        sys.stdout.write(f"{name:12s} {points:6,} points  {outcome.pixels[name] / total:6.1%} of the map\n")
    sys.stdout.write(f"{outcome.size:,} points in {outcome.output}\n")
    return 0


def _accuracy(parsed: argparse.Namespace, monitor: Terminal) -> int:
    if parsed.report or parsed.table or _is_vector(parsed.truth):
        return _assess(parsed, monitor)
    from dubai_landcover_plugin.core.assessment.confusion import compare_maps

    figures = compare_maps(parsed.truth, parsed.classified)
    if parsed.json:
        print_json(figures)
        return 0
    sys.stdout.write(f"accuracy {figures['accuracy']}  mIoU {figures['miou']}  ({figures['pixels']:,} px)\n")
    for name, of_class in figures["classes"].items():
        sys.stdout.write(f"{name:12s} " + "  ".join(f"{key} {value}" for key, value in of_class.items()) + "\n")
    return 0


def _is_vector(path: str) -> bool:
    return "|layername=" in path or Path(path).suffix.lower() in VECTOR_SUFFIXES


def _assess(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.assessment.assess import assess_accuracy

    request = AccuracyRequest(
        input=parsed.classified,
        reference=parsed.truth,
        field=parsed.field,
        report=parsed.report,
        table=parsed.table,
        overwrite=parsed.overwrite,
    )
    found = assess_accuracy(request, monitor)
    monitor.finish()
    if parsed.json:
        print_json(found.to_json())
        return 0
    counted = found.facts["points" if found.kind == "points" else "pixels"]
    unit = "points" if found.kind == "points" else "px"
    sys.stdout.write(f"overall accuracy {_percent(found.overall)}  ({counted:,} {unit})\n")
    for name, figures in found.classes.items():
        area, factor = figures["area"], 1e4 if found.unit == "m2" else 1.0
        margin = "" if area["margin"] is None else f" ± {area['margin'] / factor:,.2f}"
        sys.stdout.write(
            f"{name:12s} user's {_percent(figures['users'])}  producer's {_percent(figures['producers'])}  "
            f"area {(area['value'] or 0) / factor:,.2f}{margin} {'ha' if factor > 1 else 'px'}\n"
        )
    for path in (found.report, found.table):
        if path:
            sys.stdout.write(f"{path}\n")
    return 0


def _percent(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "–"
    margin = "" if figure["margin"] is None else f" ± {100 * figure['margin']:.1f}"
    return f"{100 * figure['value']:.1f}{margin} %"
