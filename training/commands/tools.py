"""Commands made from the requests of training: those of the algorithms in QGIS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameters_of, request_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.cli.values import Command
from dubai_landcover_plugin.protocol.requests.labelling import CheckLabelsRequest, CheckLabelsResult
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.training import (
    EvaluateRequest,
    EvaluateResult,
    ExportRequest,
    ExportResult,
    SampleDataRequest,
    SampleDataResult,
    TrainRequest,
    TrainResult,
)


def _tool(
    name: str, request: type[Request], task: str, lines: Callable[[Any], Iterable[str]], text: str, status: Any = None
) -> Command:
    """Return the command of a tool of :mod:`training.tasks`.

    Args:
        name: Name on the command line.
        request: The tool's request.
        task: Name of the tool.
        lines: Returns a result as lines of text.
        text: Help of the command.
        status: Returns the exit status of a result; None for 0.
    """

    def run(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
        from .. import tasks

        result = getattr(tasks, task)(request_of(request, values), monitor)
        return Outcome(result.to_json(), lines(result), status(result) if status else 0)

    return command(name, text, parameters_of(request), run)


def _checked(result: CheckLabelsResult) -> Iterator[str]:
    yield f"{result.images} images, {result.labels} labels"
    for name, count in result.pixels.items():
        yield f"{name:12s} {count:>12,} px"
    yield from (f"ERROR    {text}" for text in result.errors)
    yield from (f"PROBLEM  {text}" for text in result.problems)
    yield "A training can start." if result.usable else "A training cannot start."


def _trained(result: TrainResult) -> Iterator[str]:
    if result.output is None:
        yield f"about {result.estimated:g} min for {result.planned} steps"
        return
    yield result.verdict
    yield f"{result.output} ({result.steps} steps, {result.minutes:g} min)"


def _evaluated(result: EvaluateResult) -> Iterator[str]:
    yield f"{result.model}, {result.images} images"
    yield f"accuracy {_figure(result.accuracy)}, mean IoU {_figure(result.miou)}"
    for name, figures in result.classes.items():
        yield f"{name:12s} IoU {_figure(figures['iou'])}"


def _exported(result: ExportResult) -> Iterator[str]:
    yield from result.files


def _made(result: SampleDataResult) -> Iterator[str]:
    yield f"{result.output}; {result.polygons} labels in {result.labels}" if result.labels else result.output


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


TOOLS = (
    _tool(
        "sample-data", SampleDataRequest, "make_sample_data", _made,
        "Draw a synthetic town and labels of some places, to try a training.",
    ),
    _tool(
        "check-labels", CheckLabelsRequest, "check_labels", _checked,
        "Check labels before a training.\n\nThe exit status is 1 if a training cannot start.",
        lambda result: 0 if result.usable else 1,
    ),
    _tool(
        "train-model", TrainRequest, "train_model", _trained,
        "Train a model with labelled rasters.\n\nThe model is compared with the one that it started from. Ctrl+C keeps "
        "the best so far.",
    ),
    _tool("evaluate-model", EvaluateRequest, "evaluate_model", _evaluated, "Compare a model with labelled rasters."),
    _tool("export-model", ExportRequest, "export_model", _exported, "Export a model for other programs."),
)  # fmt: skip
"""Commands in the order of their use."""
