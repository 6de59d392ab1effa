"""Walls move inwards until they leave areas."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate

from dubai_landcover_plugin.core.buildings.retreat import retreat, without_spikes
from tests.core.buildings.cases import ELL, YARD, deviations


@pytest.mark.parametrize("angle", [0, 33])
@pytest.mark.parametrize("shape", [ELL, YARD])
def test_a_wall_moves_and_the_shape_stays(shape, angle):
    sliver = shapely.Polygon([(5, 0), (20, 0), (20, 0.4), (12, 0.8)])
    polygon, part = rotate(shape, angle, origin=(0, 0)), rotate(sliver, angle, origin=(0, 0))
    moved = retreat(polygon, np.array([part]), 0.01)
    assert shapely.intersection(moved, part).area < 1e-9
    assert shapely.get_num_coordinates(moved) == shapely.get_num_coordinates(polygon)
    assert deviations(moved)[0].max() < 1e-6
    assert polygon.area - moved.area == pytest.approx(40 * 0.81, rel=1e-6)


def test_where_a_wall_cannot_move_a_rectangle_is_cut_out():
    polygon = shapely.Polygon([(0, 0), (30, 0), (30, 20), (16, 20), (16, 20.5), (14, 20.5), (14, 20), (0, 20)])
    part = shapely.box(14, 18, 16, 20.5)  # deeper than the bump
    moved = retreat(polygon, np.array([part]), 0.01)
    assert shapely.is_valid(moved)
    assert shapely.intersection(moved, part).area < 1e-9
    assert moved.area > 500


def test_spikes_go():
    spiked = shapely.Polygon([(0, 0), (20, 0), (20, 10), (10, 10), (10, 40), (9.9, 10), (0, 10)])
    assert without_spikes(spiked).area == pytest.approx(200, abs=1)
    assert without_spikes(spiked).bounds[3] < 11


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_the_areas_the_result_is_sound(seed):
    rng = np.random.default_rng(seed)
    polygon = rotate((ELL, YARD)[seed % 2], rng.uniform(0, 90), origin=(20, 15))
    middles = shapely.get_coordinates(polygon.exterior.interpolate(rng.uniform(0, polygon.length, 5)))
    near = [rotate(shapely.box(x - w, y - h, x + w, y + h), t) for (x, y), w, h, t in zip(
        middles, *rng.uniform(0.2, 3, (2, 5)), rng.uniform(0, 90, 5), strict=True
    )]  # fmt: skip
    parts = [part for part in shapely.get_parts(shapely.intersection(polygon, shapely.union_all(near))) if part.area]
    moved = retreat(polygon, np.array(parts), 0.002)
    if moved is None:
        return
    assert moved.geom_type == "Polygon"
    assert shapely.is_valid(moved)
    assert len(moved.interiors) == len(polygon.interiors)
    assert shapely.difference(moved, polygon).area < 0.01
    lengths = [np.diff(shapely.get_coordinates(ring), axis=0) for ring in shapely.get_rings(moved)]
    assert np.hypot(*np.concatenate(lengths).T).min() > 1e-6
