"""Traces the cells of a skeleton to a graph of lines between junctions and ends."""

from __future__ import annotations

from itertools import chain

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
    # Cell centres in pixels.
    points: Points = (np.column_stack([skeleton.cols, skeleton.rows]).astype(np.float64) + 0.5) * skeleton.cell
    paths = _paths(starts, targets)
    cells = np.fromiter(chain.from_iterable(paths), np.int64)
    # Points and lengths of all lines at once; those of a line are parts of these.
    points = points[cells]
    steps = metric.steps(points) if len(points) else np.empty(0)
    half_width, confidence = skeleton.half_width[cells], skeleton.confidence[cells]
    nodes: dict[int, int] = {}
    first = 0
    for path in paths:
        last = first + len(path)
        for cell, at in ((path[0], first), (path[-1], last - 1)):
            if cell not in nodes:
                nodes[cell] = graph.add_node(points[at])
        part = slice(first, last)
        line = Line(nodes[path[0]], nodes[path[-1]], points[part], half_width[part], confidence[part])
        graph.add(line.with_steps(steps[first : last - 1]))
        first = last
    return graph


def _paths(starts: Indices, targets: Indices) -> list[list[int]]:
    """Return the cells of each line, from node to node.

    Args:
        starts: See :func:`_cell_adjacency`.
        targets: See there.
    """
    degree = np.diff(starts)
    between = np.flatnonzero(degree == 2)  # cells of lines
    both = np.full(len(degree), -1, np.int64)
    both[between] = targets[starts[between]] + targets[starts[between] + 1]
    # Sum of the two neighbours of a cell of a line: the next one is the sum less the one before. -1 for nodes.
    sums, first, around = both.tolist(), starts.tolist(), targets.tolist()
    ends: set[int] = set()  # cells of lines beside a node, once their line is found
    paths = []

    def walk(start: int, following: int) -> list[int]:
        """Follow a line from a node over a neighbour to the next node."""
        path, before, cell = [start, following], start, following
        while (both := sums[cell]) >= 0:
            before, cell = cell, both - before
            path.append(cell)
        return path

    for cell in np.flatnonzero((degree != 2) & (degree > 0)).tolist():
        for following in around[first[cell] : first[cell + 1]]:
            # Each line is found from both of its ends; it is kept once.
            if following > cell if sums[following] < 0 else following not in ends:
                paths.append(walk(cell, following))
                ends.update((paths[-1][1], paths[-1][-2]))
    seen = np.zeros(len(degree), bool)
    seen[np.fromiter(chain.from_iterable(paths), np.int64)] = True
    for cell in between[~seen[between]].tolist():
        if not seen[cell]:  # a ring without junctions: its first cell becomes a node
            sums[cell] = -1
            paths.append(walk(cell, around[first[cell]]))
            seen[paths[-1]] = True
    return paths


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
