"""The multigraph of a road network."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph, line_strings

METRIC = Metric(Grid(100, 100, Affine.identity(), None))


def line(start, end, *points, width=2.0, confidence=80.0):
    count = len(points)
    return Line(
        start, end, np.array(points, float), np.full(count, width, np.float32), np.full(count, confidence, np.float32)
    )


@pytest.fixture
def graph():
    return RoadGraph(METRIC)


def nodes(graph, *positions):
    return [graph.add_node(np.array(position, float)) for position in positions]


def test_measured_lengths_follow_a_line_into_its_sections_and_its_opposite_direction():
    whole = line(1, 2, (0, 0), (1, 0), (2, 1), (5, 5))
    assert whole.steps(METRIC).tolist() == pytest.approx([1, 2**0.5, 5])
    assert whole.steps(METRIC) is whole.steps(METRIC)
    for part in (whole.reversed(), whole.section(1, 3, 8, 9), whole.reversed().section(0, 1, 8, 9)):
        assert part.steps(METRIC).tolist() == METRIC.steps(part.points).tolist()
    moved = replace(whole, points=whole.points * 2)
    assert moved.length(METRIC) == pytest.approx(2 * whole.length(METRIC))


def test_a_section_and_the_rest_make_up_the_line():
    whole = line(1, 2, (0, 0), (1, 0), (2, 1), (3, 3))
    first, rest = whole.section(0, 2, 1, 9), whole.section(2, 3, 9, 2)
    assert first.points.tolist() == [[0, 0], [1, 0], [2, 1]]
    joined = first.concatenated(rest)
    assert (joined.start, joined.end) == (1, 2)
    assert joined.points.tolist() == whole.points.tolist()
    assert len(joined.half_width) == len(joined.confidence) == 4


def test_the_opposite_direction_swaps_ends_and_values():
    whole = Line(1, 2, np.array([[0.0, 0], [5, 0]]), np.array([1, 2], np.float32), np.array([3, 4], np.float32))
    back = whole.reversed()
    assert (back.start, back.end, back.points.tolist()) == (2, 1, [[5, 0], [0, 0]])
    assert (back.half_width.tolist(), back.confidence.tolist()) == ([2, 1], [4, 3])


def test_rings_and_parallel_lines_count_with_both_ends(graph):
    a, b = nodes(graph, (0, 0), (9, 0))
    ring = graph.add(line(a, a, (0, 0), (3, 3), (0, 0)))
    graph.add(line(a, b, (0, 0), (9, 0)))
    graph.add(line(a, b, (0, 0), (4, 2), (9, 0)))
    assert (graph.degree(a), graph.degree(b)) == (4, 2)
    graph.remove(ring)
    assert graph.degree(a) == 2


def test_nodes_without_lines_go(graph):
    a, b, c = nodes(graph, (0, 0), (9, 0), (9, 9))
    first, second = graph.add(line(a, b, (0, 0), (9, 0))), graph.add(line(b, c, (9, 0), (9, 9)))
    assert graph.remove(first).end == b
    assert set(graph.nodes) == set(graph.incident) == {b, c}
    graph.remove(second)
    assert not graph.nodes


def test_a_moved_node_takes_the_ends_of_its_lines_along(graph):
    a, b = nodes(graph, (0, 0), (9, 0))
    one, ring = graph.add(line(b, a, (9, 0), (0, 0))), graph.add(line(a, a, (0, 0), (3, 3), (0, 0)))
    before = graph.lines[ring].points
    graph.move(a, np.array([1.0, 1.0]))
    assert graph.lines[one].points.tolist() == [[9, 0], [1, 1]]
    assert graph.lines[ring].points.tolist() == [[1, 1], [3, 3], [1, 1]]
    assert before.tolist() == [[0, 0], [3, 3], [0, 0]]  # the traced points of others are not changed


@given(st.tuples(st.booleans(), st.booleans()))
def test_two_lines_at_a_node_become_one_whatever_their_directions(turned):
    graph = RoadGraph(METRIC)
    a, b, c = nodes(graph, (0, 0), (5, 0), (9, 3))
    for piece, back in zip((line(a, b, (0, 0), (5, 0)), line(b, c, (5, 0), (9, 3))), turned, strict=True):
        graph.add(piece.reversed() if back else piece)
    graph.dissolve_pseudo_nodes()
    (joined,) = graph.lines.values()
    points = joined.points if joined.start == a else joined.points[::-1]
    assert points.tolist() == [[0, 0], [5, 0], [9, 3]]
    assert set(graph.nodes) == {a, c}


def test_a_chain_and_a_cycle_of_pieces_become_one_line_each(graph):
    chain = nodes(graph, *((x, 0) for x in range(6)))
    for one, other in pairwise(chain):
        graph.add(line(one, other, graph.nodes[one], graph.nodes[other]))
    corners = nodes(graph, (0, 9), (5, 9), (5, 14))
    for index, corner in enumerate(corners):
        other = corners[(index + 1) % 3]
        graph.add(line(corner, other, graph.nodes[corner], graph.nodes[other]))
    graph.dissolve_pseudo_nodes()
    lengths = sorted(METRIC.length(one.points) for one in graph.lines.values())
    assert lengths == pytest.approx([5, 10 + 50**0.5])
    assert sorted(graph.degree(node) for node in graph.nodes) == [1, 1, 2]  # the cycle keeps one node


def test_junctions_stay(graph):
    middle, *ends = nodes(graph, (5, 5), (0, 5), (9, 5), (5, 0))
    for end in ends:
        graph.add(line(middle, end, (5, 5), graph.nodes[end]))
    graph.dissolve_pseudo_nodes()
    assert len(graph.lines) == 3


def test_components(graph):
    a, b, c, d, alone = nodes(graph, (0, 0), (1, 0), (5, 0), (6, 0), (9, 9))
    graph.add(line(a, b, (0, 0), (1, 0)))
    graph.add(line(d, c, (6, 0), (5, 0)))
    found = graph.components()
    assert found[a] == found[b] != found[c] == found[d]
    assert found[alone] not in (found[a], found[c])
    assert RoadGraph(METRIC).components() == {}


def test_the_width_at_a_node_is_the_largest_and_ignores_unknown_ones(graph):
    a, b = nodes(graph, (0, 0), (9, 0))
    unknown = line(a, b, (0, 0), (9, 0))
    unknown.half_width[:] = np.nan
    graph.add(unknown)
    assert graph.half_width(a) == 0
    graph.add(Line(b, a, np.array([[9.0, 0], [0, 0]]), np.array([7, 3], np.float32), np.zeros(2, np.float32)))
    assert (graph.half_width(a), graph.half_width(b)) == (3, 7)


def test_lines_of_different_lengths_become_line_strings():
    courses = [np.array([(0.0, 0), (1, 0)]), np.array([(5.0, 5), (6, 5), (6, 7), (0, 7)])]
    made = line_strings(courses)
    assert [shapely.get_coordinates(line).tolist() for line in made] == [course.tolist() for course in courses]
    assert len(line_strings([])) == 0
