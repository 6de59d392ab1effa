"""Outlines of pixels become outlines of buildings."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize, shapes
from scipy.ndimage import gaussian_filter
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.core.buildings.local_frame import local_frames
from dubai_landcover_plugin.core.buildings.outlines import (
    _has_saw_teeth,
    align_to_walls,
    intersection_over_union,
    regularize_outline,
)
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
        (frame,) = local_frames(np.array([stair], object), None)
        found = regularize_outline(stair, align_to_walls(stair, frame, tolerance), tolerance, diagonals, min_iou)
        if found is None:
            return
        outline, _, share = found
        assert outline.geom_type == "Polygon"
        assert shapely.is_valid(outline)
        assert len(outline.interiors) == len(stair.interiors)
        assert intersection_over_union(stair, outline) >= min_iou
        assert 0 <= share <= 1
        if share == 1 and len(shapely.get_parts(outline)) == 1:
            edges = [np.diff(shapely.get_coordinates(ring), axis=0) for ring in shapely.get_rings(outline)]
            assert np.hypot(*np.concatenate(edges).T).min() > 1e-3

    def test_diagonals_where_they_are_allowed(self):
        (stair,) = pixels(translate(rotate(CHAMFERED, 20, origin=(30, 20)), 25, 30))
        stepped, _ = regular(stair)
        slanting, _ = regular(stair, diagonals=True)
        assert shapely.get_num_coordinates(slanting) == 6
        assert shapely.get_num_coordinates(stepped) == 6  # a wall in a direction of its own, without steps
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

    @pytest.mark.parametrize("angle", [0, 10, 33, 70])
    def test_a_block_along_a_curved_street_has_no_saw_teeth(self, angle):
        ring = shapely.Point(50, 10).buffer(75).difference(shapely.Point(50, 10).buffer(50))
        sector = shapely.intersection(ring, shapely.Polygon([(50, 10), (5, 110), (95, 110)]))
        (stair,) = pixels(rotate(sector, angle, origin=(50, 60)), size=120)
        outline, _ = regular(stair)
        simplified = shapely.simplify(stair, 1.5)
        assert intersection_over_union(stair, outline) > 0.94
        assert shapely.get_num_coordinates(outline) <= shapely.get_num_coordinates(simplified) + 1
        assert outline.length < 1.03 * simplified.length
        assert not _has_saw_teeth(outline, 2.0)

    @pytest.mark.parametrize("shape", [shapely.box(0, 0, 40, 24), ELL, YARD])
    def test_noise_leaves_the_corners_of_right_angled_buildings(self, shape):
        rng = np.random.default_rng(4)
        for angle in range(0, 90, 15):
            mask = rasterize([translate(rotate(shape, angle, origin=(20, 15)), 30, 35)], (110, 110)).astype(float)
            noise = gaussian_filter(rng.normal(size=mask.shape), 1.2)
            parts = shapes((gaussian_filter(mask, 1.2) + 0.4 * noise > 0.5).astype(np.uint8), connectivity=4)
            stair = max((shapely.geometry.shape(part) for part, value in parts if value), key=lambda part: part.area)
            outline, _ = regular(stair)
            assert shapely.get_num_coordinates(outline) == shapely.get_num_coordinates(shape)
            assert deviations(outline)[0].max() < 1e-3
