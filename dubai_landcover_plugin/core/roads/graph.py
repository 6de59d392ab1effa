"""A network of lines that share their nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.core.grid.ground import Metric, Points, Values


@dataclass(frozen=True)
class Line:
    """One line between two nodes.

    Args:
        start: Node of the first point.
        end: Node of the last point; the same in a ring.
        points: (N, 2) x, y in pixels.
        half_width: (N,) from the line to the edge of the class, m (px without a CRS); 0 inside a bridged gap,
            NaN on the way from where thinning stopped to the edge of the class.
        confidence: (N,) percent; NaN where it is not known.
    """

    start: int
    end: int
    points: Points
    half_width: Values
    confidence: Values

    def reversed(self) -> Line:
        """Return the line from its end to its start."""
        return Line(self.end, self.start, self.points[::-1], self.half_width[::-1], self.confidence[::-1])

    def part(self, first: int, last: int, start: int, end: int) -> Line:
        """Return the points ``first`` to ``last`` (included), between other nodes."""
        kept = slice(first, last + 1)
        return Line(start, end, self.points[kept], self.half_width[kept], self.confidence[kept])

    def joined(self, other: Line) -> Line:
        """Return this line and the one that goes on at its end, as one."""
        return Line(
            self.start,
            other.end,
            np.concatenate([self.points, other.points[1:]]),
            np.concatenate([self.half_width, other.half_width[1:]]),
            np.concatenate([self.confidence, other.confidence[1:]]),
        )


class RoadGraph:
    """Nodes and lines, kept consistent; several lines may join the same two nodes.

    Args:
        metric: Lengths on the ground.
        cell: Side of the cells that the lines were traced on, px.
    """

    def __init__(self, metric: Metric, cell: int = 1) -> None:
        self.metric = metric
        self.cell = cell
        self.nodes: dict[int, Points] = {}
        self.lines: dict[int, Line] = {}
        self.at: dict[int, list[int]] = {}
        """Lines at each node; a ring is there twice."""
        self._next = 0

    def add_node(self, position: Points) -> int:
        """Add a node at (2,) x, y; return its number."""
        node = self._next
        self._next += 1
        self.nodes[node], self.at[node] = position, []
        return node

    def add(self, line: Line) -> int:
        """Add a line between nodes that exist; return its number."""
        number = self._next
        self._next += 1
        self.lines[number] = line
        self.at[line.start].append(number)
        self.at[line.end].append(number)
        return number

    def remove(self, number: int) -> Line:
        """Take a line out, and nodes that have no other; return it."""
        line = self.lines.pop(number)
        for node in (line.start, line.end):
            if node in self.at:
                self.at[node] = [other for other in self.at[node] if other != number]
                if not self.at[node]:
                    del self.at[node], self.nodes[node]
        return line

    def replace(self, number: int, line: Line) -> None:
        """Give a line other points; its nodes stay."""
        self.lines[number] = line

    def degree(self, node: int) -> int:
        """Return how many lines meet at a node."""
        return len(self.at[node])

    def half_width(self, node: int) -> float:
        """Return the largest half width that the lines have at a node."""
        values = [0.0]
        for number in self.at[node]:
            line = self.lines[number]
            values += [float(line.half_width[index]) for index, at in ((0, line.start), (-1, line.end)) if at == node]
        return float(np.nanmax(values))

    def move(self, node: int, position: Points) -> None:
        """Move a node; its lines follow."""
        self.nodes[node] = position
        for number in set(self.at[node]):
            line = self.lines[number]
            points = line.points.copy()
            if line.start == node:
                points[0] = position
            if line.end == node:
                points[-1] = position
            self.lines[number] = replace(line, points=points)

    def dissolve(self) -> None:
        """Join lines at nodes where just two meet."""
        for node in list(self.nodes):
            numbers = self.at.get(node, [])
            if len(numbers) != 2 or numbers[0] == numbers[1]:
                continue
            first, second = (self.lines[number] for number in numbers)
            first = first if first.end == node else first.reversed()
            second = second if second.start == node else second.reversed()
            joined = first.joined(second)
            self.add(joined)  # first, so that its nodes are never without a line
            for number in numbers:
                self.remove(number)

    def components(self) -> dict[int, int]:
        """Return a number for each node, the same for all that are connected."""
        place = {node: index for index, node in enumerate(self.nodes)}
        ends = np.array([(place[line.start], place[line.end]) for line in self.lines.values()]).reshape(-1, 2)
        links = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(place), len(place)))
        labels: npt.NDArray[np.int32] = connected_components(links, directed=False)[1]
        return {node: int(labels[index]) for node, index in place.items()}
