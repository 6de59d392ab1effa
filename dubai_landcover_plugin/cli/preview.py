"""``landcover preview``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameters_of, request_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.requests.preview import UNUSED_OPTIONS, PreviewRequest, PreviewResult


def _preview(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core import preview_land_cover

    result = preview_land_cover(request_of(PreviewRequest, values), monitor)
    return Outcome(result.to_json(), _lines(result))


def _lines(result: PreviewResult) -> Iterator[str]:
    total = max(sum(result.pixels.values()), 1)
    for name, pixels in result.pixels.items():
        yield f"{name:12s} {100 * pixels / total:5.1f} %"
    yield f"{result.width}×{result.height} px in {result.seconds:.1f} s"
    yield from (path for path in (result.output, result.confidence) if path)


PREVIEW = command(
    "preview",
    "Classify a part of a raster quickly.\n\nFor a look before a run: no overviews, no run record, no polygons.",
    parameters_of(PreviewRequest, skip=UNUSED_OPTIONS),
    _preview,
)
