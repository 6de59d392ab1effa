import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.protocol.errors import GeoreferenceError


def pixel_size(crs, transform, col, row):
    return Grid(1, 2 * col or 1, transform, crs).pixel_size_m(row)


def test_projected_pixels_count_in_their_plane():
    assert pixel_size(CRS.from_epsg(32640), Affine(0.5, 0, 3e5, 0, -2, 2.7e6), 0, 0) == (0.5, 2)


def test_feet_become_metres():
    across, _ = pixel_size(CRS.from_epsg(2263), Affine(1, 0, 1e6, 0, -1, 2e5), 0, 0)
    assert across == pytest.approx(0.3048006, rel=1e-6)


def test_rotation_keeps_the_size():
    transform = Affine.rotation(30) @ Affine.scale(2, -3)
    assert pixel_size(CRS.from_epsg(32640), transform, 5, 5) == pytest.approx((2, 3))


@pytest.mark.parametrize(
    ("latitude", "across", "down"),
    # Length of one degree on the WGS 84 ellipsoid, tables of the National Geospatial-Intelligence Agency
    [(0, 111_319.5, 110_574.3), (45, 78_846.8, 111_131.8), (60, 55_800.0, 111_412.2)],
)
def test_degrees_have_their_local_length(latitude, across, down):
    step = 1e-5
    size = pixel_size(CRS.from_epsg(4326), Affine(step, 0, 55, 0, -step, latitude), 0, 0)
    assert size == pytest.approx((across * step, down * step), rel=1e-4)


def test_mercator_is_no_ground_distance():
    across, down = pixel_size(CRS.from_epsg(3857), Affine(1, 0, 6_150_000, 0, -1, 2_900_000), 0, 0)
    assert across == pytest.approx(0.9054, abs=2e-3)
    assert down == pytest.approx(0.9004, abs=2e-3)


def test_a_pixel_across_the_antimeridian_is_small():
    across, _ = pixel_size(CRS.from_epsg(4326), Affine(0.01, 0, 180, 0, -0.01, 0), 0, 0)
    assert across == pytest.approx(1113.2, rel=1e-3)


def ellipsoid_area(crs, transform, side):
    """Return the area of a square of pixels on WGS 84, m², by the authalic integral along its border."""
    e = 0.0818191908426  # eccentricity

    def area_below(lats):  # of a radian of longitude, from the equator
        sine = np.sin(np.radians(lats))
        log = np.log((1 + e * sine) / (1 - e * sine)) / (2 * e)
        return 6_378_137**2 * (1 - e**2) / 2 * (sine / (1 - (e * sine) ** 2) + log)

    steps = np.linspace(0, side, 201)[:-1]
    corner = [*((c, 0) for c in steps), *((side, c) for c in steps)]
    corner += [*((side - c, side) for c in steps), *((0, side - c) for c in steps)]
    xs, ys = zip(*(transform @ point for point in corner), strict=True)
    lons, lats = map(np.array, warp_points(crs, "EPSG:4326", xs, ys))
    lons, below = np.radians(lons), area_below(lats)
    return abs(((np.roll(lons, -1) - lons) * (below + np.roll(below, -1))).sum() / 2)


@pytest.mark.parametrize(
    ("name", "place", "turn"),
    [
        ("EPSG:4087", (10, 52), 0),  # equidistant cylindrical: 1.6 times too wide
        ("EPSG:4087", (10, 52), 30),
        ("EPSG:3031", (0, -75), 0),  # polar stereographic
        ("EPSG:32640", (70, 25), 0),  # 13 degrees beside the zone's meridian
        ("+proj=sinu +datum=WGS84", (55, 25), 0),  # equal-area, but lengths differ and pixels are skewed by 22°
        ("EPSG:4326", (10, 52), 30),
        ("+proj=tmerc +datum=WGS84", (11, 50), 0),  # lengths differ by 0.8 %, areas by 1.5 %
    ],
)
def test_where_the_plane_is_distorted_areas_are_those_on_the_ellipsoid(name, place, turn):
    crs, size = CRS.from_user_input(name), 1e-5 if name == "EPSG:4326" else 1.0
    x, y = warp_points("EPSG:4326", crs, *([value] for value in place))[:2]
    transform = Affine.translation(x[0], y[0]) @ Affine.rotation(turn) @ Affine.scale(size, -size)
    grid = Grid(1000, 1000, transform, crs)
    assert grid.measured_on == "ellipsoid"
    assert 1e6 * np.prod(grid.pixel_size_m()) == pytest.approx(ellipsoid_area(crs, transform, 1000), rel=1e-4)


@pytest.mark.parametrize("name", ["EPSG:32640", "EPSG:3997", "EPSG:2154", "IAU_2015:30110"])
def test_where_the_plane_is_true_or_not_on_earth_it_is_measured(name):
    crs = CRS.from_user_input(name)
    xy = ((0,), (0,)) if name.startswith("IAU") else warp_points("EPSG:4326", crs, [3 if "2154" in name else 55], [46])
    grid = Grid(100, 100, Affine(0.5, 0, xy[0][0], 0, -0.5, xy[1][0]), crs)
    assert (grid.measured_on, grid.pixel_size_m()) == ("plane", (0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "place", "size", "noted"),
    [
        ("EPSG:32640", (72, 25), 200, True),  # 800 km wide, 15 degrees beside the zone's meridian: areas differ by 3 %
        ("EPSG:3995", (45, 65), 200, True),
        ("EPSG:3995", (45, 65), 1, False),
        ("EPSG:3857", (55, 25), 200, False),
        ("EPSG:4326", (55, 25), 0.01, False),
        ("EPSG:32640", (57, 25), 200, False),
    ],
)
def test_pixels_that_differ_in_size_within_a_row_are_noted(name, place, size, noted):
    crs = CRS.from_user_input(name)
    x, y = ([value] for value in place) if crs.is_geographic else warp_points("EPSG:4326", crs, *([v] for v in place))
    corner = Affine.translation(x[0] - 2000 * size, y[0] + 100 * size)
    grid = Grid(200, 4000, corner @ Affine.scale(size, -size), crs)
    assert ("differ in size on the ground by up to" in grid.scale_note) == noted
    assert Grid(200, 4000, grid.transform, None).scale_note == ""


def test_rows_outside_the_crs_are_measured_in_the_plane():
    crs = CRS.from_user_input("+proj=moll +datum=WGS84")  # the pole is at 9 020 048
    grid = Grid(4, 4, Affine(100_000, 0, 5_000_000, 0, -1_000_000, 10_000_000), crs)
    sizes = grid.pixel_sizes_m([0.5, 3.5])
    assert sizes[0] == (100_000, 1_000_000)
    assert sizes[1] != sizes[0]


def test_degrees_on_the_moon_have_no_size():
    with pytest.raises(GeoreferenceError, match="cannot be measured on the Earth"):
        pixel_size(CRS.from_user_input("IAU_2015:30100"), Affine(1e-5, 0, 55, 0, -1e-5, 25), 0, 0)


def test_without_a_crs_nothing_is_measured():
    assert Grid(1, 1, Affine.identity(), None).measured_on is None
