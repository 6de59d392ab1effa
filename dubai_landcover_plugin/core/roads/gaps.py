"""Bridges gaps between dangling road ends: under trees, in shadows, where the classification failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph

_STRAIGHT = math.cos(math.radians(35))  # largest angle between a bridge and the direction of a dangle
_BENT = math.cos(math.radians(75))  # the same over a short gap
_SHORT = 0.3  # short gaps, as a fraction of the largest gap
_CROSSING = math.sin(math.radians(30))  # smallest angle at which a bridge may meet a line
_WIDTH_RATIO = 3.0  # largest ratio of the widths of two dangles
_LOOK_BACK = 3.0  # half widths over which the direction of a dangle is measured

CrossesBarrier = Callable[[npt.NDArray[np.object_], npt.NDArray[np.bool_]], npt.NDArray[np.bool_]]
"""Returns which bridges cross a barrier, (N,) bool, given LineStrings in pixels, (N,), and which are short, (N,)."""


@dataclass(frozen=True)
class _Dangle:
    """A dangling end of a line.

    Args:
        node: Node of degree 1.
        line: Its line.
        position: (2,) x, y in pixels.
        direction: (2,) unit vector on the ground, outwards.
        half_width: Median near the end, m (px without a CRS).
        length: Length of the line, m (px without a CRS).
    """

    node: int
    line: int
    position: Points
    direction: Points
    half_width: float
    length: float


@dataclass(frozen=True)
class _Bridge:
    """A candidate bridge from a dangle to another dangle, or to a point of a line.

    Args:
        cost: Lower ones are built first.
        gap: Length that is not covered by road, m (px without a CRS).
        start: Where it starts.
        target: Dangle where it ends; None for a point of a line.
        line: Line where it ends; -1 for a dangle.
        position: (2,) where it ends, x, y in pixels.
    """

    cost: float
    gap: float
    start: _Dangle
    target: _Dangle | None
    line: int
    position: Points


def extend_dangles(graph: RoadGraph) -> None:
    """Extend every dangle straight to the edge of the class.

    Thinning stops about half a width before the edge, often with a hook to a corner; the hook is replaced. Dangles that
    would meet a line are not extended.
    """
    dangles = _find_dangles(graph, hooked=True)
    if not dangles:
        return
    extensions = [_extended(graph, dangle) for dangle in dangles]
    tails = np.array(
        [shapely.linestrings(np.stack([line.points[-added - 1], line.points[-1]])) for line, added in extensions]
    )
    meets = _LineIndex(graph).crossed(tails, [dangle.line for dangle in dangles])
    one, other = shapely.STRtree(tails).query(tails, "intersects")
    meets[one[one != other]] = True
    for dangle, (extended, _), met in zip(dangles, extensions, meets.tolist(), strict=True):
        line = graph.lines[dangle.line]
        if met or not shapely.is_simple(shapely.linestrings(extended.points)):
            continue
        if line.start != extended.start or not np.array_equal(line.points[0], extended.points[0]):
            extended = _extended(graph, dangle)[0]  # the other end of the line has been extended meanwhile
        graph.nodes[dangle.node] = extended.points[-1]
        graph.set_line(dangle.line, extended if line.end == dangle.node else extended.reversed())


def _extended(graph: RoadGraph, dangle: _Dangle) -> tuple[Line, int]:
    """Return the line of a dangle, towards it and extended, and the number of points that were added."""
    line = graph.lines[dangle.line]
    line = line if line.end == dangle.node else line.reversed()
    back = np.cumsum(graph.metric.steps(line.points)[::-1])  # distance of each point from the end
    reach = max(float(line.half_width[-1]) - graph.cell * graph.metric.gsd / 4, 0.0)
    # Cut the last half width, which may be a hook, unless the line is short.
    cut = len(line.points) - 1
    if dangle.half_width < dangle.length / 4:
        cut -= int(np.searchsorted(back, dangle.half_width))
        reach += max(float(graph.metric.vector(line.points[cut], line.points[-1]) @ dangle.direction), 0.0)
    # Continue in the direction of the dangle.
    position = line.points[cut] + graph.metric.pixels(dangle.direction * reach, line.points[cut][1])
    steps = max(round(float(np.hypot(*(position - line.points[cut]))) / graph.cell), 1)
    unknown = np.full(steps, np.nan, np.float32)
    kept = line.section(0, cut, line.start, line.end)
    extended = Line(
        line.start,
        line.end,
        np.concatenate([kept.points, np.linspace(line.points[cut], position, steps + 1)[1:]]),
        np.concatenate([kept.half_width, unknown]),
        np.concatenate([kept.confidence, unknown]),
    )
    return extended, steps


def bridge_gaps(graph: RoadGraph, max_gap: float, crosses_barrier: CrossesBarrier) -> int:
    """Connect dangles that face each other, and dangles that face a line.

    Greedy: candidates are built in the order of their cost. Each dangle gets one bridge at most, and bridges cross
    neither lines nor each other.

    Args:
        graph: Dangles are extended to the edge of the class; changed in place.
        max_gap: Largest gap, m (px without a CRS).
        crosses_barrier: Which bridges are not allowed.

    Returns:
        Number of bridges built.
    """
    dangles = _find_dangles(graph)
    if not dangles or max_gap <= 0:
        return 0
    tree = _LineIndex(graph)
    bridges = [*_bridges_between_dangles(graph, dangles, max_gap), *_bridges_to_lines(graph, dangles, max_gap, tree)]
    bridges.sort(key=lambda bridge: (bridge.cost, *bridge.start.position.tolist(), *bridge.position.tolist()))
    bridge_lines = _bridge_lines(bridges)
    short = np.array([bridge.gap <= _SHORT * max_gap for bridge in bridges], bool)
    free = (
        ~(crosses_barrier(bridge_lines, short) | tree.crossed(bridge_lines)) if len(bridge_lines) else np.empty(0, bool)
    )
    # The first allowed bridge of each dangle.
    used: set[int] = set()
    chosen: list[int] = []
    for index in np.flatnonzero(free).tolist():
        bridge = bridges[index]
        nodes = {dangle.node for dangle in (bridge.start, bridge.target) if dangle is not None}
        if not nodes & used:
            used |= nodes
            chosen.append(index)
    built = _drop_crossing(bridge_lines, chosen)
    _add_bridges(graph, [bridges[index] for index in built])
    graph.dissolve_pseudo_nodes()
    return len(built)


def _find_dangles(graph: RoadGraph, hooked: bool = False) -> list[_Dangle]:
    """Return the dangles of a graph.

    Args:
        graph: The network.
        hooked: Whether lines may end in a hook: their direction is then measured from half a width before the end.
    """
    found = []
    for number, line in graph.lines.items():
        for node, outward in ((line.start, line.reversed()), (line.end, line)):
            if graph.degree(node) != 1:
                continue
            known = outward.half_width[outward.half_width > 0][-40:]
            half_width = float(np.median(known)) if len(known) else 0.0
            back = np.cumsum(graph.metric.steps(outward.points)[::-1])
            # Direction: from a point some half widths before the end to the end, or to the start of the hook.
            reach = max(_LOOK_BACK * half_width, 6 * graph.cell * graph.metric.gsd)
            near = int(np.searchsorted(back, half_width)) if hooked and half_width < back[-1] / 4 else 0
            far = near + 1 + int(np.searchsorted(back[near:] - back[near], reach))
            vector = graph.metric.vector(outward.points[-1 - min(far, len(back))], outward.points[-1 - near])
            length = float(np.hypot(*vector))
            if length > 0:
                found.append(_Dangle(node, number, outward.points[-1], vector / length, half_width, float(back[-1])))
    return found


def _bridges_between_dangles(graph: RoadGraph, dangles: list[_Dangle], max_gap: float) -> list[_Bridge]:
    """Return candidate bridges between two dangles that face each other."""
    positions = np.array([dangle.position for dangle in dangles])
    rows = (positions[:, 1].min(), positions[:, 1].max())
    smallest = min(size for row in rows for size in graph.metric.sizes(row))
    bridges = []
    for one, other in cKDTree(positions).query_pairs(max_gap / smallest, output_type="ndarray").tolist():
        a, b = dangles[one], dangles[other]
        way = graph.metric.vector(a.position, b.position)
        gap = float(np.hypot(*way))
        if gap > min(max_gap, a.length, b.length) or not _similar_widths(a.half_width, b.half_width):
            continue  # isolated short lines do not connect roads
        if a.line == b.line and a.length < 3 * max_gap:
            continue  # both ends of a short bent line
        # Cosines of the angles between the bridge and the direction of each dangle; the smaller one counts.
        turns = (way @ a.direction, -way @ b.direction) if gap > 0 else (1.0, 1.0)
        cosine = min(turns) / max(gap, 1e-9)
        if cosine >= (_BENT if gap <= _SHORT * max_gap else _STRAIGHT) or gap == 0:
            bridges.append(_Bridge(gap * (2 - cosine), gap, a, b, -1, b.position))
    return bridges


def _similar_widths(one: float, other: float) -> bool:
    return max(one, other) <= _WIDTH_RATIO * max(min(one, other), 1e-9)


def _bridges_to_lines(graph: RoadGraph, dangles: list[_Dangle], max_gap: float, tree: _LineIndex) -> list[_Bridge]:
    """Return candidate bridges from dangles to the first line ahead, by ray casting."""
    bridges = []
    widest = max((float(np.nanmax(line.half_width, initial=0)) for line in graph.lines.values()), default=0.0)
    reach = max_gap + widest
    rays = shapely.linestrings(
        np.array(
            [
                [dangle.position, dangle.position + graph.metric.pixels(dangle.direction * reach, dangle.position[1])]
                for dangle in dangles
            ]
        )
    )
    for index, number, hit in tree.first_hits(rays, [dangle.line for dangle in dangles]):
        dangle, line = dangles[index], graph.lines[number]
        # Nearest vertex of the line; the gap ends at the edge of that road.
        at = int(np.argmin(((line.points - hit) ** 2).sum(axis=1)))
        position = line.points[at]
        half_width = float(np.nan_to_num(line.half_width[at]))
        way = graph.metric.vector(dangle.position, position)
        distance = float(np.hypot(*way))
        # Sine of the angle between the dangle and the line there.
        along = graph.metric.vector(line.points[max(at - 5, 0)], line.points[min(at + 5, len(line.points) - 1)])
        cross = abs(float(dangle.direction[0] * along[1] - dangle.direction[1] * along[0]))
        gap = max(distance - half_width, 0.0)
        steep = cross >= _CROSSING * float(np.hypot(*along))
        if steep and gap <= min(max_gap, dangle.length / 2) and way @ dangle.direction >= _STRAIGHT * distance:
            bridges.append(_Bridge(1.5 * gap + 1e-6, gap, dangle, None, number, position))
    return bridges


class _LineIndex:
    """Spatial index (STR-tree) of the lines of a graph."""

    def __init__(self, graph: RoadGraph) -> None:
        self._numbers = list(graph.lines)
        self._shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
        self._tree = shapely.STRtree(self._shapes)

    def first_hits(self, rays: npt.NDArray[np.object_], own: list[int]) -> list[tuple[int, int, Points]]:
        """Return for each ray that meets a line other than its own: index of the ray, first line met, point, (2,)."""
        ray, shape = self._tree.query(rays, "intersects")
        other = np.array(own, int)[ray] != np.array(self._numbers, int)[shape]
        ray, shape = ray[other], shape[other]
        starts = shapely.get_point(rays[ray], 0)
        ways = shapely.shortest_line(starts, shapely.intersection(rays[ray], self._shapes[shape]))
        met = shapely.get_point(ways, -1)
        distance = shapely.distance(starts, met)
        first: dict[int, int] = {}
        for index in np.argsort(distance, kind="stable").tolist():
            first.setdefault(int(ray[index]), index)
        return [
            (number, self._numbers[shape[index]], shapely.get_coordinates(met[index])[0])
            for number, index in sorted(first.items())
        ]

    def crossed(self, segments: npt.NDArray[np.object_], own: list[int] | None = None) -> npt.NDArray[np.bool_]:
        """Return which segments, (N,), meet a line other than their own elsewhere than at the segment's ends."""
        result = np.zeros(len(segments), bool)
        segment, shape = self._tree.query(segments, "intersects")
        if own is not None:
            other = np.array(own, int)[segment] != np.array(self._numbers, int)[shape]
            segment, shape = segment[other], shape[other]
        common = shapely.intersection(segments[segment], self._shapes[shape])
        points, of_common = shapely.get_coordinates(common, return_index=True)
        from_ends = shapely.distance(shapely.points(points), shapely.boundary(segments[segment])[of_common])
        result[segment[of_common[from_ends > 1e-6]]] = True
        result[segment[shapely.length(common) > 1e-6]] = True
        return result


