"""Dangling ends of the lines of a road network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.filters import median
from dubai_landcover_plugin.core.roads.graph import RoadGraph

_LOOK_BACK = 3.0  # half widths over which the direction of a dangle is measured


@dataclass(frozen=True)
class Dangle:
    """A dangling end of a line.

    Args:
        node: Node of degree 1.
        line: Its line.
        position: (2,) x, y in pixels.
        direction: (2,) unit vector on the ground, outwards.
        half_width: Median near the end, m (px without a CRS).
        length: Length of the line, m (px without a CRS).
    """

    node: int
    line: int
    position: Points
    direction: Points
    half_width: float
    length: float


def find_dangles(graph: RoadGraph) -> list[Dangle]:
    """Return the dangles of a graph."""
    found = []
    for number, line in graph.lines.items():
        for node in (line.start, line.end):
            if graph.degree(node) != 1:
                continue
            outward = line if node == line.end else line.reversed()
            known = outward.half_width[outward.half_width > 0][-40:]
            half_width = median(known) if len(known) else 0.0
            back = np.cumsum(outward.steps(graph.metric)[::-1])
            # Direction: from a point some half widths before the end to the end.
            reach = max(_LOOK_BACK * half_width, 6 * graph.cell * graph.metric.gsd)
            far = 1 + int(np.searchsorted(back, reach))
            vector = graph.metric.vector(outward.points[-1 - min(far, len(back))], outward.points[-1])
            length = float(np.hypot(*vector))
            if length > 0:
                found.append(Dangle(node, number, outward.points[-1], vector / length, half_width, float(back[-1])))
    return found
