"""Outlines of pixels become outlines of buildings."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.core.buildings.local_frame import local_frames
from dubai_landcover_plugin.core.buildings.outlines import intersection_over_union
from dubai_landcover_plugin.core.buildings.tolerance import default_tolerance
from tests.core.buildings.cases import ELL, YARD, deviations, pixels, regular

CHAMFERED = shapely.Polygon([(0, 0), (60, 0), (60, 20), (40, 40), (0, 40)])


class TestOutlines:
    @pytest.mark.parametrize("angle", [0, 7, 22.5, 45, 61, 89])
    @pytest.mark.parametrize("shape", [shapely.box(0, 0, 40, 24), ELL, YARD])
    def test_a_stair_of_pixels_becomes_the_building_it_was(self, shape, angle):
        truth = translate(rotate(shape, angle, origin=(20, 15)), 30, 35)
        (stair,) = pixels(truth)
        outline, frame = regular(stair)
        assert shapely.is_valid(outline)
        assert intersection_over_union(truth, outline) > 0.95
        assert shapely.get_num_coordinates(outline) == shapely.get_num_coordinates(truth)
        assert deviations(outline)[0].max() < 1e-3
        assert abs((np.degrees(frame.angle) - angle + 45) % 90 - 45) < 1.5

    @settings(max_examples=60, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        boxes=st.integers(1, 5),
        angle=st.floats(0, 90),
        tolerance=st.floats(1, 5),
        diagonals=st.booleans(),
        min_iou=st.floats(0.5, 1),
    )
    def test_whatever_the_shape_the_outline_is_sound(self, seed, boxes, angle, tolerance, diagonals, min_iou):
        rng = np.random.default_rng(seed)
        corners = rng.uniform(20, 70, (boxes, 2))
        sizes = rng.uniform(4, 40, (boxes, 2))
        whole = shapely.union_all([shapely.box(*low, *(low + size)) for low, size in zip(corners, sizes, strict=True)])
        (stair,) = pixels(rotate(whole, angle, origin=(55, 55)))
        outline, _ = regular(stair, tolerance, diagonals, min_iou)
        if outline is None:
            return
        assert outline.geom_type == "Polygon"
        assert shapely.is_valid(outline)
        assert len(outline.interiors) == len(stair.interiors)
        assert intersection_over_union(stair, outline) >= min_iou
        off, lengths = deviations(outline, 45 if diagonals else 90)
        assert off[lengths > 0.01].max() < 0.01

    def test_diagonals_where_they_are_allowed(self):
        (stair,) = pixels(translate(rotate(CHAMFERED, 20, origin=(30, 20)), 25, 30))
        stepped, _ = regular(stair)
        slanting, _ = regular(stair, diagonals=True)
        assert shapely.get_num_coordinates(slanting) == 6
        assert shapely.get_num_coordinates(stepped) > 8
        off, _ = deviations(slanting)
        assert off.max() == pytest.approx(45, abs=1e-3)

    def test_courtyards_stay_even_small_ones(self):
        shape = shapely.box(0, 0, 30, 30).difference(shapely.box(14, 14, 15, 15))
        outline, _ = regular(shape)
        assert len(outline.interiors) == 1
        assert shapely.Polygon(outline.interiors[0]).area == pytest.approx(1)

    @pytest.mark.parametrize("shape", [shapely.box(5, 5, 6, 6), shapely.box(0, 0, 60, 1), shapely.box(0, 0, 1, 3)])
    def test_of_one_pixel_or_one_row_it_is_a_rectangle(self, shape):
        outline, _ = regular(shape)
        assert intersection_over_union(shape, outline) > 0.99

    @pytest.mark.parametrize("tolerance", [1e-6, 0.01, 50.0, 1e6])
    def test_tolerances_out_of_scale_do_no_harm(self, tolerance):
        (stair,) = pixels(translate(rotate(ELL, 30), 30, 35))
        outline, _ = regular(stair, tolerance)
        assert outline is None or (shapely.is_valid(outline) and intersection_over_union(stair, outline) >= 0.85)

    def test_a_round_building_keeps_its_outline_where_nothing_regular_is_close(self):
        circle = shapely.Point(0, 0).buffer(3)
        assert regular(circle, min_iou=0.99)[0] is None

    def test_rounded_corners_become_square(self):
        round_off = shapely.box(20, 20, 80, 60).buffer(-4).buffer(4)
        outline, _ = regular(pixels(round_off)[0])
        assert shapely.get_num_coordinates(outline) == 5

    def test_the_tolerance_is_two_pixels_of_stairs_else_two_metres(self):
        stairs = pixels(rotate(translate(ELL, 30, 35), 25))
        half = np.array([shapely.transform(stairs[0], lambda points: points * 0.5)], object)
        assert default_tolerance(stairs, local_frames(stairs, None)) == pytest.approx(2)
        assert default_tolerance(half, local_frames(half, None)) == pytest.approx(1)
        drawn = np.array([rotate(translate(ELL, 30, 35), 25)], object)
        assert default_tolerance(drawn, local_frames(drawn, None)) == 2
