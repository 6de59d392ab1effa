"""``landcover accuracy`` and ``landcover sample``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameters_of, request_of, tool_command
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.requests.assessment import (
    AccuracyRequest,
    AccuracyResult,
    AccuracySampleRequest,
    AccuracySampleResult,
)
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES


def _sample_lines(result: AccuracySampleResult) -> Iterator[str]:
    total = sum(result.pixels.values())
    for name, points in result.points.items():
        yield f"{name:12s} {points:6,} points  {result.pixels[name] / total:6.1%} of the map"
    yield f"{result.size:,} points in {result.output}"


def _accuracy(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    if {"report", "table"} & set(values) or _is_vector(values["reference"]):
        from dubai_landcover_plugin.core.assessment.assess import assess_accuracy

        result = assess_accuracy(request_of(AccuracyRequest, values), monitor)
        return Outcome(result.to_json(), _assessment_lines(result))
    from dubai_landcover_plugin.core.assessment import compare

    figures = compare.compare_maps(
        values["reference"], values["input"], values.get("scheme"), values.get("reference_scheme"), monitor
    )
    return Outcome(figures, _comparison_lines(figures))


def _is_vector(path: str) -> bool:
    return "|layername=" in path or Path(path).suffix.lower() in VECTOR_SUFFIXES


def _comparison_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"accuracy {figures['accuracy']}  mIoU {figures['miou']}  ({figures['pixels']:,} px)"
    for name, of_class in figures["classes"].items():
        yield f"{name:12s} " + "  ".join(f"{key} {value}" for key, value in of_class.items())


def _assessment_lines(result: AccuracyResult) -> Iterator[str]:
    counted = result.facts["points" if result.kind == "points" else "pixels"]
    yield f"overall accuracy {_percent(result.overall)}  ({counted:,} {'points' if result.kind == 'points' else 'px'})"
    factor, unit = (1e4, "ha") if result.unit == "m2" else (1.0, "px")
    for name, figures in result.classes.items():
        area = figures["area"]
        margin = "" if area["margin"] is None else f" ± {area['margin'] / factor:,.2f}"
        yield (
            f"{name:12s} user's {_percent(figures['users'])}  producer's {_percent(figures['producers'])}  "
            f"area {(area['value'] or 0) / factor:,.2f}{margin} {unit}"
        )
    yield from (path for path in (result.report, result.table) if path)


def _percent(figure: Mapping[str, float | None]) -> str:
    value, margin = figure["value"], figure["margin"]
    if value is None:
        return "–"
    return f"{100 * value:.1f}{'' if margin is None else f' ± {100 * margin:.1f}'} %"


_INPUT, _REFERENCE, *_OPTIONS = parameters_of(AccuracyRequest)
ACCURACY = command(
    "accuracy",
    "Accuracy and areas from a reference.\n\nThe reference is labelled points, polygons or a raster. With a raster, "
    "and neither --report nor --table, plain figures of the pixels are printed.",
    [_REFERENCE, _INPUT, *_OPTIONS],
    _accuracy,
    polls=False,
)
SAMPLE = tool_command(
    "sample",
    AccuracySampleRequest,
    "draw_accuracy_sample",
    _sample_lines,
    "Random points to label in QGIS.\n\nThey are drawn from each class of a classified raster.",
)
