"""``landcover buildings``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest, BuildingsResult


def _lines(result: BuildingsResult) -> Iterator[str]:
    yield f"{result.buildings} buildings, {result.regular} mostly at right angles: {result.output}"


BUILDINGS = tool_command(
    "buildings",
    BuildingsRequest,
    "regularize_buildings",
    _lines,
    "Building polygons with straight walls.\n\nRight angles in the directions of each building, chords along curved or "
    "oblique streets.",
)
