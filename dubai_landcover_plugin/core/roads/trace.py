"""From the cells of a skeleton to lines between junctions and ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.ground import Metric, Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.skeleton import Skeleton

Indices = npt.NDArray[np.int64]


def trace(skeleton: Skeleton, metric: Metric) -> RoadGraph:
    """Return the graph of a skeleton: cells with two neighbours make lines, all others are nodes.

    Cells without a neighbour are left out.

    Args:
        skeleton: Cells one wide.
        metric: Lengths on the ground.
    """
    graph = RoadGraph(metric, skeleton.cell)
    starts, targets = _neighbours(skeleton)
    degree = np.diff(starts)
    points: Points = (np.column_stack([skeleton.cols, skeleton.rows]).astype(np.float64) + 0.5) * skeleton.cell
    first, around = starts.tolist(), targets.tolist()
    is_node = (degree != 2).tolist()
    nodes: dict[int, int] = {}
    seen = np.zeros(len(degree), bool).tolist()

    def walk(start: int, onwards: int) -> list[int]:
        """Follow a line from a node to the next one."""
        path = [start, onwards]
        while not is_node[path[-1]]:
            cell, seen[path[-1]] = path[-1], True
            one, other = around[first[cell]], around[first[cell] + 1]
            path.append(other if one == path[-2] else one)
        return path

    def keep(path: list[int]) -> None:
        for cell in (path[0], path[-1]):
            if cell not in nodes:
                nodes[cell] = graph.add_node(points[cell])
        graph.add(
            Line(nodes[path[0]], nodes[path[-1]], points[path], skeleton.half_width[path], skeleton.confidence[path])
        )

    for cell in np.flatnonzero((degree != 2) & (degree > 0)).tolist():
        for onwards in around[first[cell] : first[cell + 1]]:
            if onwards > cell if is_node[onwards] else not seen[onwards]:
                keep(walk(cell, onwards))
    for cell in np.flatnonzero(degree == 2).tolist():
        if not seen[cell]:  # a ring without junctions; its first cell becomes a node
            is_node[cell] = True
            keep(walk(cell, around[first[cell]]))
    return graph


def _neighbours(skeleton: Skeleton) -> tuple[Indices, Indices]:
    """Return which cells are linked: those of cell i are ``targets[starts[i]:starts[i + 1]]``.

    Cells that touch at a corner are linked only where no third one touches both: that gives no triangles.
    """
    width = int(skeleton.cols.max(initial=0)) + 3  # with a free column on both sides, no row touches the next
    keys = skeleton.rows * width + skeleton.cols + 1
    count = len(keys)

    def at(offset: int) -> Indices:
        """Return the cell that lies so far from each, or -1."""
        place = np.minimum(np.searchsorted(keys, keys + offset), max(count - 1, 0))
        return np.where(keys[place] == keys + offset, place, -1)

    right, left, below = at(1), at(-1), at(width)
    diagonal_right = np.where((right < 0) & (below < 0), at(width + 1), -1)
    diagonal_left = np.where((left < 0) & (below < 0), at(width - 1), -1)
    sources, targets = [], []
    for ahead in (right, below, diagonal_right, diagonal_left):
        linked = np.flatnonzero(ahead >= 0)
        sources += [linked, ahead[linked]]
        targets += [ahead[linked], linked]
    source, target = np.concatenate(sources), np.concatenate(targets)
    starts = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=count))])
    return starts, target[np.lexsort((target, source))]
