"""Takes the stairs out of lines that were traced on cells; they still meet exactly at their nodes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import gaussian_filter1d

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.topology import tangled

_TRUNCATE = 3.0  # standard deviations
_LEAST, _MOST = 2.0, 12.0  # standard deviation of the smoothing, in points of the traced line
_OF_WIDTH = 0.5  # the same in half widths: the wider a road, the longer the waves of its traced middle
_ROUNDS = 20
_STRAIGHT_ON = math.cos(math.radians(45))  # two lines that meet more bluntly are one road

Strand = tuple[int, bool]  # a line, and whether it leaves its end rather than its start


def smooth(graph: RoadGraph, tolerance: float) -> npt.NDArray[np.object_]:
    """Return the lines smoothed and simplified, as (N,) LineStrings in pixels, in the order of ``graph.lines``.

    At a junction, the two lines that go on most straightly are smoothed as one, and the node moves onto them.
    A line that would then cross itself or another one stays as it was traced, and if need be its nodes too.

    Args:
        graph: Its lines meet at nodes only; its nodes are moved.
        tolerance: Of Douglas–Peucker, m (px without a CRS); 0 keeps all vertices.
    """
    traced = {number: line.points for number, line in graph.lines.items()}
    places = dict(graph.nodes)
    pairs = _through_roads(graph)
    widths = {number: _deviation(graph, line) for number, line in graph.lines.items()}
    for node, (one, other) in pairs.items():
        graph.move(node, _on_through_road(traced, one, other, widths))
    partners = {strand: pair[1 - side] for pair in pairs.values() for side, strand in enumerate(pair)}
    numbers = list(graph.lines)
    kept: set[int] = set()  # as traced
    lines = _drawn(graph, numbers, traced, partners, widths, tolerance, kept)
    for _ in range(_ROUNDS):
        wrong = {numbers[index] for index in tangled(lines).tolist()}
        if not wrong:
            break
        for number in wrong & kept:
            for node in (graph.lines[number].start, graph.lines[number].end):
                graph.move(node, places[node])
        kept |= wrong
        lines = _drawn(graph, numbers, traced, partners, widths, tolerance, kept)
    return lines


def _drawn(
    graph: RoadGraph,
    numbers: list[int],
    traced: dict[int, Points],
    partners: dict[Strand, Strand],
    widths: dict[int, float],
    tolerance: float,
    kept: set[int],
) -> npt.NDArray[np.object_]:
    """Return the lines, (N,), smoothed but for those that are kept as they were traced."""
    shapes = [
        _clean(line.points if number in kept else _smoothed(number, line, traced, partners, widths[number]))
        for number, line in graph.lines.items()
    ]
    lines = np.array([shapely.linestrings(points) for points in shapes], object)
    if tolerance > 0 and len(lines):
        smoothed = np.array([number not in kept for number in numbers])
        lines[smoothed] = shapely.simplify(lines[smoothed], tolerance / graph.metric.gsd, preserve_topology=False)
    return lines


def _through_roads(graph: RoadGraph) -> dict[int, tuple[Strand, Strand]]:
    """Return for each node the two strands that go on most straightly there, if any do."""
    found = {node: _straight_on(graph, node) for node in graph.nodes if graph.degree(node) > 1}
    return {node: pair for node, pair in found.items() if pair is not None}


def _deviation(graph: RoadGraph, line: Line) -> float:
    """Return the standard deviation of a line's smoothing, in points."""
    known = line.half_width[line.half_width > 0]
    points = float(np.mean(known)) / (graph.metric.gsd * graph.cell) if len(known) else _LEAST
    return min(max(_OF_WIDTH * points, _LEAST), _MOST)


def _leaving(points: Points, at_end: bool) -> Points:
    """Return the points of a line from one of its ends on."""
    return points[::-1] if at_end else points


