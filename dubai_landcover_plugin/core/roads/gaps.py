"""Bridges gaps between dangling road ends: under trees, in shadows, where the classification failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.dangles import Dangle, find_dangles
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.line_index import LineIndex

_STRAIGHT = math.cos(math.radians(35))  # largest angle between a bridge and the direction of a dangle
_BENT = math.cos(math.radians(75))  # the same over a short gap
_SHORT = 0.3  # short gaps, as a fraction of the largest gap
_CROSSING = math.sin(math.radians(30))  # smallest angle at which a bridge may meet a line
_WIDTH_RATIO = 3.0  # largest ratio of the widths of two dangles

CrossesBarrier = Callable[[npt.NDArray[np.object_], npt.NDArray[np.bool_]], npt.NDArray[np.bool_]]
"""Returns which bridges cross a barrier, (N,) bool, given LineStrings in pixels, (N,), and which are short, (N,)."""


@dataclass(frozen=True)
class _Bridge:
    """A candidate bridge from a dangle to another dangle, or to a point of a line.

    Args:
        cost: Lower ones are built first.
        gap: Length that is not covered by road, m (px without a CRS).
        start: Where it starts.
        target: Dangle where it ends; None for a point of a line.
        line: Line where it ends; -1 for a dangle.
        position: (2,) where it ends, x, y in pixels.
    """

    cost: float
    gap: float
    start: Dangle
    target: Dangle | None
    line: int
    position: Points


def bridge_gaps(graph: RoadGraph, max_gap: float, crosses_barrier: CrossesBarrier) -> int:
    """Connect dangles that face each other, and dangles that face a line.

    Greedy: candidates are built in the order of their cost. Each dangle gets one bridge at most, and bridges cross
    neither lines nor each other.

    Args:
        graph: Dangles are extended to the edge of the class; changed in place.
        max_gap: Largest gap, m (px without a CRS).
        crosses_barrier: Which bridges are not allowed.

    Returns:
        Number of bridges built.
    """
    dangles = find_dangles(graph)
    if not dangles or max_gap <= 0:
        return 0
    tree = LineIndex(graph)
    bridges = [*_bridges_between_dangles(graph, dangles, max_gap), *_bridges_to_lines(graph, dangles, max_gap, tree)]
    bridges.sort(key=lambda bridge: (bridge.cost, *bridge.start.position.tolist(), *bridge.position.tolist()))
    bridge_lines = _bridge_lines(bridges)
    short = np.array([bridge.gap <= _SHORT * max_gap for bridge in bridges], bool)
    free = (
        ~(crosses_barrier(bridge_lines, short) | tree.crossed(bridge_lines)) if len(bridge_lines) else np.empty(0, bool)
    )
    # The first allowed bridge of each dangle.
    used: set[int] = set()
    chosen: list[int] = []
    for index in np.flatnonzero(free).tolist():
        bridge = bridges[index]
        nodes = {dangle.node for dangle in (bridge.start, bridge.target) if dangle is not None}
        if not nodes & used:
            used |= nodes
            chosen.append(index)
    built = _drop_crossing(bridge_lines, chosen)
    _add_bridges(graph, [bridges[index] for index in built])
    graph.dissolve_pseudo_nodes()
    return len(built)


def _bridges_between_dangles(graph: RoadGraph, dangles: list[Dangle], max_gap: float) -> list[_Bridge]:
    """Return candidate bridges between two dangles that face each other."""
    positions = np.array([dangle.position for dangle in dangles])
    rows = (positions[:, 1].min(), positions[:, 1].max())
    smallest = min(size for row in rows for size in graph.metric.sizes(row))
    bridges = []
    for one, other in cKDTree(positions).query_pairs(max_gap / smallest, output_type="ndarray").tolist():
        a, b = dangles[one], dangles[other]
        way = graph.metric.vector(a.position, b.position)
        gap = float(np.hypot(*way))
        if gap > min(max_gap, a.length, b.length) or not _similar_widths(a.half_width, b.half_width):
            continue  # isolated short lines do not connect roads
        if a.line == b.line and a.length < 3 * max_gap:
            continue  # both ends of a short bent line
        # Cosines of the angles between the bridge and the direction of each dangle; the smaller one counts.
        turns = (way @ a.direction, -way @ b.direction) if gap > 0 else (1.0, 1.0)
        cosine = min(turns) / max(gap, 1e-9)
        if cosine >= (_BENT if gap <= _SHORT * max_gap else _STRAIGHT) or gap == 0:
            bridges.append(_Bridge(gap * (2 - cosine), gap, a, b, -1, b.position))
    return bridges


def _similar_widths(one: float, other: float) -> bool:
    return max(one, other) <= _WIDTH_RATIO * max(min(one, other), 1e-9)


def _bridges_to_lines(graph: RoadGraph, dangles: list[Dangle], max_gap: float, tree: LineIndex) -> list[_Bridge]:
    """Return candidate bridges from dangles to the first line ahead, by ray casting."""
    bridges = []
    widest = max((float(np.nanmax(line.half_width, initial=0)) for line in graph.lines.values()), default=0.0)
    reach = max_gap + widest
    rays = shapely.linestrings(
        np.array(
            [
                [dangle.position, dangle.position + graph.metric.pixels(dangle.direction * reach, dangle.position[1])]
                for dangle in dangles
            ]
        )
    )
    for index, number, hit in tree.first_hits(rays, [dangle.line for dangle in dangles]):
        dangle, line = dangles[index], graph.lines[number]
        # Nearest vertex of the line; the gap ends at the edge of that road.
        at = int(np.argmin(((line.points - hit) ** 2).sum(axis=1)))
        position = line.points[at]
        half_width = float(np.nan_to_num(line.half_width[at]))
        way = graph.metric.vector(dangle.position, position)
        distance = float(np.hypot(*way))
        # Sine of the angle between the dangle and the line there.
        along = graph.metric.vector(line.points[max(at - 5, 0)], line.points[min(at + 5, len(line.points) - 1)])
        cross = abs(float(dangle.direction[0] * along[1] - dangle.direction[1] * along[0]))
        gap = max(distance - half_width, 0.0)
        steep = cross >= _CROSSING * float(np.hypot(*along))
        if steep and gap <= min(max_gap, dangle.length / 2) and way @ dangle.direction >= _STRAIGHT * distance:
            bridges.append(_Bridge(1.5 * gap + 1e-6, gap, dangle, None, number, position))
    return bridges


def _bridge_lines(bridges: list[_Bridge]) -> npt.NDArray[np.object_]:
    """Return the bridges as LineStrings in pixels, (N,)."""
    if not bridges:
        return np.empty(0, object)
    lines: npt.NDArray[np.object_] = shapely.linestrings(np.array([[b.start.position, b.position] for b in bridges]))
    return lines


def _drop_crossing(bridge_lines: npt.NDArray[np.object_], chosen: list[int]) -> list[int]:
    """Return the indices of bridges, in order of cost, without those that cross one that is kept."""
    lines = bridge_lines[chosen]
    one, other = shapely.STRtree(lines).query(lines, "crosses") if len(lines) else ([], [])
    crossing: dict[int, list[int]] = {}
    for a, b in zip(one, other, strict=True):
        crossing.setdefault(int(a), []).append(int(b))
    built: set[int] = set()
    for index in range(len(chosen)):
        if not built & set(crossing.get(index, [])):
            built.add(index)
    return [chosen[index] for index in sorted(built)]


def _add_bridges(graph: RoadGraph, bridges: list[_Bridge]) -> None:
    """Add bridges to a graph; lines are split where a bridge meets them."""
    nodes: dict[tuple[float, float], int] = {}  # nodes at which lines were split, by position
    splits: dict[int, list[Points]] = {}
    for bridge in bridges:
        if bridge.target is None:
            splits.setdefault(bridge.line, []).append(bridge.position)
    for number, positions in splits.items():
        nodes.update(_split_line(graph, number, positions))
    for bridge in bridges:
        end = bridge.target.node if bridge.target else nodes[bridge.position[0], bridge.position[1]]
        steps = max(math.ceil(float(np.hypot(*(bridge.position - bridge.start.position))) / graph.cell), 2)
        points = np.linspace(bridge.start.position, bridge.position, steps + 1)
        unknown = np.full(len(points), np.nan, np.float32)
        half_width = np.zeros(len(points), np.float32)
        half_width[[0, -1]] = np.nan  # both ends are points of roads
        graph.add(Line(bridge.start.node, end, points, half_width, unknown))


def _split_line(graph: RoadGraph, number: int, positions: list[Points]) -> dict[tuple[float, float], int]:
    """Split a line at some of its points; return the node at each position."""
    line = graph.lines[number]
    split_points = {(float(position[0]), float(position[1])) for position in positions}
    at = [index for index, point in enumerate(line.points.tolist()) if tuple(point) in split_points]
    nodes = {}
    first, start = 0, line.start
    for index in at:
        key = (float(line.points[index, 0]), float(line.points[index, 1]))
        if index in (0, len(line.points) - 1):
            nodes[key] = line.start if index == 0 else line.end
            continue
        nodes[key] = graph.add_node(line.points[index])
        graph.add(line.section(first, index, start, nodes[key]))
        first, start = index, nodes[key]
    if first:
        graph.add(line.section(first, len(line.points) - 1, start, line.end))
        graph.remove(number)
    return nodes
