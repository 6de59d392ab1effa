"""Ground sizes of pixels, against the ellipsoid and by hand."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale, Metric, pixels_to_crs

UTM40, DEGREES = CRS.from_epsg(32640), CRS.from_epsg(4326)
WORLD = Grid(180, 360, Affine(1, 0, -180, 0, -1, 90), DEGREES)
METRIC_OF_WORLD = Metric(WORLD)
HALF_METRE = Grid(50, 60, Affine(0.5, 0, 300_000, 0, -0.25, 2_780_000), UTM40)


def test_pixels_of_a_projected_raster_are_equal():
    scale = GroundScale(HALF_METRE)
    assert scale.sizes(np.array([0.5, 49.5])).tolist() == [[0.5, 0.5], [0.25, 0.25]]
    assert scale.pixel_areas(3, 7).tolist() == [0.125] * 4


def test_without_a_crs_a_pixel_is_the_unit():
    grid = Grid(9, 9, Affine(30, 0, 0, 0, -30, 0), None)
    assert GroundScale(grid).pixel_areas(0, 9).tolist() == [1] * 9
    assert (Metric(grid).unit, Metric(grid).gsd) == ("px", 1)


def test_the_pixels_of_the_world_cover_the_ellipsoid():
    """WGS 84 has 510 065 622 km²; the ground size is interpolated between rows and not integrated over a row."""
    areas = GroundScale(WORLD).pixel_areas(0, 180) * 360
    assert areas.sum() / 1e6 == pytest.approx(510_065_622, rel=1e-3)
    assert areas[89] == pytest.approx(areas[90])  # both at the equator
    assert areas[0] < areas[45] < areas[89]


def test_degrees_shrink_to_the_poles_in_one_direction():
    across, down = GroundScale(WORLD).sizes(np.array([90.0, 30.0]))
    assert across[1] == pytest.approx(across[0] / 2, rel=4e-3)  # cos 60°
    assert down[1] == pytest.approx(down[0], rel=1e-2)


@given(st.floats(-400, 400), st.floats(-400, 400), st.floats(0, 360), st.floats(0.1, 9))
def test_geometries_go_where_the_affine_transform_sends_them(x, y, turn, size):
    transform = Affine.translation(1000, 2000) @ Affine.rotation(turn) @ Affine.scale(size, -3 * size)
    (point,) = pixels_to_crs(np.array([shapely.Point(x, y)], object), Grid(9, 9, transform, UTM40))
    assert (point.x, point.y) == pytest.approx(transform @ (x, y))


def test_lengths_count_the_two_sides_of_a_pixel_apart():
    metric = Metric(HALF_METRE)
    right_and_down = np.array([[0.0, 0], [6, 0], [6, 8]])
    assert metric.steps(right_and_down).tolist() == [3, 2]
    assert metric.length(right_and_down) == 5
    assert metric.gsd == pytest.approx((0.5 * 0.25) ** 0.5)
    assert metric.unit == "m"


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 180))
def test_vectors_in_pixels_and_on_the_ground_are_inverse(x, y, row):
    metric = METRIC_OF_WORLD
    ground = metric.ground(np.array([[x, y]]), np.array([row]))[0]
    assert metric.pixels(ground, row) == pytest.approx([x, y])


def test_the_size_of_a_vector_is_that_at_its_middle():
    metric = METRIC_OF_WORLD
    start, end = np.array([10.0, 20.0]), np.array([13.0, 60.0])
    assert metric.vector(start, end) == pytest.approx([3 * metric.sizes(40)[0], 40 * metric.sizes(40)[1]])


@pytest.mark.parametrize("turn", [0, 40])
def test_lengths_are_exact_where_pixels_are_skewed(turn):
    crs = CRS.from_user_input("ESRI:54009")
    x, y = warp_points("EPSG:4326", crs, [150], [60])[:2]
    grid = Grid(100, 100, Affine.translation(x[0], y[0]) @ Affine.rotation(turn) @ Affine.scale(1, -1), crs)
    metric = Metric(grid)
    points = np.array([[10.0, 20], [70, 20], [70, 80], [20, 30], [20.5, 31]])
    corners = [grid.transform @ tuple(point) for point in points]
    lons, lats = map(np.array, warp_points(crs, "EPSG:4326", *zip(*corners, strict=True))[:2])
    north = np.diff(lats) * 111_412.3  # m for a degree at 60 degrees
    east = np.diff(lons) * 55_800.2
    assert metric.steps(points) == pytest.approx(np.hypot(north, east), rel=2e-3)
    there = metric.vector(points[0], points[2])
    assert metric.pixels(there, 50.0) == pytest.approx(points[2] - points[0], rel=1e-6)
