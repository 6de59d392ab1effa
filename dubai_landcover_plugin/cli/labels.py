"""``landcover label-layer``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameters_of, request_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.requests.labelling import UNUSED_OPTIONS, LabelLayerRequest, LabelLayerResult


def _create(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core import create_label_layer

    result = create_label_layer(request_of(LabelLayerRequest, values), monitor)
    return Outcome(result.to_json(), _lines(result))


def _lines(result: LabelLayerResult) -> Iterator[str]:
    yield f"{result.output}: {', '.join(result.classes)}"
    if result.places is not None:
        yield f"{result.places}: {result.count} places"


LABEL_LAYER = command(
    "label-layer",
    "Make a layer to draw labels on.\n\nIts form in QGIS lists the classes of a model. With --places it proposes "
    "squares that are worth labelling.",
    parameters_of(LabelLayerRequest, skip=UNUSED_OPTIONS),
    _create,
)
