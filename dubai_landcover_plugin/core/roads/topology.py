"""Keeps lines apart: they may touch at their nodes and nowhere else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph

_ROUNDS = 3
_APART = "FF*F*****"  # DE-9IM: the inside of neither line meets the other one


def tangled(lines: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Return the indices of lines, (N,), without length, that meet themselves, or others elsewhere than at both's ends.

    The ends of a ring are where it is closed.
    """
    wrong = ~shapely.is_simple(lines) | (shapely.length(lines) == 0)
    one, other = shapely.STRtree(lines).query(lines, "intersects")
    pairs = one < other
    one, other = one[pairs], other[pairs]
    near = ~shapely.relate_pattern(lines[one], lines[other], _APART)
    one, other = one[near], other[near]
    common = shapely.intersection(lines[one], lines[other])
    points, of_pair = shapely.get_coordinates(common, return_index=True)
    meets = shapely.length(common) > 0
    for side in (one, other):
        ends = [shapely.get_coordinates(shapely.get_point(lines[side], at)) for at in (0, -1)]
        at_end = np.any([np.hypot(*(points - end[of_pair]).T) < 1e-9 for end in ends], axis=0)
        meets[of_pair[~at_end]] = True
    wrong[one[meets]], wrong[other[meets]] = True, True
    return np.flatnonzero(wrong)


def untangle(graph: RoadGraph) -> None:
    """Make nodes wherever lines meet, and one line of those that coincide."""
    for _ in range(_ROUNDS):
        numbers = list(graph.lines)
        shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
        wrong = tangled(shapes)
        if not len(wrong):
            return
        _rebuild(graph, [numbers[index] for index in wrong.tolist()], shapes[wrong])
        graph.dissolve()


def _rebuild(graph: RoadGraph, numbers: list[int], shapes: npt.NDArray[np.object_]) -> None:
    """Replace lines by what their union consists of; widths and confidence come from the nearest old point."""
    lines = [graph.lines[number] for number in numbers]
    old = cKDTree(np.concatenate([line.points for line in lines]))
    half_width = np.concatenate([line.half_width for line in lines])
    confidence = np.concatenate([line.confidence for line in lines])
    nodes = {tuple(graph.nodes[node].tolist()): node for line in lines for node in (line.start, line.end)}

    def node_at(point: Points) -> int:
        key = tuple(point.tolist())
        if key not in nodes:
            nodes[key] = graph.add_node(point)
        return nodes[key]

    for piece in shapely.get_parts(shapely.union_all(shapes)):
        points = shapely.get_coordinates(piece)
        if piece.geom_type == "LineString" and len(points) > 1:
            nearest = old.query(points)[1]
            graph.add(Line(node_at(points[0]), node_at(points[-1]), points, half_width[nearest], confidence[nearest]))
    for number in numbers:
        graph.remove(number)
