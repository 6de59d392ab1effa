"""Removes artefacts of thinning from a graph: split junctions, spurs, isolated short networks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph

_ROUNDS = 10
_OBLIQUE = 5.0  # half widths: longest line that two roads share where they cross at an acute angle
_CORNER = 2.0  # half widths: largest distance from a fork to the corners of a road's end
_BEND, _FORK = math.radians(8), math.radians(60)  # smallest and largest angle of the branches of a fork


def merge_junctions(graph: RoadGraph) -> None:
    """Merge junctions of one crossing: thinning turns a junction of degree 4 into two of degree 3.

    Short lines between two junctions are contracted, shortest first, each junction once per round.
    """
    candidates = list(graph.lines)
    for _ in range(_ROUNDS):
        short = []
        for number in candidates:
            line = graph.lines[number]
            if line.start != line.end and min(graph.degree(line.start), graph.degree(line.end)) > 2:
                reach = max(graph.half_width(line.start), graph.half_width(line.end))
                length = line.length(graph.metric)
                is_short = length <= max(reach, 1.5 * graph.cell * graph.metric.gsd)
                if is_short or (length <= _OBLIQUE * reach and _is_overlap(graph, number, reach)):
                    short.append((length, line.points[0].tolist(), number))
        newest = max(graph.lines, default=-1)
        done: set[int] = set()
        for length, _, number in sorted(short):
            current = graph.lines.get(number)
            if current is None or done & {current.start, current.end}:
                continue  # changed by a neighbour in this round
            done |= {current.start, current.end}
            _contract(graph, number, length)
        if not done:
            return
        # Other lines are as in this round: neither they nor the lines at their nodes have changed.
        changed = [line for number, line in graph.lines.items() if number > newest]
        nodes = {node for line in changed for node in (line.start, line.end)}
        candidates = sorted({number for node in nodes for number in graph.incident[node]})


def _is_overlap(graph: RoadGraph, number: int, reach: float) -> bool:
    """Return whether a line is the common stretch of two roads that cross at an acute angle.

    It is if at both ends the line forks symmetrically, one branch to the left and one to the right.
    """
    line = graph.lines[number]
    axis = graph.metric.vector(line.points[0], line.points[-1])
    for node, ahead in ((line.start, -axis), (line.end, axis)):
        turns = []  # signed angles from the line's axis to the branches
        for other in graph.incident[node]:
            if other == number:
                continue
            branch = graph.lines[other]
            branch = branch if branch.start == node else branch.reversed()
            points = branch.points
            far = int(np.searchsorted(np.cumsum(branch.steps(graph.metric)), 3 * reach))
            way = graph.metric.vector(points[0], points[min(far + 1, len(points) - 1)])
            turns.append(math.atan2(ahead[0] * way[1] - ahead[1] * way[0], float(ahead @ way)))
        left, right = (len(turns) == 2 and (min(turns), max(turns))) or (0.0, 0.0)
        if not (-_FORK < left < -_BEND and _BEND < right < _FORK):
            return False
    return True


def _contract(graph: RoadGraph, number: int, length: float) -> None:
    """Edge contraction: replace both nodes of a line by one at its middle."""
    line = graph.lines[number]
    middle = line.points[len(line.points) // 2].copy()
    merged = graph.add_node(middle)
    for other in dict.fromkeys([*graph.incident[line.start], *graph.incident[line.end]]):
        moved = graph.lines[other]
        ends = {line.start, line.end}
        if {moved.start, moved.end} <= ends and moved.length(graph.metric) <= 2 * length:
            graph.remove(other)  # the line itself, and a parallel one around a small hole
            continue
        if moved.start in ends:
            moved = _reattach(graph, moved, merged, middle, length)
        if moved.end in ends:
            moved = _reattach(graph, moved.reversed(), merged, middle, length).reversed()
        graph.add(moved)
        graph.remove(other)
    if not graph.incident[merged]:
        del graph.incident[merged], graph.nodes[merged]


def _reattach(graph: RoadGraph, line: Line, node: int, position: Points, reach: float) -> Line:
    """Return a line that starts at a node near its start; points within half of ``reach`` of the node are dropped."""
    way = graph.metric.ground(line.points - position, line.points[:, 1])
    near = np.hypot(way[:, 0], way[:, 1]) < reach / 2
    first = int(np.argmin(near[:-1])) if not near[:-1].all() else len(near) - 2
    first = max(first - 1, 0)  # this point is replaced by the node
    cut = line.section(first, len(near) - 1, node, line.end)
    points = cut.points.copy()
    points[0] = position
    return Line(node, cut.end, points, cut.half_width, cut.confidence)


def prune_spurs(graph: RoadGraph, factor: float) -> None:
    """Remove spurs: dead-end branches shorter than ``factor`` times the width of the road that they leave.

    The length of a branch is that of its longest path to an end. Where a road ends in a fork, both branches are removed
    if they lead to the corners of its end; else the longer one is kept as its end.
    """
    for _ in range(_ROUNDS):
        spurs = _SpurFinder(graph, factor).spurs()
        for number in spurs:
            graph.remove(number)
        if not spurs:
            return
        graph.dissolve_pseudo_nodes()


class _SpurFinder:
    """Finds spurs by stripping the graph of its dead ends, from the leaves inwards."""

    def __init__(self, graph: RoadGraph, factor: float) -> None:
        self._graph, self._factor = graph, factor
        self._remaining = {node: set(numbers) for node, numbers in graph.incident.items()}
        self._depth = dict.fromkeys(graph.nodes, 0.0)  # longest path from each node to a leaf beyond it
        self._subtree: dict[int, list[int]] = {node: [] for node in graph.nodes}  # lines that were stripped beyond it
        self._short: dict[int, list[tuple[float, list[int]]]] = {}  # short branches at each junction: depth, lines

    def spurs(self) -> list[int]:
        """Return the lines of all spurs."""
        queue = deque(node for node in self._graph.nodes if self._graph.degree(node) == 1)
        while queue:
            node = queue.popleft()
            if len(self._remaining[node]) != 1:
                continue  # the last line of a tree was stripped from its other end
            self._keep_longest(node)
            number = self._remaining[node].pop()
            line = self._graph.lines[number]
            junction = line.end if line.start == node else line.start
            self._strip(junction, number, node)
            self._remaining[junction].discard(number)
            if len(self._remaining[junction]) == 1:
                queue.append(junction)
        return [number for branches in self._short.values() for _, branch in branches for number in branch]

    def _strip(self, junction: int, number: int, node: int) -> None:
        """Strip a line between a leaf and a junction: record it as a short branch, or as part of a longer one."""
        reach = self._depth[node] + self._graph.lines[number].length(self._graph.metric)
        branch = [number, *self._subtree[node]]
        width = 2 * self._graph.half_width(junction)
        if self._graph.degree(junction) > 2 and reach < self._factor * width:
            self._short.setdefault(junction, []).append((reach, branch))
        else:
            self._depth[junction] = max(self._depth[junction], reach)
            self._subtree[junction] += branch

    def _keep_longest(self, node: int) -> None:
        """Keep the longest branch where all but one line would be removed, unless it only leads to a corner."""
        short = sorted(self._short.get(node, []))
        if (
            len(short) == self._graph.degree(node) - 1
            and short[-1:]
            and short[-1][0] > _CORNER * self._graph.half_width(node)
        ):
            self._depth[node], self._subtree[node] = short.pop()
            self._short[node] = short


def drop_short_networks(graph: RoadGraph, min_length: float, lengths: Mapping[int, float] | None = None) -> None:
    """Remove connected components whose lines are shorter than ``min_length`` together, m (px without a CRS).

    Args:
        graph: Changed in place.
        min_length: Shortest total length.
        lengths: Length of each line by its number; None measures the lines of the graph.
    """
    component = graph.components()
    totals: dict[int, float] = {}
    for number, line in graph.lines.items():
        length = line.length(graph.metric) if lengths is None else lengths[number]
        totals[component[line.start]] = totals.get(component[line.start], 0.0) + length
    for number, line in list(graph.lines.items()):
        if totals[component[line.start]] < min_length:
            graph.remove(number)
