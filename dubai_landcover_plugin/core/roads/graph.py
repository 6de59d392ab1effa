"""Planar multigraph of a road network: nodes, and the polylines between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.core.grid.ground import Floats, Metric, Points, Values


@dataclass(frozen=True)
class Line:
    """An edge of the graph: a polyline between two nodes.

    Args:
        start: Node of the first point.
        end: Node of the last point; the same node in a ring.
        points: (N, 2) float64, x, y in pixels.
        half_width: (N,) float32, distance to the edge of the class, m (px without a CRS); 0 inside a bridged gap, NaN
            between the end of the skeleton and the edge of the class.
        confidence: (N,) float32, percent; NaN where unknown.
    """

    start: int
    end: int
    points: Points
    half_width: Values
    confidence: Values
    _steps: Floats | None = field(default=None, init=False, repr=False, compare=False)

    def steps(self, metric: Metric) -> Floats:
        """Return the ground lengths of its segments, (N - 1,); they are measured once. The points must not change."""
        if self._steps is None:
            object.__setattr__(self, "_steps", metric.steps(self.points))
        return self._steps  # type: ignore[return-value]

    def length(self, metric: Metric) -> float:
        """Return the ground length."""
        return float(self.steps(metric).sum())

    def reversed(self) -> Line:
        """Return the line in the opposite direction."""
        line = Line(self.end, self.start, self.points[::-1], self.half_width[::-1], self.confidence[::-1])
        return line if self._steps is None else line.with_steps(self._steps[::-1])

    def section(self, first: int, last: int, start: int, end: int) -> Line:
        """Return the section from point ``first`` to ``last`` (included), between the nodes ``start`` and ``end``."""
        kept = slice(first, last + 1)
        line = Line(start, end, self.points[kept], self.half_width[kept], self.confidence[kept])
        return line if self._steps is None else line.with_steps(self._steps[first:last])

    def with_steps(self, steps: Floats) -> Line:
        """Set the ground lengths of its segments, (N - 1,), where they are known; return the line."""
        object.__setattr__(self, "_steps", steps)
        return self

    def concatenated(self, other: Line) -> Line:
        """Return this line and one that starts at its end node, as one line."""
        return Line(
            self.start,
            other.end,
            np.concatenate([self.points, other.points[1:]]),
            np.concatenate([self.half_width, other.half_width[1:]]),
            np.concatenate([self.confidence, other.confidence[1:]]),
        )


def line_strings(courses: Sequence[Points]) -> npt.NDArray[np.object_]:
    """Return the LineStrings, (L,), of courses of at least two points, (N, 2) each; faster than one by one."""
    if not courses:
        return np.empty(0, object)
    owner = np.repeat(np.arange(len(courses)), [len(points) for points in courses])
    lines: npt.NDArray[np.object_] = shapely.linestrings(np.concatenate(courses), indices=owner)
    return lines


class RoadGraph:
    """Undirected multigraph of nodes and lines; parallel lines and rings are allowed.

    Args:
        metric: Lengths on the ground.
        cell: Side of the skeleton's cells, px.
    """

    def __init__(self, metric: Metric, cell: int = 1) -> None:
        self.metric = metric
        self.cell = cell
        self.nodes: dict[int, Points] = {}
        self.lines: dict[int, Line] = {}
        self.incident: dict[int, list[int]] = {}
        """Lines incident to each node; a ring is listed twice."""
        self._next = 0

    def add_node(self, position: Points) -> int:
        """Add a node at (2,) x, y; return its number."""
        node = self._next
        self._next += 1
        self.nodes[node], self.incident[node] = position, []
        return node

    def add(self, line: Line) -> int:
        """Add a line between existing nodes; return its number."""
        number = self._next
        self._next += 1
        self.lines[number] = line
        self.incident[line.start].append(number)
        self.incident[line.end].append(number)
        return number

    def remove(self, number: int) -> Line:
        """Remove a line, and its nodes if they have no other line; return the line."""
        line = self.lines.pop(number)
        for node in (line.start, line.end):
            if node in self.incident:
                self.incident[node] = [other for other in self.incident[node] if other != number]
                if not self.incident[node]:
                    del self.incident[node], self.nodes[node]
        return line

    def set_line(self, number: int, line: Line) -> None:
        """Replace a line by another one between the same nodes."""
        self.lines[number] = line

    def degree(self, node: int) -> int:
        """Return the degree of a node: line ends that meet there."""
        return len(self.incident[node])

    def half_width(self, node: int) -> float:
        """Return the largest half width of the lines at a node, m (px without a CRS)."""
        largest = 0.0
        for number in self.incident[node]:
            line = self.lines[number]
            for index, at in ((0, line.start), (-1, line.end)):
                if at == node:
                    value = float(line.half_width[index])
                    largest = value if value > largest else largest  # NaN is not larger
        return largest

    def move(self, node: int, position: Points) -> None:
        """Move a node to (2,) x, y, with the ends of its lines."""
        self.nodes[node] = position
        for number in set(self.incident[node]):
            line = self.lines[number]
            points = line.points.copy()
            if line.start == node:
                points[0] = position
            if line.end == node:
                points[-1] = position
            self.lines[number] = replace(line, points=points)

    def dissolve_pseudo_nodes(self) -> None:
        """Join the two lines at each node of degree 2."""
        for node in list(self.nodes):
            numbers = self.incident.get(node, [])
            if len(numbers) != 2 or numbers[0] == numbers[1]:
                continue
            first, second = (self.lines[number] for number in numbers)
            first = first if first.end == node else first.reversed()
            second = second if second.start == node else second.reversed()
            joined = first.concatenated(second)
            self.add(joined)  # before the removal, which deletes nodes without lines
            for number in numbers:
                self.remove(number)

    def components(self) -> dict[int, int]:
        """Return the connected component of each node."""
        index_of = {node: index for index, node in enumerate(self.nodes)}
        ends = np.array([(index_of[line.start], index_of[line.end]) for line in self.lines.values()]).reshape(-1, 2)
        adjacency = coo_array(
            (np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(index_of), len(index_of))
        )
        labels: npt.NDArray[np.int32] = connected_components(adjacency, directed=False)[1]
        return {node: int(labels[index]) for node, index in index_of.items()}
