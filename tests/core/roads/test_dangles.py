"""Dangling ends of lines."""

import pytest

from dubai_landcover_plugin.core.roads.dangles import find_dangles
from tests.core.roads.test_graph import graph, line, nodes  # noqa: F401


def test_ends_have_position_direction_and_width(graph):  # noqa: F811
    a, b, c = nodes(graph, (0, 5), (20, 5), (20, 25))
    graph.add(line(a, b, *((x, 5) for x in range(21)), width=3))
    graph.add(line(b, c, *((20, y) for y in range(5, 26)), width=2))
    first, second = sorted(find_dangles(graph), key=lambda dangle: dangle.node)
    assert (first.node, second.node) == (a, c)
    assert first.direction == pytest.approx([-1, 0])
    assert second.direction == pytest.approx([0, 1])
    assert (first.half_width, first.length, second.half_width) == (3, 20, 2)
    assert (second.position == [20, 25]).all()


def test_a_ring_has_none(graph):  # noqa: F811
    (a,) = nodes(graph, (0, 0))
    graph.add(line(a, a, (0, 0), (5, 0), (5, 5), (0, 0)))
    assert find_dangles(graph) == []
