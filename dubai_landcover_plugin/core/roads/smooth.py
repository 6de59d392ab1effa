"""Smooths lines that were traced on cells; they still meet exactly at their nodes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.filters import TRUNCATE, gaussian
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph, line_strings
from dubai_landcover_plugin.core.roads.topology import find_intersecting

_MIN_SIGMA, _MAX_SIGMA = 2.0, 12.0  # standard deviation of the Gaussian, in points of the traced line
_SIGMA_PER_HALF_WIDTH = 0.5  # the skeleton of a wide road undulates with a longer wavelength
_ROUNDS = 20
_CONTINUES = math.cos(math.radians(45))  # lines that deviate less from a straight continuation are one road

LineEnd = tuple[int, bool]
"""A line, and whether its end is meant rather than its start."""


def smooth(graph: RoadGraph, tolerance: float) -> npt.NDArray[np.object_]:
    """Smooth the lines by a Gaussian filter along their course, then simplify them.

    At a junction, the two lines with the straightest continuation are smoothed as one, and the node is moved onto them.
    Lines that would then intersect keep their traced course, and if necessary the traced positions of their nodes.

    Args:
        graph: Planar graph; its nodes are moved.
        tolerance: Douglas–Peucker tolerance, m (px without a CRS); 0 keeps all vertices.

    Returns:
        (N,) LineStrings in pixels, in the order of ``graph.lines``.
    """
    traced = {number: line.points for number, line in graph.lines.items()}
    traced_nodes = dict(graph.nodes)
    pairs = _continuations(graph)
    sigmas = {number: standard_deviation(graph, line) for number, line in graph.lines.items()}
    for node, (one, other) in pairs.items():
        graph.move(node, _node_on_smoothed(traced, one, other, sigmas))
    partners = {line_end: pair[1 - side] for pair in pairs.values() for side, line_end in enumerate(pair)}
    numbers = list(graph.lines)
    kept: set[int] = set()  # lines that keep their traced course
    lines, changed = np.empty(len(numbers), object), np.arange(len(numbers))
    for _ in range(_ROUNDS + 1):
        lines[changed] = _smooth_lines(
            graph, [numbers[index] for index in changed.tolist()], traced, partners, sigmas, tolerance, kept
        )
        invalid = {numbers[index] for index in find_intersecting(lines, changed).tolist()}
        redrawn = invalid - kept
        for number in invalid & kept:
            for node in (graph.lines[number].start, graph.lines[number].end):
                if not np.array_equal(graph.nodes[node], traced_nodes[node]):
                    graph.move(node, traced_nodes[node])
                    redrawn.update(graph.incident[node])
        if not redrawn:
            break
        kept |= invalid
        changed = np.flatnonzero([number in redrawn for number in numbers])
    return lines


def _smooth_lines(
    graph: RoadGraph,
    numbers: list[int],
    traced: dict[int, Points],
    partners: dict[LineEnd, LineEnd],
    sigmas: dict[int, float],
    tolerance: float,
    kept: set[int],
) -> npt.NDArray[np.object_]:
    """Return some lines, (N,): smoothed and simplified, except those that keep their traced course."""
    courses = []
    for number in numbers:
        line = graph.lines[number]
        points = line.points if number in kept else _smoothed(number, line, traced, partners, sigmas[number])
        courses.append(_drop_repeated(points))
    lines = line_strings(courses)
    if tolerance > 0 and len(lines):
        smoothed = np.array([number not in kept for number in numbers])
        lines[smoothed] = shapely.simplify(lines[smoothed], tolerance / graph.metric.gsd, preserve_topology=False)
    return lines


def _continuations(graph: RoadGraph) -> dict[int, tuple[LineEnd, LineEnd]]:
    """Return for each node with a straight continuation the two line ends that form it."""
    pairs = {node: _straightest_pair(graph, node) for node in graph.nodes if graph.degree(node) > 1}
    return {node: pair for node, pair in pairs.items() if pair is not None}


def standard_deviation(graph: RoadGraph, line: Line) -> float:
    """Return the standard deviation of a line's Gaussian filter, in points, from its mean half width."""
    known = line.half_width[line.half_width > 0]
    points = float(np.mean(known)) / (graph.metric.gsd * graph.cell) if len(known) else _MIN_SIGMA
    return min(max(_SIGMA_PER_HALF_WIDTH * points, _MIN_SIGMA), _MAX_SIGMA)


