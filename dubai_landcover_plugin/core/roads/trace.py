"""Traces the cells of a skeleton to a graph of lines between junctions and ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.ground import Metric, Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.skeleton import Skeleton

Indices = npt.NDArray[np.int64]


def trace_skeleton(skeleton: Skeleton, metric: Metric) -> RoadGraph:
    """Return the graph of a skeleton.

    Cells with two neighbours are points of lines; ends and junctions are nodes; isolated cells are skipped.

    Args:
        skeleton: Cells of the centre lines.
        metric: Lengths on the ground.
    """
    graph = RoadGraph(metric, skeleton.cell)
    starts, targets = _cell_adjacency(skeleton)
    degree = np.diff(starts)
    # Cell centres in pixels.
    points: Points = (np.column_stack([skeleton.cols, skeleton.rows]).astype(np.float64) + 0.5) * skeleton.cell
    first, around = starts.tolist(), targets.tolist()
    is_node = (degree != 2).tolist()
    nodes: dict[int, int] = {}
    seen = np.zeros(len(degree), bool).tolist()

    def walk(start: int, following: int) -> list[int]:
        """Follow a line from a node over a neighbour to the next node."""
        path, before, cell = [start, following], start, following
        while not is_node[cell]:
            seen[cell] = True
            one, other = around[first[cell]], around[first[cell] + 1]
            before, cell = cell, other if one == before else one
            path.append(cell)
        return path

    def add_line(path: list[int]) -> None:
        """Add the line of a path of cells, and its nodes."""
        for cell in (path[0], path[-1]):
            if cell not in nodes:
                nodes[cell] = graph.add_node(points[cell])
        graph.add(
            Line(nodes[path[0]], nodes[path[-1]], points[path], skeleton.half_width[path], skeleton.confidence[path])
        )

    for cell in np.flatnonzero((degree != 2) & (degree > 0)).tolist():
        for following in around[first[cell] : first[cell + 1]]:
            # Each line is found from both of its ends; it is kept once.
            if following > cell if is_node[following] else not seen[following]:
                add_line(walk(cell, following))
    for cell in np.flatnonzero(degree == 2).tolist():
        if not seen[cell]:  # a ring without junctions: its first cell becomes a node
            is_node[cell] = True
            add_line(walk(cell, around[first[cell]]))
    return graph


def _cell_adjacency(skeleton: Skeleton) -> tuple[Indices, Indices]:
    """Return the adjacency of cells in compressed sparse row form.

    m-adjacency: cells that touch at a corner are adjacent only if they have no common edge neighbour, which avoids
    triangles at bends.

    Returns:
        ``starts``, (N + 1,), and ``targets``: cell i is adjacent to ``targets[starts[i]:starts[i + 1]]``.
    """
    width = (
        int(skeleton.cols.max(initial=0)) + 3
    )  # a free column on both sides, so that rows are not adjacent in the keys
    keys = skeleton.rows * width + skeleton.cols + 1
    count = len(keys)

    def at(offset: int) -> Indices:
        """Return the cell at a key offset from each cell, (N,), or -1."""
        index = np.minimum(np.searchsorted(keys, keys + offset), max(count - 1, 0))
        return np.where(keys[index] == keys + offset, index, -1)

    right, left, below = at(1), at(-1), at(width)
    diagonal_right = np.where((right < 0) & (below < 0), at(width + 1), -1)
    diagonal_left = np.where((left < 0) & (below < 0), at(width - 1), -1)
    sources, targets = [], []
    for neighbour in (right, below, diagonal_right, diagonal_left):
        adjacent = np.flatnonzero(neighbour >= 0)
        sources += [adjacent, neighbour[adjacent]]
        targets += [neighbour[adjacent], adjacent]
    source, target = np.concatenate(sources), np.concatenate(targets)
    starts = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=count))])
    return starts, target[np.lexsort((target, source))]
