"""Area that features can spare during simplification, and the measure of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.polygons.area_budget import AreaBudget, EdgeAreas
from dubai_landcover_plugin.core.polygons.regions import is_below
from dubai_landcover_plugin.core.polygons.tracer import PolygonTracer


def test_areas_within_rounding_errors_are_not_below():
    areas = np.array([0.04 * 3 + 0.04 * 497, 20 - 1e-12, 20 - 1e-4, 19.96])
    assert is_below(areas, 20).tolist() == [False, False, True, True]


@pytest.mark.parametrize(("pixel_areas", "constant"), [(np.full(6, 0.25), 0.25), (np.linspace(2, 1, 6), None)])
def test_a_rectangle_has_the_area_of_its_pixels(pixel_areas, constant):
    areas = EdgeAreas(pixel_areas)
    assert areas.constant == constant
    x, y = np.array([1, 4, 4, 1]), np.array([2, 2, 5, 5])
    total = areas.between(x, y, np.roll(x, -1), np.roll(y, -1)).sum()
    assert total == pytest.approx(3 * pixel_areas[2:5].sum())


def budget(areas, min_area, pixel_area=1.0):
    return AreaBudget(np.array(areas, float), min_area, np.arange(len(areas)), np.full(9, pixel_area))


def test_the_feature_at_the_convex_corner_loses_the_triangle():
    # Way to the east, then to the south: the corner is convex for the face on the right, number 2.
    before, vertex, after = np.array([[1], [1]]), np.array([[3], [1]]), np.array([[3], [2]])
    faces = np.array([[1, 2]])
    losing, gaining, area = budget([20, 20], 10).changes(before, vertex, after, faces)
    assert (losing.tolist(), gaining.tolist(), area.tolist()) == ([1], [0], [1.0])
    losing, gaining, area = budget([20, 20], 10).changes(after, vertex, before, faces[:, ::-1])
    assert (losing.tolist(), gaining.tolist(), area.tolist()) == ([1], [0], [1.0])


def test_area_is_taken_smallest_first_and_gains_count_later():
    made = budget([12, 10], 10)
    losing, gaining = np.array([0, 0, 0, 1]), np.array([1, 1, 1, 0])
    area, order = np.array([1.5, 0.5, 1.0, 0.5]), np.array([3, 1, 2, 0])
    assert made.take(losing, gaining, area, order).tolist() == [False, True, True, False]
    assert made.affords(losing, area).tolist() == [False, True, False, True]  # spare are 0.5 and 1.5


def test_nodata_can_spare_any_area_and_gains_nothing_of_use():
    made = AreaBudget(np.array([10.0]), 10, np.array([0]), np.ones(9))
    _, gaining, _ = made.changes(*(np.array([[x], [y]]) for x, y in ((1, 1), (3, 1), (3, 2))), np.array([[1, 0]]))
    assert gaining.tolist() == [0]
    assert made.affords(np.array([1]), np.array([1e12])).all()


@pytest.mark.parametrize("pixel", [0.1, 0.2, 0.3, 0.7])
def test_areas_at_the_minimum_are_exact_for_every_pixel_size(pixel):
    """The spare area is used up to the last half pixel, and no rounding error brings a feature below."""
    area = pixel * pixel
    made = budget([200 * area], 199 * area, area)
    one, half = np.array([0]), np.array([0.5])
    assert made.take(one, one + 1, half, one).all()
    assert made.take(one, one + 1, half, one).all()
    assert not made.take(one, one + 1, half, one).any()


class Array:
    def __init__(self, ids):
        self.ids = ids

    def read(self, first, last):
        return self.ids[first:last]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 6), st.floats(2, 20), st.integers(3, 30))
def test_the_minimum_holds_on_the_ground_where_pixels_shrink_with_the_row(seed, tolerance, min_area, rows):
    ids = np.random.default_rng(seed).integers(1, 4, (12, 12)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
    pixel_areas = np.linspace(2, 0.5, len(ids))
    areas = EdgeAreas(pixel_areas)
    tracer = PolygonTracer(Array(ids), pixel_areas, ids.shape[1], min_area, tolerance, rows=rows)
    total = np.zeros(len(tracer.features.class_ids))
    for traced, _ in tracer.trace():
        terms = areas.between(*traced.rings.points.T, *traced.rings.next_points.T)
        np.add.at(total, traced.features.repeat(traced.rings.lengths), terms)
    assert total.sum() == pytest.approx(pixel_areas.sum() * ids.shape[1])
    assert not is_below(total, min_area).any()
