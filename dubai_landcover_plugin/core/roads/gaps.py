"""Bridges gaps between road ends: under trees, in shadows, where the classification failed."""

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

_STRAIGHT = math.cos(math.radians(35))  # how far a bridge may turn off an end's direction
_BENT = math.cos(math.radians(75))  # the same over a short gap
_SHORT = 0.3  # of the widest gap
_CROSSING = math.sin(math.radians(30))  # flattest angle at which an end may run into a line
_WIDER = 3.0  # how many times wider one end may be than the other
_LOOK_BACK = 3.0  # half widths over which an end's direction is taken

Blocked = Callable[[npt.NDArray[np.object_], npt.NDArray[np.bool_]], npt.NDArray[np.bool_]]
"""Tells which lines, (N,) in pixels, cross what no bridge may cross, given which of them, (N,), are short."""


@dataclass(frozen=True)
class _End:
    """Where a line ends freely: its place, direction (of length 1 on the ground) and half width; the line's length."""

    node: int
    line: int
    place: Points
    direction: Points
    half_width: float
    length: float


@dataclass(frozen=True)
class _Bridge:
    """A possible bridge: from an end to another end, or to a point of a line; the gap is what no road covers."""

    cost: float
    gap: float
    start: _End
    target: _End | None
    line: int
    place: Points


def extend_ends(graph: RoadGraph) -> None:
    """Lead every free end straight on to the edge of its class: thinning stops half a width before, often with a hook.

    An end that would meet a line there stays where it is.
    """
    ends = _ends(graph, hooked=True)
    if not ends:
        return
    ways = [_led_on(graph, end) for end in ends]
    tails = np.array([shapely.linestrings(np.stack([way.points[-added - 1], way.points[-1]])) for way, added in ways])
    meets = _LineTree(graph).crossed(tails, [end.line for end in ends])
    one, other = shapely.STRtree(tails).query(tails, "intersects")
    meets[one[one != other]] = True
    for end, (way, _), met in zip(ends, ways, meets.tolist(), strict=True):
        line = graph.lines[end.line]
        if met or not shapely.is_simple(shapely.linestrings(way.points)):
            continue
        if line.start != way.start or not np.array_equal(line.points[0], way.points[0]):
            way = _led_on(graph, end)[0]  # the other end has been led on meanwhile
        graph.nodes[end.node] = way.points[-1]
        graph.replace(end.line, way if line.end == end.node else way.reversed())


def _led_on(graph: RoadGraph, end: _End) -> tuple[Line, int]:
    """Return an end's line as it arrives there, led on straight, and how many points are new."""
    line = graph.lines[end.line]
    line = line if line.end == end.node else line.reversed()
    back = np.cumsum(graph.metric.steps(line.points)[::-1])
    reach = max(float(line.half_width[-1]) - graph.cell * graph.metric.gsd / 4, 0.0)
    cut = len(line.points) - 1
    if end.half_width < end.length / 4:
        cut -= int(np.searchsorted(back, end.half_width))
        reach += max(float(graph.metric.vector(line.points[cut], line.points[-1]) @ end.direction), 0.0)
    place = line.points[cut] + graph.metric.pixels(end.direction * reach, line.points[cut][1])
    steps = max(round(float(np.hypot(*(place - line.points[cut]))) / graph.cell), 1)
    unknown = np.full(steps, np.nan, np.float32)
    kept = line.part(0, cut, line.start, line.end)
    led = Line(
        line.start,
        line.end,
        np.concatenate([kept.points, np.linspace(line.points[cut], place, steps + 1)[1:]]),
        np.concatenate([kept.half_width, unknown]),
        np.concatenate([kept.confidence, unknown]),
    )
    return led, steps


