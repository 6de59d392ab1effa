"""Local metric frames of buildings."""

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.core.buildings.local_frame import ground_scales, local_frames
from dubai_landcover_plugin.core.buildings.outlines import align_to_walls
from tests.core.buildings.cases import ELL


class TestPlane:
    @pytest.mark.parametrize("epsg", [4326, 3857, 4087])
    def test_scales_are_those_of_the_ground(self, epsg):
        crs, lat = CRS.from_epsg(epsg), 25.2
        x, y = warp_points(CRS.from_epsg(4326), crs, [55.3], [lat])
        utm = CRS.from_epsg(32640)
        u, v = warp_points(crs, utm, [x[0], x[0] + 1e-3, x[0]], [y[0], y[0], y[0] + 1e-3])
        scales = ground_scales(crs, np.array([[x[0], y[0]]]))[0] * 1e-3
        assert scales == pytest.approx(
            [np.hypot(u[1] - u[0], v[1] - v[0]), np.hypot(u[2] - u[0], v[2] - v[0])], rel=2e-3
        )

    def test_without_a_crs_units_stay(self):
        assert (ground_scales(None, np.ones((2, 2))) == 1).all()

    def test_there_and_back(self):
        polygon = translate(rotate(ELL, 33), 500_000, 2_780_000)
        (frame,) = local_frames(np.array([polygon], object), CRS.from_epsg(32640))
        points = shapely.get_coordinates(polygon)
        frame = align_to_walls(polygon, frame, 2.0)
        assert frame.to_crs(frame.to_local(points)) == pytest.approx(points, abs=1e-6)
