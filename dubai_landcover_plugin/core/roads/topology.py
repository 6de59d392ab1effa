"""Topology of the network: lines may touch at common end points alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph, line_strings

_ROUNDS = 3
_MEET_AT_ENDS = "FF*F*****"  # DE-9IM: the interior of neither line intersects the other line


def find_intersecting(
    lines: npt.NDArray[np.object_], changed: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.intp]:
    """Return the indices of lines that violate the topology.

    These are lines without length, lines that intersect themselves, and lines that meet another line elsewhere than at
    an end of both. A ring has its ends where it is closed.

    Args:
        lines: (N,) LineStrings.
        changed: (K,) indices of the lines that are checked, against all lines. None: all.
    """
    checked = np.arange(len(lines)) if changed is None else changed
    invalid = np.zeros(len(lines), bool)
    invalid[checked] = ~shapely.is_simple(lines[checked]) | (shapely.length(lines[checked]) == 0)
    one, other = shapely.STRtree(lines).query(lines[checked])  # those whose bounding boxes meet
    one = checked[one]
    is_checked = np.zeros(len(lines), bool)
    is_checked[checked] = True
    pairs = (one < other) | ((one > other) & ~is_checked[other])  # each pair once
    one, other = one[pairs], other[pairs]
    # Of the pairs that may violate the topology, check whether all common points are ends of both lines.
    near = ~shapely.relate_pattern(lines[one], lines[other], _MEET_AT_ENDS)
    one, other = one[near], other[near]
    common = shapely.intersection(lines[one], lines[other])
    points, of_pair = shapely.get_coordinates(common, return_index=True)
    meets = shapely.length(common) > 0
    for side in (one, other):
        ends = [shapely.get_coordinates(shapely.get_point(lines[side], at)) for at in (0, -1)]
        at_end = np.any([np.hypot(*(points - end[of_pair]).T) < 1e-9 for end in ends], axis=0)
        meets[of_pair[~at_end]] = True
    invalid[one[meets]], invalid[other[meets]] = True, True
    return np.flatnonzero(invalid)


def planarize(graph: RoadGraph) -> None:
    """Add nodes wherever lines intersect, and merge coincident lines (noding)."""
    for _ in range(_ROUNDS):
        numbers = list(graph.lines)
        shapes = line_strings([line.points for line in graph.lines.values()])
        invalid = find_intersecting(shapes)
        if not len(invalid):
            return
        _node(graph, [numbers[index] for index in invalid.tolist()], shapes[invalid])
        graph.dissolve_pseudo_nodes()


def _node(graph: RoadGraph, numbers: list[int], shapes: npt.NDArray[np.object_]) -> None:
    """Replace lines by the parts of their union; widths and confidence come from the nearest point of the old lines."""
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
