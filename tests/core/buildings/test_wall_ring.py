"""Rings of straight walls in any direction."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.buildings.rings import corner_indices, from_corner
from dubai_landcover_plugin.core.buildings.wall_ring import wall_ring
from tests.core.buildings.cases import ELL, pixels


def ring_of(polygon, tolerance=2.0):
    points = from_corner(shapely.get_coordinates(polygon.exterior)[:-1])
    return wall_ring(points, corner_indices(points, 0.75 * tolerance), tolerance, False)


def test_a_right_angled_shape_comes_back():
    ring, share = ring_of(ELL)
    assert share == pytest.approx(1)
    assert {tuple(point) for point in ring.round(6).tolist()} == set(ELL.exterior.coords)


@pytest.mark.parametrize("radius", [12, 30, 45])
def test_a_circle_has_few_chords_and_its_area(radius):
    circle = pixels(shapely.Point(55, 55).buffer(radius))[0]
    ring, _ = ring_of(circle)
    assert len(ring) <= 20
    assert shapely.area(shapely.polygons(ring)) == pytest.approx(circle.area, rel=0.06)
    assert shapely.length(shapely.linearrings(ring)) == pytest.approx(2 * np.pi * radius, rel=0.03)


@pytest.mark.parametrize("cut", [2.0, 5.0])
def test_small_chamfers_become_corners(cut):
    house = shapely.Polygon([(0, 0), (60, 0), (60, 40 - cut), (60 - cut, 40), (0, 40)])
    ring, _ = ring_of(house)
    assert {tuple(point) for point in ring.round(6).tolist()} == {(0, 0), (60, 0), (60, 40), (0, 40)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(5, 40), min_size=4, max_size=30))
def test_vertices_stay_near_the_outline(radii):
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii)
    star = shapely.Polygon(np.array(radii)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]))
    found = ring_of(star)
    if found is None:
        return
    ring, share = found
    assert np.isfinite(ring).all()
    assert 0 <= share <= 1 + 1e-9
    assert shapely.hausdorff_distance(shapely.linearrings(ring), star.exterior) < 40