def bridge_gaps(graph: RoadGraph, max_gap: float, blocked: Blocked) -> int:
    """Join ends that face each other, and ends that face a line, across at most ``max_gap``.

    The cheapest bridges are built first; each end gets one at most, and none crosses a line.

    Args:
        graph: Its ends reach to the edge of the class.
        max_gap: m (px without a CRS).
        blocked: Which bridges may not be built.

    Returns:
        How many were built.
    """
    ends = _ends(graph)
    if not ends or max_gap <= 0:
        return 0
    tree = _LineTree(graph)
    bridges = [*_between_ends(graph, ends, max_gap), *_to_lines(graph, ends, max_gap, tree)]
    bridges.sort(key=lambda bridge: (bridge.cost, *bridge.start.place.tolist(), *bridge.place.tolist()))
    spans = _spans(bridges)
    short = np.array([bridge.gap <= _SHORT * max_gap for bridge in bridges], bool)
    free = ~(blocked(spans, short) | tree.crossed(spans)) if len(spans) else np.empty(0, bool)
    used: set[int] = set()
    chosen: list[int] = []
    for index in np.flatnonzero(free).tolist():
        bridge = bridges[index]
        nodes = {end.node for end in (bridge.start, bridge.target) if end is not None}
        if not nodes & used:
            used |= nodes
            chosen.append(index)
    built = _without_crossings(spans, chosen)
    _build(graph, [bridges[index] for index in built])
    graph.dissolve()
    return len(built)


def _ends(graph: RoadGraph, hooked: bool = False) -> list[_End]:
    """Return the free ends; the direction of hooked ones is that of the line a half width before."""
    found = []
    for number, line in graph.lines.items():
        for node, way in ((line.start, line.reversed()), (line.end, line)):
            if graph.degree(node) != 1:
                continue
            known = way.half_width[way.half_width > 0][-40:]
            half_width = float(np.median(known)) if len(known) else 0.0
            back = np.cumsum(graph.metric.steps(way.points)[::-1])
            reach = max(_LOOK_BACK * half_width, 6 * graph.cell * graph.metric.gsd)
            near = int(np.searchsorted(back, half_width)) if hooked and half_width < back[-1] / 4 else 0
            far = near + 1 + int(np.searchsorted(back[near:] - back[near], reach))
            vector = graph.metric.vector(way.points[-1 - min(far, len(back))], way.points[-1 - near])
            length = float(np.hypot(*vector))
            if length > 0:
                found.append(_End(node, number, way.points[-1], vector / length, half_width, float(back[-1])))
    return found


def _between_ends(graph: RoadGraph, ends: list[_End], max_gap: float) -> list[_Bridge]:
    places = np.array([end.place for end in ends])
    rows = (places[:, 1].min(), places[:, 1].max())
    smallest = min(size for row in rows for size in graph.metric.sizes(row))
    bridges = []
    for one, other in cKDTree(places).query_pairs(max_gap / smallest, output_type="ndarray").tolist():
        a, b = ends[one], ends[other]
        way = graph.metric.vector(a.place, b.place)
        gap = float(np.hypot(*way))
        if gap > min(max_gap, a.length, b.length) or not _similar(a.half_width, b.half_width):
            continue  # specks are no stepping stones
        if a.line == b.line and a.length < 3 * max_gap:
            continue  # a speck bent like a horseshoe
        turns = (way @ a.direction, -way @ b.direction) if gap > 0 else (1.0, 1.0)
        turn = min(turns) / max(gap, 1e-9)
        if turn >= (_BENT if gap <= _SHORT * max_gap else _STRAIGHT) or gap == 0:
            bridges.append(_Bridge(gap * (2 - turn), gap, a, b, -1, b.place))
    return bridges


def _similar(one: float, other: float) -> bool:
    return max(one, other) <= _WIDER * max(min(one, other), 1e-9)


def _to_lines(graph: RoadGraph, ends: list[_End], max_gap: float, tree: _LineTree) -> list[_Bridge]:
    """Return bridges straight ahead to the nearest line."""
    bridges = []
    widest = max((float(np.nanmax(line.half_width, initial=0)) for line in graph.lines.values()), default=0.0)
    reach = max_gap + widest
    rays = shapely.linestrings(
        np.array([[end.place, end.place + graph.metric.pixels(end.direction * reach, end.place[1])] for end in ends])
    )
    for index, number, hit in tree.hits(rays, [end.line for end in ends]):
        end, line = ends[index], graph.lines[number]
        at = int(np.argmin(((line.points - hit) ** 2).sum(axis=1)))
        place = line.points[at]
        half_width = float(np.nan_to_num(line.half_width[at]))
        way = graph.metric.vector(end.place, place)
        distance = float(np.hypot(*way))
        along = graph.metric.vector(line.points[max(at - 5, 0)], line.points[min(at + 5, len(line.points) - 1)])
        cross = abs(float(end.direction[0] * along[1] - end.direction[1] * along[0]))
        gap = max(distance - half_width, 0.0)
        steep = cross >= _CROSSING * float(np.hypot(*along))
        if steep and gap <= min(max_gap, end.length / 2) and way @ end.direction >= _STRAIGHT * distance:
            bridges.append(_Bridge(1.5 * gap + 1e-6, gap, end, None, number, place))
    return bridges


