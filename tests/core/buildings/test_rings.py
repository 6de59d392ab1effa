"""Rectilinear rings in the frame of the walls."""

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.buildings.rings import (
    corner_indices,
    densify,
    equivalent_rectangle,
    rectilinear_ring,
)

ELL = np.array([[0.0, 0], [30, 0], [30, 10], [12, 10], [12, 25], [0, 25]])


def area(ring):
    return shapely.area(shapely.polygons(ring))


def edges(ring):
    return np.roll(ring, -1, axis=0) - ring


def star(radii):
    """Return a ring around the origin with a corner in each direction."""
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii)
    return np.array(radii)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])


STARS = st.lists(st.floats(5, 40), min_size=4, max_size=16).map(star)


@given(STARS, st.floats(0.2, 5))
def test_densifying_adds_points_on_the_outline_alone(ring, step):
    points = densify(ring, step)
    assert np.hypot(*edges(points).T).max() <= step * (1 + 1e-9)
    assert area(points) == pytest.approx(area(ring))
    assert shapely.hausdorff_distance(shapely.polygons(points), shapely.polygons(ring)) < 1e-9


def test_densifying_starts_at_a_corner_and_has_a_limit():
    ring = np.array([[1.0, 0], [2, 0], [2, 1], [0, 1], [0, 0]])
    assert np.hypot(*(densify(ring, 0.1)[0] - ring.mean(axis=0))) == np.hypot(*(ring - ring.mean(axis=0)).T).max()
    assert len(densify(ring, 1e-9)) < 201_000


def test_corners_are_those_of_the_shape():
    points = densify(ELL, 0.7)
    corners = corner_indices(points, 0.5)
    assert (corners[0], corners[-1]) == (0, len(points))
    found = {tuple(point) for point in points[corners[:-1]].round(6).tolist()}
    assert found == {tuple(point) for point in ELL.tolist()}


@given(STARS, st.booleans())
def test_edges_keep_to_the_axes_and_to_the_tolerance(ring, diagonals):
    found = rectilinear_ring(densify(ring, 1.0), 2.0, diagonals)
    assume(found is not None)
    vectors = edges(found)
    along = np.abs(vectors).min(axis=1) < 1e-6
    oblique = np.abs(np.abs(vectors[:, 0]) - np.abs(vectors[:, 1])) < 1e-6
    assert (along | oblique).all() if diagonals else along.all()
    if len(found) > 4:
        assert np.hypot(*vectors.T).min() > 2.0 - 1e-6


def test_a_right_angled_shape_comes_back():
    found = rectilinear_ring(densify(ELL, 1.0), 2.0, False)
    assert {tuple(point) for point in found.round(6).tolist()} == {tuple(point) for point in ELL.tolist()}


@pytest.mark.parametrize(("notch", "corners"), [(1.0, 4), (5.0, 8)])
def test_small_notches_go_and_large_ones_stay(notch, corners):
    ring = np.array(
        [[0, 0], [30, 0], [30, 20], [20, 20], [20, 20 - notch], [20 - notch, 20 - notch], [20 - notch, 20], [0, 20]],
        float,
    )
    assert len(rectilinear_ring(densify(ring, 1.0), 2.0, False)) == corners


@given(STARS)
def test_the_equivalent_rectangle_has_area_centroid_and_proportions(ring):
    rectangle = equivalent_rectangle(ring)
    assert area(rectangle) == pytest.approx(area(ring))
    one, other = (shapely.centroid(shapely.polygons(points)) for points in (rectangle, ring))
    assert (one.x, one.y) == pytest.approx((other.x, other.y), abs=1e-6)
    assert np.ptp(rectangle[:, 0]) / np.ptp(rectangle[:, 1]) == pytest.approx(np.ptp(ring[:, 0]) / np.ptp(ring[:, 1]))
