"""``landcover correct`` and ``landcover recode``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult, RecodeRequest


def _lines(result: EditResult) -> Iterator[str]:
    for pair, pixels in result.changes.items():
        yield f"{pair:28s} {pixels:12,} px"
    unused = f", {result.unused:,} without effect" if result.unused else ""
    yield f"{result.edits:,} edits{unused}: {result.changed:,} px changed in {result.seconds:.1f} s"
    yield from (path for path in (result.output, result.polygons, result.buildings, result.roads) if path)


CORRECT = tool_command(
    "correct",
    CorrectionsRequest,
    "apply_corrections",
    _lines,
    "Apply corrections to a classified raster.\n\nThe result is a new raster; the given one stays as it is.",
)
RECODE = tool_command(
    "recode",
    RecodeRequest,
    "recode_classes",
    _lines,
    "Replace classes of a classified raster.\n\nThe result is a new raster; the given one stays as it is.",
)