def _from_end(points: Points, at_end: bool) -> Points:
    """Return the points of a line, starting at its end if ``at_end``, else at its start."""
    return points[::-1] if at_end else points


def _straightest_pair(graph: RoadGraph, node: int) -> tuple[LineEnd, LineEnd] | None:
    """Return the two line ends at a node with the straightest continuation; None if all bend by 45° or more."""
    line_ends: list[LineEnd] = []
    for number in dict.fromkeys(graph.incident[node]):
        line = graph.lines[number]
        line_ends += [(number, at_end) for at_end, at in ((False, line.start), (True, line.end)) if at == node]
    reach = max(2 * graph.half_width(node), 8 * graph.cell * graph.metric.gsd)
    directions = []  # unit vectors away from the node
    for number, at_end in line_ends:
        line = graph.lines[number].reversed() if at_end else graph.lines[number]
        points, along = line.points, np.cumsum(line.steps(graph.metric))
        far = points[min(int(np.searchsorted(along, reach)) + 1, len(points) - 1)]
        vector = graph.metric.vector(points[0], far)
        directions.append(vector / max(float(np.hypot(*vector)), 1e-9))
    best, found = -_CONTINUES, None
    for one in range(len(line_ends)):
        for other in range(one):
            cosine = float(directions[one] @ directions[other])
            if cosine < best:
                best, found = cosine, (line_ends[other], line_ends[one])
    return found


def _node_on_smoothed(traced: dict[int, Points], one: LineEnd, other: LineEnd, sigmas: dict[int, float]) -> Points:
    """Return the position of a node on the smoothed course of its two continuing lines."""
    sigma = max(sigmas[one[0]], sigmas[other[0]])
    reach = math.ceil(TRUNCATE * sigma)
    arms = [_from_end(traced[number], at_end)[: reach + 1] for number, at_end in (one, other)]
    short = min(map(len, arms))  # the same number of points on both sides
    course = np.concatenate([arms[0][:short][::-1], arms[1][1:short]])
    position: Points = gaussian(course, sigma)[short - 1]
    return position


def _smoothed(
    number: int, line: Line, traced: dict[int, Points], partners: dict[LineEnd, LineEnd], sigma: float
) -> Points:
    """Return the smoothed points of a line, (N, 2); it starts and ends at its nodes."""
    points = traced[number]
    reach = math.ceil(TRUNCATE * sigma)
    # Extend the line at both ends, so that the filter has no border effects.
    before = _padding(number, False, traced, partners, reach)
    after = _padding(number, True, traced, partners, reach)
    course = gaussian(np.concatenate([before[::-1], points, after]), sigma)
    course = course[len(before) : len(before) + len(points)]
    # Shift the points near each node by its offset, fading out with a Gaussian weight.
    index = np.arange(len(points))
    for position, distance in ((line.points[0], index), (line.points[-1], index[::-1])):
        at = int(np.argmin(distance))
        weight = np.exp(-((distance / max(min(reach, len(points) / 2), 1)) ** 2) * 2)
        weight[len(points) - 1 - at] = 0  # the other end does not move
        course = course + weight[:, None] * (position - course[at])
    course[0], course[-1] = line.points[0], line.points[-1]
    return course


def _padding(
    number: int, at_end: bool, traced: dict[int, Points], partners: dict[LineEnd, LineEnd], reach: int
) -> Points:
    """Return ``reach`` points beyond an end: those of the continuing line, then a point reflection."""
    partner = partners.get((number, at_end))
    if partner is not None:
        continued = _from_end(traced[partner[0]], partner[1])[1 : reach + 1]
        if len(continued) == reach:
            return continued
    else:
        continued = np.empty((0, 2))
    own = _from_end(traced[number], at_end)
    # Point reflection about the last known point.
    known = np.concatenate([own[::-1], continued])
    missing = reach - len(continued)
    reflected = 2 * known[-1] - known[-2 : -2 - missing : -1]
    return np.concatenate([continued, reflected])


def _drop_repeated(points: Points) -> Points:
    """Drop points that equal the previous one; both end points are kept."""
    moved = np.hypot(*np.diff(points, axis=0).T) > 1e-9
    kept = points[np.concatenate([[True], moved])]
    return kept if len(kept) > 1 else points[[0, -1]]
