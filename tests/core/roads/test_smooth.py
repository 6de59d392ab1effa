"""Smoothed lines meet at their nodes and are straighter than the traced ones."""

import numpy as np
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.smooth import smooth


def stairs(start, end):
    """Return a chain of cells between two points, as tracing gives it."""
    count = int(np.abs(np.subtract(end, start)).max()) + 1
    return np.linspace(start, end, count).round() + 0.5


def graph_of(*courses, half_width=4.0):
    graph, places = RoadGraph(Metric(Grid(200, 200, Affine.identity(), None))), {}

    def node(position):
        key = tuple(position.tolist())
        return places.setdefault(key, graph.add_node(position) if key not in places else None)

    for course in courses:
        count = len(course)
        graph.add(
            Line(
                node(course[0]),
                node(course[-1]),
                course,
                np.full(count, half_width, np.float32),
                np.full(count, 80, np.float32),
            )
        )
    return graph


def ends_at_nodes(graph, lines):
    for line, shape in zip(graph.lines.values(), lines, strict=True):
        points = shapely.get_coordinates(shape)
        assert points[0].tolist() == graph.nodes[line.start].tolist()
        assert points[-1].tolist() == graph.nodes[line.end].tolist()


def test_an_oblique_line_loses_its_stairs():
    course = stairs((10, 10), (90, 37))
    graph = graph_of(course)
    (line,) = smooth(graph, 1.0)
    chord = shapely.LineString([course[0], course[-1]])
    assert shapely.get_num_points(line) == 2
    assert shapely.hausdorff_distance(line, chord) < 0.3
    ends_at_nodes(graph, [line])


def test_a_tolerance_of_zero_keeps_all_points():
    course = stairs((10, 10), (90, 10))
    (line,) = smooth(graph_of(course), 0)
    assert shapely.get_num_points(line) == len(course)


def test_a_road_goes_straight_through_a_junction():
    """The node is on the stairs; afterwards it is on the straight line between the two ends."""
    middle = stairs((10, 20), (90, 51))[40]
    west, east = stairs((10, 20), (90, 51))[:41], stairs((10, 20), (90, 51))[40:]
    side = middle + np.column_stack([np.zeros(41), np.arange(41)])
    graph = graph_of(west, east, side)
    lines = smooth(graph, 0.5)
    ends_at_nodes(graph, lines)
    node = graph.lines[next(iter(graph.lines))].end
    chord = shapely.LineString([west[0], east[-1]])
    assert chord.distance(shapely.Point(graph.nodes[node])) < 0.2
    assert chord.distance(shapely.Point(middle)) > chord.distance(shapely.Point(graph.nodes[node]))


def test_a_right_angle_at_a_node_is_not_rounded_over_it():
    corner = np.array([50.5, 50.5])
    graph = graph_of(stairs((10, 50), (50, 50)), stairs((50, 50), (50, 90)))
    lines = smooth(graph, 1.0)
    assert min(line.distance(shapely.Point(corner)) for line in lines) == 0


def test_lines_that_would_cross_keep_their_course():
    """A bend around the end of a road: smoothing would pull it over that end."""
    bend = np.concatenate([stairs((48, 90), (48, 51)), stairs((48, 50), (52, 50)), stairs((52, 51), (52, 90))])
    graph = graph_of(stairs((50, 90), (50, 51)), bend, half_width=20)
    first, second = smooth(graph, 1.0)
    assert not first.intersects(second)
    assert shapely.get_coordinates(second).tolist() == bend.tolist()
    ends_at_nodes(graph, [first, second])
    (alone,) = smooth(graph_of(bend, half_width=20), 1.0)
    assert alone.intersects(first)


@pytest.mark.parametrize("count", [2, 3])
def test_the_shortest_lines_survive(count):
    course = np.column_stack([np.arange(count) + 0.5, np.full(count, 0.5)])
    (line,) = smooth(graph_of(course), 5.0)
    assert line.length == pytest.approx(count - 1)


def test_an_empty_graph_has_no_lines():
    assert len(smooth(graph_of(), 1.0)) == 0
