"""``landcover correct``, ``landcover recode`` and ``landcover reclassify``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult, RecodeRequest
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest, ReclassifyResult


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


def _reclassified_lines(result: ReclassifyResult) -> Iterator[str]:
    for pair, pixels in result.changes.items():
        yield f"{pair:28s} {pixels:12,} px"
    for name, pixels in result.pixels.items():
        area = "" if result.area_m2 is None else f"  {result.area_m2[name] / 1e4:12,.2f} ha"
        yield f"{name:28s} {pixels:12,} px{area}"
    yield f"{result.changed:,} px differ from the most probable class; {result.seconds:.1f} s"
    rasters = (result.output, result.confidence, result.uncertainty)
    yield from (path for path in (*rasters, result.polygons, result.buildings, result.roads) if path)


RECLASSIFY = tool_command(
    "reclassify",
    ReclassifyRequest,
    "reclassify_probabilities",
    _reclassified_lines,
    "Make other classes of the probabilities of a run.\n\nWeights and thresholds are applied to the raster of "
    "landcover segment --probabilities, without a new run.",
)