def _bridge_lines(bridges: list[_Bridge]) -> npt.NDArray[np.object_]:
    """Return the bridges as LineStrings in pixels, (N,)."""
    if not bridges:
        return np.empty(0, object)
    lines: npt.NDArray[np.object_] = shapely.linestrings(np.array([[b.start.position, b.position] for b in bridges]))
    return lines


def _drop_crossing(bridge_lines: npt.NDArray[np.object_], chosen: list[int]) -> list[int]:
    """Return the indices of bridges, in order of cost, without those that cross one that is kept."""
    lines = bridge_lines[chosen]
    one, other = shapely.STRtree(lines).query(lines, "crosses") if len(lines) else ([], [])
    crossing: dict[int, list[int]] = {}
    for a, b in zip(one, other, strict=True):
        crossing.setdefault(int(a), []).append(int(b))
    built: set[int] = set()
    for index in range(len(chosen)):
        if not built & set(crossing.get(index, [])):
            built.add(index)
    return [chosen[index] for index in sorted(built)]


def _add_bridges(graph: RoadGraph, bridges: list[_Bridge]) -> None:
    """Add bridges to a graph; lines are split where a bridge meets them."""
    nodes: dict[tuple[float, float], int] = {}  # nodes at which lines were split, by position
    splits: dict[int, list[Points]] = {}
    for bridge in bridges:
        if bridge.target is None:
            splits.setdefault(bridge.line, []).append(bridge.position)
    for number, positions in splits.items():
        nodes.update(_split_line(graph, number, positions))
    for bridge in bridges:
        end = bridge.target.node if bridge.target else nodes[bridge.position[0], bridge.position[1]]
        steps = max(math.ceil(float(np.hypot(*(bridge.position - bridge.start.position))) / graph.cell), 2)
        points = np.linspace(bridge.start.position, bridge.position, steps + 1)
        unknown = np.full(len(points), np.nan, np.float32)
        half_width = np.zeros(len(points), np.float32)
        half_width[[0, -1]] = np.nan  # both ends are points of roads
        graph.add(Line(bridge.start.node, end, points, half_width, unknown))


def _split_line(graph: RoadGraph, number: int, positions: list[Points]) -> dict[tuple[float, float], int]:
    """Split a line at some of its points; return the node at each position."""
    line = graph.lines[number]
    split_points = {(float(position[0]), float(position[1])) for position in positions}
    at = [index for index, point in enumerate(line.points.tolist()) if tuple(point) in split_points]
    nodes = {}
    first, start = 0, line.start
    for index in at:
        key = (float(line.points[index, 0]), float(line.points[index, 1]))
        if index in (0, len(line.points) - 1):
            nodes[key] = line.start if index == 0 else line.end
            continue
        nodes[key] = graph.add_node(line.points[index])
        graph.add(line.section(first, index, start, nodes[key]))
        first, start = index, nodes[key]
    if first:
        graph.add(line.section(first, len(line.points) - 1, start, line.end))
        graph.remove(number)
    return nodes
