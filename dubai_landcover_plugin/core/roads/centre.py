"""Moves the traced lines of a road network to the middle between the edges of the class, and measures its widths.

Thinning leaves lines on the cells of the raster: those of roads that are an even number of cells wide are half a cell
beside the middle, and lines bend towards side roads. Here the class is cut at right angles to the line at each of its
points. The middle of the cut is on the axis of the road, even if the cut is oblique.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from dubai_landcover_plugin.core.grid.ground import Floats, Points
from dubai_landcover_plugin.core.roads.area import RoadArea
from dubai_landcover_plugin.core.roads.filters import gaussian_of_lines, median
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph, line_strings
from dubai_landcover_plugin.core.roads.smooth import standard_deviation
from dubai_landcover_plugin.core.roads.topology import find_intersecting

_WIDER = 1.5  # half widths of the distance transform: a longer cut is in a junction
_SLACK = 2.0  # cells: a longer cut of a narrow road, whose distance transform is coarse
_JUNCTION = 1.5  # half widths: extent of a junction from its node, for side roads that are wider than the road
_NEIGHBOURS = (8.0, 15)  # half widths and points: length of a line over which cuts are compared
_UNUSUAL = (0.1, 0.75)  # half widths and cells: deviation from the median of the neighbours
_AXIS = (3.0, 6.0)  # half widths and cells: length of a line over which its axis is fitted at a node
_SHIFT = 3.0  # half widths and cells: largest distance from a junction to the intersection of the axes
_INERTIA = 1e-3  # weight of the traced position beside the axes, which leave one direction free at a straight junction
_ROUNDS = 20

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Cuts:
    """Cuts across the class at the points of a line.

    Args:
        middle: (N, 2) middle of each cut, px.
        half_width: (N,) half of its length at right angles to the line, m (px without a CRS).
        known: (N,) whether the class is cut between two edges of one road.
    """

    middle: Points
    half_width: Floats
    known: Mask


def centre_lines(graph: RoadGraph, area: RoadArea) -> None:
    """Move lines to the middle of the class, and junctions to the intersection of the axes of their lines.

    Half widths become those of the cuts; they are unknown within junctions. A line that would then meet another one
    elsewhere than at a node keeps its traced course.

    Args:
        graph: Planar graph of traced lines; changed in place.
        area: The class.
    """
    if not graph.lines:
        return
    numbers = list(graph.lines)
    traced, positions = dict(graph.lines), dict(graph.nodes)
    cuts = dict(zip(numbers, _cut(graph, area), strict=True))
    graph.nodes.update({node: _axes_intersection(graph, node, cuts) for node in positions})
    kept: set[int] = set()  # lines that keep their traced course
    shapes, changed = np.empty(len(numbers), object), np.arange(len(numbers))
    for _ in range(_ROUNDS):
        for index in changed.tolist():
            number = numbers[index]
            graph.set_line(number, _centred(graph, traced[number], None if number in kept else cuts[number]))
        shapes[changed] = line_strings([graph.lines[numbers[index]].points for index in changed.tolist()])
        invalid = {numbers[index] for index in find_intersecting(shapes, changed).tolist()} - kept
        if not invalid:
            return
        kept |= invalid
        fixed = {node for number in invalid for node in (traced[number].start, traced[number].end)}
        graph.nodes.update({node: positions[node] for node in fixed})
        changed = np.flatnonzero([not fixed.isdisjoint((traced[n].start, traced[n].end)) for n in numbers])
    graph.nodes.update(positions)
    graph.lines.update(traced)


def _cut(graph: RoadGraph, area: RoadArea) -> list[_Cuts]:
    """Return the cuts of each line."""
    metric, cell = graph.metric, graph.cell * graph.metric.gsd
    lines = list(graph.lines.values())
    points = np.concatenate([line.points for line in lines])
    counts = np.array([len(line.points) for line in lines])
    sigmas = np.array([standard_deviation(graph, line) for line in lines])
    across = _normals(graph, points, counts, sigmas)
    half_width = np.nan_to_num(np.concatenate([line.half_width for line in lines]).astype(np.float64))
    limits = _WIDER * half_width + _SLACK * cell
    steps = metric.all_pixels(across, points[:, 1])  # px for one unit of length
    start = np.maximum(half_width - 2 * cell, 0.0)  # the distance transform says that this much is class
    # Both sides at once: the class is unpacked for each call.
    hits = area.cast(np.tile(points, (2, 1)), np.concatenate([steps, -steps]), np.tile(limits, 2), np.tile(start, 2))
    left, right = np.split(hits.distance, 2)
    closed = ~(np.isnan(hits.distance) | hits.open).reshape(2, -1).any(axis=0)
    known = closed & (half_width > 0)
    shift, half = (left - right) / 2, (left + right) / 2
    middle = points + np.where(known, shift, 0.0)[:, None] * steps
    found, courses, first = [], [], 0
    for line in lines:
        part = slice(first, first + len(line.points))
        first = part.stop
        cuts = _Cuts(middle[part], half[part], known[part] & _outside_junctions(graph, line))
        cuts.known[:] = _usual(cuts, cell)
        found.append(cuts)
        courses.append(_interpolated(line, cuts, line.points[0], line.points[-1]))
    # The middle is on the axis even if the cut is oblique to it, but the cut is longer: project it.
    half *= np.abs((across * _normals(graph, np.concatenate(courses), counts, sigmas)).sum(axis=1))
    return found  # whose half widths are parts of that array


def _usual(cuts: _Cuts, cell: float) -> Mask:
    """Return which cuts are about as long as their neighbours, (N,): others reach into a side road or a car park."""
    usual = cuts.known.copy()
    values = cuts.half_width[usual]
    if len(values) and np.ptp(values) > max(_UNUSUAL[0] * values.min(), _UNUSUAL[1] * cell):
        size = int(max(_NEIGHBOURS[0] * median(values) / cell, _NEIGHBOURS[1]))
        around = median_filter(values, size, mode="nearest")
        usual[usual] = np.abs(values - around) <= np.maximum(_UNUSUAL[0] * around, _UNUSUAL[1] * cell)
    return usual


def _outside_junctions(graph: RoadGraph, line: Line) -> Mask:
    """Return which points of a line are outside of junctions, (N,)."""
    along = np.concatenate([[0.0], np.cumsum(line.steps(graph.metric))])
    outside = np.ones(len(along), bool)
    for node, distance in ((line.start, along), (line.end, along[-1] - along)):
        if graph.degree(node) > 2:
            outside &= distance >= _JUNCTION * graph.half_width(node)
    return outside


def _normals(graph: RoadGraph, points: Points, counts: Indices, sigmas: Floats) -> Points:
    """Return the unit vectors across lines on the ground, (N, 2), smoothed along their courses.

    Args:
        graph: The graph.
        points: (N, 2) points of all lines, px.
        counts: (L,) points of each line.
        sigmas: (L,) standard deviations of the filters.
    """
    curved = np.repeat(counts > 2, counts)[:, None]
    smoothed = np.where(curved, gaussian_of_lines(points, counts, sigmas), points)
    # Central differences; one-sided ones at both ends of a line.
    last = np.cumsum(counts) - 1
    ahead, behind = np.arange(len(points)) + 1, np.arange(len(points)) - 1
    ahead[last], behind[last - counts + 1] = last, last - counts + 1
    gradient = (smoothed[ahead] - smoothed[behind]) / (ahead - behind)[:, None]
    way = graph.metric.ground(gradient, smoothed[:, 1])
    length = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-12)
    return np.column_stack([-way[:, 1], way[:, 0]]) / length[:, None]


def _axes_intersection(graph: RoadGraph, node: int, cuts: dict[int, _Cuts]) -> Points:
    """Return the point closest to the axes of the lines at a node, in the sense of least squares, (2,) px.

    Each axis is a straight line through the middles next to the junction. Ends keep their position; a node that one
    ring starts from moves to the middle.
    """
    position = graph.nodes[node]
    if graph.degree(node) == 1:
        return position
    number = graph.incident[node][0]
    if graph.degree(node) == 2 and graph.lines[number].start == graph.lines[number].end:
        own = cuts[number]
        known = own.known[[0, -1]]
        return own.middle[[0, -1]][known].mean(axis=0) if known.any() else position
    reach = max(_SHIFT * graph.half_width(node) / graph.metric.gsd, _SHIFT * graph.cell)  # px
    matrix, target = _INERTIA * np.eye(2), np.zeros(2)  # relative to the position
    for number in dict.fromkeys(graph.incident[node]):
        line, own = graph.lines[number], cuts[number]
        for at_end in (False, True):
            if (line.end if at_end else line.start) == node:
                axis = _axis(graph, line, own, at_end)
                if axis is not None:
                    centre, direction = axis
                    across = np.eye(2) - np.outer(direction, direction)  # projection across the axis
                    matrix, target = matrix + across, target + across @ (centre - position)
    shift = np.linalg.solve(matrix, target)
    return position + shift if np.hypot(*shift) <= reach else position


def _axis(graph: RoadGraph, line: Line, cuts: _Cuts, at_end: bool) -> tuple[Points, Points] | None:
    """Return a point of the axis and its direction, (2,) px each, from the middles near an end; None without two."""
    order = np.flatnonzero(cuts.known)[:: -1 if at_end else 1]
    if len(order) < 2:
        return None
    half_width = median(cuts.half_width[order[:16]]) / graph.metric.gsd
    middles = cuts.middle[order]
    along = np.hypot(*(middles - middles[0]).T)
    beyond = np.flatnonzero(along > max(_AXIS[0] * half_width, _AXIS[1] * graph.cell))
    near = middles[: beyond[0]] if len(beyond) else middles
    return fit_axis(near) if len(near) > 1 else None


def fit_axis(points: Points) -> tuple[Points, Points]:
    """Return the centroid of points, (N, 2), and the unit vector of their principal axis, from first to last."""
    centre = points.mean(axis=0)
    x, y = (points - centre).T
    angle = math.atan2(2 * (x @ y), x @ x - y @ y) / 2  # of the larger axis of the second moments
    direction = np.array([math.cos(angle), math.sin(angle)])
    return centre, direction if (points[-1] - points[0]) @ direction >= 0 else -direction


def _centred(graph: RoadGraph, line: Line, cuts: _Cuts | None) -> Line:
    """Return a line through the middles of its cuts, between its nodes; None keeps its traced course."""
    first, last = graph.nodes[line.start], graph.nodes[line.end]
    if cuts is None or not cuts.known[1:-1].any():  # a straight line instead could coincide with a parallel one
        points = line.points.copy()
        points[0], points[-1] = first, last
        return replace(line, points=points)
    half_width = np.where(cuts.known, cuts.half_width, np.nan).astype(np.float32)
    # The ends keep the distance transform: it is the size of the junction.
    half_width[[0, -1]] = line.half_width[[0, -1]]
    return replace(line, points=_interpolated(line, cuts, first, last), half_width=half_width)


def _interpolated(line: Line, cuts: _Cuts, first: Points, last: Points) -> Points:
    """Return the middles of the cuts between two ends, (N, 2), interpolated along the line where they are unknown."""
    known = cuts.known.copy()
    known[0] = known[-1] = True
    middle = cuts.middle[known]
    middle[0], middle[-1] = first, last
    along, step = np.zeros(len(known)), line.points[1:] - line.points[:-1]
    np.cumsum(np.hypot(step[:, 0], step[:, 1]), out=along[1:])
    course, at = np.empty((len(known), 2)), along[known]
    for axis in (0, 1):
        course[:, axis] = np.interp(along, at, middle[:, axis])
    return course
