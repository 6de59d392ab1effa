import pytest
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid


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
