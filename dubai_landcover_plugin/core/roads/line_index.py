"""Spatial index of the lines of a road network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.ground import Points
from dubai_landcover_plugin.core.roads.graph import RoadGraph, line_strings


class LineIndex:
    """Spatial index (STR-tree) of the lines of a graph."""

    def __init__(self, graph: RoadGraph) -> None:
        self._numbers = list(graph.lines)
        self._shapes = line_strings([line.points for line in graph.lines.values()])
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
