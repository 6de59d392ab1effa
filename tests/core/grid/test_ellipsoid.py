"""Areas of polygons on the ellipsoid."""

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform

from dubai_landcover_plugin.core.grid.ellipsoid import ellipsoid_areas

WGS84, UTM40 = CRS.from_epsg(4326), CRS.from_epsg(32640)
EARTH = 510_065_621_724_000.0  # m², of the ellipsoid of WGS 84


def area(shape, crs=WGS84, step=1.0):
    return ellipsoid_areas(np.array([shapely.segmentize(shape, step)], object), crs)[0]


def test_whole_earth_half_and_zones_across_the_antimeridian():
    assert area(shapely.box(-180, -90, 180, 90)) == pytest.approx(EARTH, rel=1e-9)
    assert area(shapely.box(-180, 0, 180, 90)) == pytest.approx(EARTH / 2, rel=1e-9)
    assert area(shapely.box(170, 10, 190, 20)) == pytest.approx(area(shapely.box(0, 10, 20, 20)), rel=1e-9)


def test_polygons_with_holes_parts_and_other_geometries():
    outline, hole = shapely.box(0, 0, 10, 10), shapely.box(2, 2, 5, 5)
    both = shapely.GeometryCollection([shapely.MultiPolygon([outline.difference(hole)]), shapely.Point(1, 1), hole])
    areas = ellipsoid_areas(np.array([outline, both, shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)])]), WGS84)
    assert areas.tolist() == pytest.approx([areas[0], areas[0], 0, 0], rel=1e-9)


@pytest.mark.parametrize(("name", "latitude"), [("EPSG:3995", 60), ("EPSG:3031", -60)])
def test_a_polygon_may_contain_a_pole(name, latitude):
    ring = [(lon, latitude) for lon in range(-180, 180)]
    crs = CRS.from_user_input(name)
    cap = shapely.Polygon(np.column_stack(transform(WGS84, crs, *zip(*ring, strict=True))[:2]))
    whole = area(shapely.box(-180, min(latitude, latitude * 1.5), 180, max(latitude, latitude * 1.5)))
    assert area(cap, crs, np.inf) == pytest.approx(whole, rel=1e-9)


def test_a_square_in_a_projected_crs_has_nearly_its_planar_area():
    square = shapely.box(500_000, 2_700_000, 501_000, 2_701_000)  # on the central meridian: 0.9996 squared
    assert area(square, UTM40, 50) == pytest.approx(1e6 / 0.9996**2, rel=1e-6)
    small = shapely.box(500_000, 2_700_000, 500_010, 2_700_010)
    assert area(small, UTM40, 0.05) == pytest.approx(100 / 0.9996**2, rel=1e-6)
