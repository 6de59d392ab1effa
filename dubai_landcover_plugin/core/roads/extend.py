"""Extends dangling road ends to the edge of the class.

Thinning stops about half a width before the edge, often with a hook to a corner; at the border of the raster, the hook
of an oblique road is longer. The hook is replaced by the axis of the road.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.ndimage import uniform_filter1d

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.area import RoadArea
from dubai_landcover_plugin.core.roads.centre import fit_axis
from dubai_landcover_plugin.core.roads.dangles import Dangle, find_dangles
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph, line_strings
from dubai_landcover_plugin.core.roads.line_index import LineIndex

_AXIS = (4.0, 16.0)  # half widths and cells: length of a line over which its axis is fitted at an end
_SOUND = 0.7  # share of known widths over half a half width
_LONGEST = 0.6  # share of a line that is replaced at most
_BEYOND = 4.0  # half widths: largest extension beyond the end of the traced line


@dataclass(frozen=True)
class _Extension:
    """The straight end of a line.

    Args:
        removed: Number of points, at the end of the line, that it replaces.
        start: (2,) px, on the axis.
        step: (2,) px for one unit of length.
        limit: Largest length, m (px without a CRS).
    """

    removed: int
    start: Points
    step: Points
    limit: float


def extend_dangles(graph: RoadGraph, area: RoadArea) -> None:
    """Extend every dangle along its axis to the edge of the class or of the raster.

    Dangles that would meet a line are not extended.

    Args:
        graph: Lines in the middle of the class; changed in place.
        area: The class.
    """
    dangles = find_dangles(graph)
    if not dangles:
        return
    outward = [_outward(graph, dangle) for dangle in dangles]
    extensions = [_extension(graph, dangle, line) for dangle, line in zip(dangles, outward)]
    starts, steps = (np.array([getattr(one, name) for one in extensions]) for name in ("start", "step"))
    hits = area.cast(starts, steps, np.array([one.limit for one in extensions]))
    ends = starts + np.nan_to_num(hits.distance)[:, None] * steps
    kept = [line.points[-1 - one.removed] for line, one in zip(outward, extensions)]
    tails = shapely.linestrings(np.stack([kept, ends], axis=1))
    meets = LineIndex(graph).crossed(tails, [dangle.line for dangle in dangles])
    first, second = shapely.STRtree(tails).query(tails, "intersects")
    meets[first[first != second]] = True
    free = ~np.isnan(hits.distance) & ~meets
    at_end = np.array([graph.lines[dangle.line].end == dangle.node for dangle in dangles])
    for side in (False, True):  # one end of each line at a time
        chosen = np.flatnonzero(free & (at_end == side)).tolist()
        lines = [
            _extended(_outward(graph, dangles[index]), extensions[index].removed, ends[index], graph.cell)
            for index in chosen
        ]
        simple = shapely.is_simple(line_strings([line.points for line in lines]))
        for index, line in ((index, line) for index, line, sound in zip(chosen, lines, simple) if sound):
            graph.nodes[dangles[index].node] = line.points[-1]
            graph.set_line(dangles[index].line, line if side else line.reversed())


def _outward(graph: RoadGraph, dangle: Dangle) -> Line:
    """Return the line of a dangle, towards it."""
    line = graph.lines[dangle.line]
    return line if line.end == dangle.node else line.reversed()


def _extension(graph: RoadGraph, dangle: Dangle, line: Line) -> _Extension:
    """Return where the straight end of a dangle starts, and its direction, for the line towards it."""
    back = np.concatenate([np.cumsum(line.steps(graph.metric)[::-1])[::-1], [0.0]])  # distance from the end
    last = len(line.points) - 1
    if dangle.half_width < dangle.length / 4:
        # Cut the last half width, which may be a hook, and the points before it where most widths are unknown.
        size = max(round(dangle.half_width / (2 * graph.cell * graph.metric.gsd)), 1)
        share = uniform_filter1d((line.half_width > 0).astype(np.float64), size, origin=(size - 1) // 2)  # backwards
        sound = np.flatnonzero((back >= dangle.half_width) & (share >= _SOUND) & (back <= _LONGEST * dangle.length))
        last = int(sound[-1]) if len(sound) else int(np.searchsorted(-back, -dangle.half_width))
    reach = max(_AXIS[0] * dangle.half_width, _AXIS[1] * graph.cell * graph.metric.gsd)
    near = line.points[np.searchsorted(-back, -(back[last] + reach)) : last + 1]
    centre, direction = fit_axis(near if len(near) > 1 else line.points[-2:])
    start = centre + direction * float((line.points[last] - centre) @ direction)
    step = direction / max(float(np.hypot(*graph.metric.vector(start, start + direction))), 1e-12)
    return _Extension(len(line.points) - 1 - last, start, step, float(back[last]) + _BEYOND * dangle.half_width)


def _extended(line: Line, removed: int, position: Points, cell: int) -> Line:
    """Return a line whose last points are replaced by a straight one to a position, with a point in each cell."""
    last = len(line.points) - 1 - removed
    steps = max(round(float(np.hypot(*(position - line.points[last]))) / cell), 1)
    unknown = np.full(steps + 1, np.nan, np.float32)
    tail = Line(line.end, line.end, np.linspace(line.points[last], position, steps + 1), unknown, unknown)
    return line.section(0, last, line.start, line.end).concatenated(tail)