def _straight_on(graph: RoadGraph, node: int) -> tuple[Strand, Strand] | None:
    """Return the two strands at a node that go on most straightly, or None where all turn."""
    strands: list[Strand] = []
    for number in dict.fromkeys(graph.at[node]):
        line = graph.lines[number]
        strands += [(number, at_end) for at_end, at in ((False, line.start), (True, line.end)) if at == node]
    reach = max(2 * graph.half_width(node), 8 * graph.cell * graph.metric.gsd)
    directions = []
    for number, at_end in strands:
        points = _leaving(graph.lines[number].points, at_end)
        along = np.cumsum(graph.metric.steps(points))
        far = points[min(int(np.searchsorted(along, reach)) + 1, len(points) - 1)]
        vector = graph.metric.vector(points[0], far)
        directions.append(vector / max(float(np.hypot(*vector)), 1e-9))
    best, found = -_STRAIGHT_ON, None
    for one in range(len(strands)):
        for other in range(one):
            cosine = float(directions[one] @ directions[other])
            if cosine < best:
                best, found = cosine, (strands[other], strands[one])
    return found


def _on_through_road(traced: dict[int, Points], one: Strand, other: Strand, widths: dict[int, float]) -> Points:
    """Return where a node lies on the smoothed course of its straight pair."""
    deviation = max(widths[one[0]], widths[other[0]])
    reach = math.ceil(_TRUNCATE * deviation)
    arms = [_leaving(traced[number], at_end)[: reach + 1] for number, at_end in (one, other)]
    short = min(map(len, arms))  # both sides weigh the same
    course = np.concatenate([arms[0][:short][::-1], arms[1][1:short]])
    position: Points = _filtered(course, deviation)[short - 1]
    return position


def _smoothed(
    number: int, line: Line, traced: dict[int, Points], partners: dict[Strand, Strand], deviation: float
) -> Points:
    """Return a line's smoothed points; it starts and ends at its nodes."""
    points = traced[number]
    reach = math.ceil(_TRUNCATE * deviation)
    before = _beyond(number, False, traced, partners, reach)
    after = _beyond(number, True, traced, partners, reach)
    course = _filtered(np.concatenate([before[::-1], points, after]), deviation)
    course = course[len(before) : len(before) + len(points)]
    # The nodes are where they are; what is near them follows.
    index = np.arange(len(points))
    for position, distance in ((line.points[0], index), (line.points[-1], index[::-1])):
        at = int(np.argmin(distance))
        weight = np.exp(-((distance / max(min(reach, len(points) / 2), 1)) ** 2) * 2)
        weight[len(points) - 1 - at] = 0  # the other end is fixed
        course = course + weight[:, None] * (position - course[at])
    course[0], course[-1] = line.points[0], line.points[-1]
    return course


def _beyond(number: int, at_end: bool, traced: dict[int, Points], partners: dict[Strand, Strand], reach: int) -> Points:
    """Return points with which a line goes on: those of its partner, else its own, turned about its end."""
    partner = partners.get((number, at_end))
    if partner is not None:
        going_on = _leaving(traced[partner[0]], partner[1])[1 : reach + 1]
        if len(going_on) == reach:
            return going_on
    else:
        going_on = np.empty((0, 2))
    own = _leaving(traced[number], at_end)
    known = np.concatenate([own[::-1], going_on])
    missing = reach - len(going_on)
    turned = 2 * known[-1] - known[-2 : -2 - missing : -1]
    return np.concatenate([going_on, turned])


def _filtered(points: Points, deviation: float) -> Points:
    filtered: Points = gaussian_filter1d(points, deviation, axis=0, mode="nearest", truncate=_TRUNCATE)
    return filtered


def _clean(points: Points) -> Points:
    """Leave out points that repeat the one before; both ends stay."""
    moved = np.hypot(*np.diff(points, axis=0).T) > 1e-9
    kept = points[np.concatenate([[True], moved])]
    return kept if len(kept) > 1 else points[[0, -1]]