class _LineTree:
    """Finds lines by place."""

    def __init__(self, graph: RoadGraph) -> None:
        self._numbers = list(graph.lines)
        self._shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
        self._tree = shapely.STRtree(self._shapes)

    def hits(self, rays: npt.NDArray[np.object_], own: list[int]) -> list[tuple[int, int, Points]]:
        """Return for each ray that meets a line other than its own: its index, the first line met, and where."""
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

    def crossed(self, spans: npt.NDArray[np.object_], own: list[int] | None = None) -> npt.NDArray[np.bool_]:
        """Return which spans, (N,), cross a line other than their own elsewhere than at their ends."""
        result = np.zeros(len(spans), bool)
        span, shape = self._tree.query(spans, "intersects")
        if own is not None:
            other = np.array(own, int)[span] != np.array(self._numbers, int)[shape]
            span, shape = span[other], shape[other]
        common = shapely.intersection(spans[span], self._shapes[shape])
        points, of_common = shapely.get_coordinates(common, return_index=True)
        from_ends = shapely.distance(shapely.points(points), shapely.boundary(spans[span])[of_common])
        result[span[of_common[from_ends > 1e-6]]] = True
        result[span[shapely.length(common) > 1e-6]] = True
        return result


def _spans(bridges: list[_Bridge]) -> npt.NDArray[np.object_]:
    """Return the bridges as lines in pixels, (N,)."""
    if not bridges:
        return np.empty(0, object)
    spans: npt.NDArray[np.object_] = shapely.linestrings(np.array([[b.start.place, b.place] for b in bridges]))
    return spans


def _without_crossings(spans: npt.NDArray[np.object_], chosen: list[int]) -> list[int]:
    """Leave out bridges that cross one built before; those chosen come in order of cost."""
    lines = spans[chosen]
    one, other = shapely.STRtree(lines).query(lines, "crosses") if len(lines) else ([], [])
    across: dict[int, list[int]] = {}
    for a, b in zip(one, other, strict=True):
        across.setdefault(int(a), []).append(int(b))
    built: set[int] = set()
    for index in range(len(chosen)):
        if not built & set(across.get(index, [])):
            built.add(index)
    return [chosen[index] for index in sorted(built)]


def _build(graph: RoadGraph, bridges: list[_Bridge]) -> None:
    meeting: dict[tuple[float, float], int] = {}  # nodes in the middle of lines
    splits: dict[int, list[Points]] = {}
    for bridge in bridges:
        if bridge.target is None:
            splits.setdefault(bridge.line, []).append(bridge.place)
    for number, places in splits.items():
        meeting.update(_split(graph, number, places))
    for bridge in bridges:
        end = bridge.target.node if bridge.target else meeting[bridge.place[0], bridge.place[1]]
        steps = max(math.ceil(float(np.hypot(*(bridge.place - bridge.start.place))) / graph.cell), 2)
        points = np.linspace(bridge.start.place, bridge.place, steps + 1)
        unknown = np.full(len(points), np.nan, np.float32)
        half_width = np.zeros(len(points), np.float32)
        half_width[[0, -1]] = np.nan  # its ends are points of the roads
        graph.add(Line(bridge.start.node, end, points, half_width, unknown))


def _split(graph: RoadGraph, number: int, places: list[Points]) -> dict[tuple[float, float], int]:
    """Split a line at some of its points; return the nodes there."""
    line = graph.lines[number]
    wanted = {(float(place[0]), float(place[1])) for place in places}
    at = [index for index, point in enumerate(line.points.tolist()) if tuple(point) in wanted]
    nodes = {}
    first, start = 0, line.start
    for index in at:
        key = (float(line.points[index, 0]), float(line.points[index, 1]))
        if index in (0, len(line.points) - 1):
            nodes[key] = line.start if index == 0 else line.end
            continue
        nodes[key] = graph.add_node(line.points[index])
        graph.add(line.part(first, index, start, nodes[key]))
        first, start = index, nodes[key]
    if first:
        graph.add(line.part(first, len(line.points) - 1, start, line.end))
        graph.remove(number)
    return nodes
