"""The boundary graph of a strip: Euler's formula, twins, rings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.polygons.boundary_graph import E, N, S, W, build_boundary_graph

STRIPS = arrays(np.int32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 3))
STEP = {E: (1, 0), S: (0, 1), W: (-1, 0), N: (0, -1)}


def graph_of(faces):
    return build_boundary_graph(np.pad(faces, 1), 0, top=True, bottom=True)


def half_edges(graph):
    """Yield vertex, direction and target of each half-edge."""
    for number in np.flatnonzero(graph.targets >= 0).tolist():
        yield number // 4, number % 4, int(graph.targets[number])


@given(STRIPS)
def test_each_half_edge_has_its_twin_and_runs_straight(faces):
    graph = graph_of(faces)
    for start, direction, end in half_edges(graph):
        assert graph.targets[4 * end + (direction + 2) % 4] == start
        dx, dy = STEP[direction]
        far = (graph.x[end] - graph.x[start], graph.y[end] - graph.y[start])
        assert (np.sign(far[0]), np.sign(far[1])) == (dx, dy)


@given(STRIPS)
def test_the_face_is_on_the_right_along_the_whole_half_edge(faces):
    graph, padded = graph_of(faces), np.pad(faces, 1)
    offset = {E: (0, 0), S: (-1, 0), W: (-1, -1), N: (0, -1)}  # pixel on the right of a step from a corner
    for start, direction, end in half_edges(graph):
        dx, dy = STEP[direction]
        x, y = int(graph.x[start]), int(graph.y[start])
        while (x, y) != (graph.x[end], graph.y[end]):
            col, row = x + offset[direction][0], y + offset[direction][1]
            assert padded[row + 1, col + 1] == graph.faces[4 * start + direction]
            x, y = x + dx, y + dy


@given(STRIPS)
def test_rings_close_and_stay_with_their_face(faces):
    graph = graph_of(faces)
    for start, direction, _ in half_edges(graph):
        face, number, visited = graph.faces[4 * start + direction], 4 * start + direction, set()
        while number not in visited:
            visited.add(number)
            assert graph.faces[number] == face
            number = 4 * int(graph.targets[number]) + int(graph.turns[number])
            assert graph.targets[number] >= 0
        assert number == 4 * start + direction  # the successor of each half-edge is unique, so a walk returns


def test_a_hole_that_touches_the_exterior_at_a_corner_is_another_ring():
    graph = graph_of(np.array([[1, 1, 1], [1, 2, 1], [1, 1, 2]], np.int32))
    rings, seen = [], set()
    for start, direction, _ in half_edges(graph):
        number, ring = 4 * start + direction, []
        while graph.faces[number] == 1 and number not in seen:
            seen.add(number)
            ring.append(number // 4)
            number = 4 * int(graph.targets[number]) + int(graph.turns[number])
        rings += [ring] if ring else []
    assert sorted(len(ring) for ring in rings) == [4, 6]
    assert all(len(set(ring)) == len(ring) for ring in rings)  # no vertex twice


@given(STRIPS)
def test_degrees_count_half_edges(faces):
    graph = graph_of(faces)
    assert ((graph.targets.reshape(-1, 4) >= 0).sum(axis=1) == graph.degree).all()


def test_one_pixel_is_a_square_of_four_vertices():
    graph = graph_of(np.array([[7]], np.int32))
    assert list(zip(graph.x.tolist(), graph.y.tolist(), strict=True)) == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert graph.degree.tolist() == [2] * 4
    assert graph.outer.all()
    assert sorted(graph.faces[graph.targets >= 0].tolist()) == [0] * 4 + [7] * 4


def test_pixels_without_data_have_no_boundary():
    graph = graph_of(np.zeros((3, 3), np.int32))
    assert len(graph.x) == 0


@pytest.mark.parametrize("first", [0, 40])
def test_a_seam_cuts_the_boundaries_that_cross_it(first):
    faces = np.zeros((5, 4), np.int32)  # margin around 3 × 2 pixels
    faces[1:, 1:3] = 5
    graph = build_boundary_graph(faces, first, top=True, bottom=False)
    seam = graph.y == first + 3
    assert graph.x[seam].tolist() == [0, 2]
    assert graph.degree[~seam].tolist() == [2, 2]
    below = build_boundary_graph(np.roll(faces, -2, axis=0)[:4], first + 3, top=False, bottom=True)
    assert below.x[below.incoming].tolist() == [0, 2]
