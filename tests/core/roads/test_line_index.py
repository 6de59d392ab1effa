"""Rays and segments against the lines of a graph."""

import pytest
import shapely

from dubai_landcover_plugin.core.roads.line_index import LineIndex
from tests.core.roads.test_graph import graph, line, nodes  # noqa: F401


@pytest.fixture
def two_lines(graph):  # noqa: F811
    a, b, c, d = nodes(graph, (10, 0), (10, 20), (15, 0), (15, 20))
    return graph, graph.add(line(a, b, (10, 0), (10, 20))), graph.add(line(c, d, (15, 0), (15, 20)))


def test_a_ray_meets_the_nearest_line_that_is_not_its_own(two_lines):
    found, near, far = two_lines
    rays = shapely.linestrings([[[0, 5], [30, 5]], [[0, 5], [30, 5]], [[0, 50], [30, 50]]])
    hits = LineIndex(found).first_hits(rays, [-1, near, -1])
    assert [(ray, number, point.tolist()) for ray, number, point in hits] == [(0, near, [10, 5]), (1, far, [15, 5])]


def test_segments_that_end_at_a_line_do_not_cross_it(two_lines):
    found, near, _ = two_lines
    segments = shapely.linestrings([[[0, 5], [10, 5]], [[0, 5], [12, 5]], [[10, 3], [10, 30]]])
    assert LineIndex(found).crossed(segments).tolist() == [False, True, True]
    assert LineIndex(found).crossed(segments, [near] * 3).tolist() == [False, False, False]
