"""``landcover teach``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameters_of, request_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.requests.teaching import UNUSED_OPTIONS, TeachRequest, TeachResult


def _teach(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core.teaching.teach import teach_model

    result = teach_model(request_of(TeachRequest, values), monitor)
    return Outcome(result.to_json(), _lines(result))


def _lines(result: TeachResult) -> Iterator[str]:
    before, after = _percent(result.before), _percent(result.after)
    yield f"agreement with the labels: before {before}, after {after} (cross-validated)"
    for name, count in result.samples.items():
        found = result.classes[name]
        yield f"{name:12s} {count:6,} labels  {_percent(found['before'])} → {_percent(found['after'])}"
    yield f"{result.output} ({result.seconds:.1f} s)"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


TEACH = command(
    "teach",
    "Correct a model with labels.\n\nThe labels are points, lines or polygons drawn on a raster, with a class. The "
    "taught model is a file for --model of the other commands.",
    parameters_of(TeachRequest, skip=UNUSED_OPTIONS),
    _teach,
)
