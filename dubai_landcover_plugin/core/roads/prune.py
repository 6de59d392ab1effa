"""Takes out of a graph what thinning adds to roads: spurs, split crossings, specks."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph

_ROUNDS = 10
_OBLIQUE = 5.0  # half widths: the longest line that two roads share where they cross at a small angle
_CORNER = 2.0  # half widths from the fork to the corners of a road's end, at most
_BEND, _FORK = math.radians(8), math.radians(60)  # how far the branches of a fork turn off


def merge_junctions(graph: RoadGraph) -> None:
    """Draw junctions together that are one crossing: thinning splits every crossing into two."""
    for _ in range(_ROUNDS):
        short = []
        for number, line in graph.lines.items():
            if line.start != line.end and min(graph.degree(line.start), graph.degree(line.end)) > 2:
                reach = max(graph.half_width(line.start), graph.half_width(line.end))
                length = graph.metric.length(line.points)
                within = length <= max(reach, 1.5 * graph.cell * graph.metric.gsd)
                if within or (length <= _OBLIQUE * reach and _is_shared_stretch(graph, number, reach)):
                    short.append((length, line.points[0].tolist(), number))
        done: set[int] = set()
        for length, _, number in sorted(short):
            current = graph.lines.get(number)
            if current is None or done & {current.start, current.end}:
                continue  # what a neighbour has moved waits for the next round
            done |= {current.start, current.end}
            _contract(graph, number, length)
        if not done:
            return


def _is_shared_stretch(graph: RoadGraph, number: int, reach: float) -> bool:
    """Return whether two roads that cross at a small angle share a line: at both its ends it forks evenly."""
    line = graph.lines[number]
    axis = graph.metric.vector(line.points[0], line.points[-1])
    for node, ahead in ((line.start, -axis), (line.end, axis)):
        turns = []
        for other in graph.at[node]:
            if other == number:
                continue
            branch = graph.lines[other]
            points = branch.points if branch.start == node else branch.points[::-1]
            far = int(np.searchsorted(np.cumsum(graph.metric.steps(points)), 3 * reach))
            way = graph.metric.vector(points[0], points[min(far + 1, len(points) - 1)])
            turns.append(math.atan2(ahead[0] * way[1] - ahead[1] * way[0], float(ahead @ way)))
        left, right = (len(turns) == 2 and (min(turns), max(turns))) or (0.0, 0.0)
        if not (-_FORK < left < -_BEND and _BEND < right < _FORK):
            return False
    return True


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
    """Cut off branches, with their twigs, shorter than ``factor`` times the width of the road that they leave.

    Where a road ends in a fork, both tines go if they lead to the corners of its end; else the longer one is its end.
    """
    for _ in range(_ROUNDS):
        spurs = _Branches(graph, factor).spurs()
        for number in spurs:
            graph.remove(number)
        if not spurs:
            return
        graph.dissolve()


class _Branches:
    """Takes dead ends off a graph, one after the other, and remembers the longest way to an end."""

    def __init__(self, graph: RoadGraph, factor: float) -> None:
        self._graph, self._factor = graph, factor
        self._left = {node: set(numbers) for node, numbers in graph.at.items()}
        self._depth = dict.fromkeys(graph.nodes, 0.0)
        self._twigs: dict[int, list[int]] = {node: [] for node in graph.nodes}
        self._short: dict[int, list[tuple[float, list[int]]]] = {}  # branches at each junction

    def spurs(self) -> list[int]:
        """Return the lines of short branches."""
        waiting = deque(node for node in self._graph.nodes if self._graph.degree(node) == 1)
        while waiting:
            node = waiting.popleft()
            if len(self._left[node]) != 1:
                continue  # the last line of a tree was taken off from its other end
            self._keep_an_end(node)
            number = self._left[node].pop()
            line = self._graph.lines[number]
            junction = line.end if line.start == node else line.start
            self._take_off(junction, number, node)
            self._left[junction].discard(number)
            if len(self._left[junction]) == 1:
                waiting.append(junction)
        return [number for branches in self._short.values() for _, branch in branches for number in branch]

    def _take_off(self, junction: int, number: int, node: int) -> None:
        reach = self._depth[node] + self._graph.metric.length(self._graph.lines[number].points)
        branch = [number, *self._twigs[node]]
        width = 2 * self._graph.half_width(junction)
        if self._graph.degree(junction) > 2 and reach < self._factor * width:
            self._short.setdefault(junction, []).append((reach, branch))
        else:
            self._depth[junction] = max(self._depth[junction], reach)
            self._twigs[junction] += branch

    def _keep_an_end(self, node: int) -> None:
        """Keep the longest branch where all but one line would go, unless it only leads to a corner."""
        short = sorted(self._short.get(node, []))
        if (
            len(short) == self._graph.degree(node) - 1
            and short[-1:]
            and short[-1][0] > _CORNER * self._graph.half_width(node)
        ):
            self._depth[node], self._twigs[node] = short.pop()
            self._short[node] = short


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
