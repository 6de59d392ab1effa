"""``landcover roads``."""

from __future__ import annotations

from collections.abc import Iterator

from dubai_landcover_plugin.cli.options import tool_command
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest, RoadsResult


def _lines(result: RoadsResult) -> Iterator[str]:
    yield (
        f"{result.lines} lines, {result.length:.0f} {result.unit}, {result.junctions} junctions, {result.ends} ends, "
        f"{result.networks} networks, {result.bridged} gaps bridged: {result.output}"
    )


ROADS = tool_command("roads", RoadsRequest, "extract_roads", _lines, "Road network of a classified raster.")
