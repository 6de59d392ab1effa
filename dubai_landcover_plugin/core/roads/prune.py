"""Takes out of a graph what thinning adds to roads: spurs, split crossings, specks."""

from __future__ import annotations

import numpy as np
import shapely

from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.metric import Points

_ROUNDS = 10


def merge_junctions(graph: RoadGraph) -> None:
    """Draw junctions together that lie in one another's body: thinning splits every crossing into two."""
    for _ in range(_ROUNDS):
        short = []
        for number, line in graph.lines.items():
            if line.start != line.end and min(graph.degree(line.start), graph.degree(line.end)) > 2:
                reach = max(graph.half_width(line.start), graph.half_width(line.end))
                length = graph.metric.length(line.points)
                if length <= max(reach, 1.5 * graph.cell * graph.metric.gsd):
                    short.append((length, line.points[0].tolist(), number))
        done: set[int] = set()
        for length, _, number in sorted(short):
            line = graph.lines.get(number)
            if line is None or done & {line.start, line.end}:
                continue
            done |= {line.start, line.end}
            _contract(graph, number, length)
        if not done:
            return


def _contract(graph: RoadGraph, number: int, length: float) -> None:
    """Make one node of a line's two."""
    line = graph.lines[number]
    middle = line.points[len(line.points) // 2].copy()
    kept = graph.add_node(middle)
    for other in dict.fromkeys([*graph.at[line.start], *graph.at[line.end]]):
        moved = graph.lines[other]
        ends = {line.start, line.end}
        if {moved.start, moved.end} <= ends and graph.metric.length(moved.points) <= 2 * length:
            graph.remove(other)  # the line itself, and its twin around a speck
            continue
        if moved.start in ends:
            moved = _led_to(graph, moved, kept, middle, length)
        if moved.end in ends:
            moved = _led_to(graph, moved.reversed(), kept, middle, length).reversed()
        graph.add(moved)
        graph.remove(other)
    if not graph.at[kept]:
        del graph.at[kept], graph.nodes[kept]


def _led_to(graph: RoadGraph, line: Line, node: int, position: Points, reach: float) -> Line:
    """Return a line that starts at another node near by, without the points that would lead astray."""
    way = graph.metric.ground(line.points - position, line.points[:, 1])
    near = np.hypot(way[:, 0], way[:, 1]) < reach / 2
    first = int(np.argmin(near[:-1])) if not near[:-1].all() else len(near) - 2
    first = max(first - 1, 0)  # its place is taken by the node
    cut = line.part(first, len(near) - 1, node, line.end)
    points = cut.points.copy()
    points[0] = position
    return Line(node, cut.end, points, cut.half_width, cut.confidence)


def prune_spurs(graph: RoadGraph, factor: float) -> None:
    """Cut off branches shorter than ``factor`` times the width of the road that they leave.

    All short branches of a round go together: of a fork at the end of a road neither tine is its end.
    """
    for _ in range(_ROUNDS):
        spurs = []
        for number, line in graph.lines.items():
            degrees = graph.degree(line.start), graph.degree(line.end)
            if min(degrees) == 1 and max(degrees) > 2:
                junction = line.start if degrees[0] > 1 else line.end
                if graph.metric.length(line.points) < factor * 2 * graph.half_width(junction):
                    spurs.append(number)
        for number in spurs:
            graph.remove(number)
        if not spurs:
            return
        graph.dissolve()


def drop_short_networks(graph: RoadGraph, min_length: float) -> None:
    """Take out what is connected to nothing and shorter than ``min_length``, all lines together."""
    component = graph.components()
    lengths: dict[int, float] = {}
    for line in graph.lines.values():
        key = component[line.start]
        lengths[key] = lengths.get(key, 0.0) + graph.metric.length(line.points)
    for number, line in list(graph.lines.items()):
        if lengths[component[line.start]] < min_length:
            graph.remove(number)


def node_crossings(graph: RoadGraph) -> None:
    """Make a node wherever two lines cross: drawing junctions together may bring lines across each other."""
    numbers = list(graph.lines)
    shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
    one, other = shapely.STRtree(shapes).query(shapes, "crosses")
    cuts: dict[int, list[tuple[float, int]]] = {}
    for first, second in zip(one.tolist(), other.tolist(), strict=True):
        if first > second:
            continue
        for place in shapely.get_coordinates(shapely.intersection(shapes[first], shapes[second])):
            along = [float(shapely.line_locate_point(shapes[index], shapely.Point(place))) for index in (first, second)]
            if all(1e-6 < at < shapely.length(shapes[i]) - 1e-6 for at, i in zip(along, (first, second), strict=True)):
                node = graph.add_node(place)
                for at, index in zip(along, (first, second), strict=True):
                    cuts.setdefault(numbers[index], []).append((at, node))
    for number, at in cuts.items():
        _cut(graph, number, sorted(at))


def _cut(graph: RoadGraph, number: int, cuts: list[tuple[float, int]]) -> None:
    """Cut a line at nodes that lie so far along it, px."""
    line = graph.lines[number]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
    at = np.searchsorted(along, [distance for distance, _ in cuts])
    nodes = [node for _, node in cuts]
    cut = Line(
        line.start,
        line.end,
        np.insert(line.points, at, [graph.nodes[node] for node in nodes], axis=0),
        np.insert(line.half_width, at, line.half_width[at]),
        np.insert(line.confidence, at, line.confidence[at]),
    )
    stops = [0, *(at + np.arange(len(at))).tolist(), len(cut.points) - 1]
    between = [line.start, *nodes, line.end]
    for index in range(len(stops) - 1):
        graph.add(cut.part(stops[index], stops[index + 1], between[index], between[index + 1]))
    graph.remove(number)
