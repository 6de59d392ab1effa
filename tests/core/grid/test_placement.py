import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import drawn_transform, feature_transform, to_pixels

UNREFERENCED = Grid(100, 80, Affine.identity(), None)
DOWN, UP = Affine.scale(1, -1), Affine.identity()


@pytest.mark.parametrize(
    ("heights", "transform"),
    [
        ([(-100, 0)], DOWN),
        ([(0, 100)], UP),
        ([(-120, 5)], DOWN),  # beyond the upper border, as QGIS draws it
        ([(-5, 120)], UP),
        ([(-30, -20), (-60, -50), (400, 500)], DOWN),  # one feature elsewhere
        ([(0, 0)], DOWN),
        ([], UP),
    ],
)
def test_most_features_decide_how_rows_count(heights, transform):
    boxes = [shapely.box(0, low, 10, high) for low, high in heights]
    geometries = np.array([*boxes, None, shapely.Polygon()], object)
    assert feature_transform(UNREFERENCED, geometries) == transform


@pytest.mark.parametrize(
    "grid",
    [Grid(100, 80, Affine.identity(), CRS.from_epsg(32640)), Grid(100, 80, Affine(2, 0, 5, 0, -2, 9), None)],
    ids=["crs", "transform"],
)
def test_georeferenced_rasters_keep_their_transform(grid):
    below = np.array([shapely.Point(0, -5)], object)
    assert feature_transform(grid, below) == drawn_transform(grid) == grid.transform


def test_points_drawn_on_an_unreferenced_raster_come_back():
    points = shapely.points([drawn_transform(UNREFERENCED) @ (col + 0.5, row + 0.5) for col, row in ((0, 0), (79, 99))])
    inverse = ~feature_transform(UNREFERENCED, points)
    assert [inverse @ (point.x, point.y) for point in points] == [(0.5, 0.5), (79.5, 99.5)]


def test_geometries_in_pixel_coordinates():
    moved = to_pixels(shapely.from_wkt("POINT (1003.2 1992.1)"), Affine(1, 0, 1000, 0, -1, 2000))
    assert moved.equals_exact(shapely.from_wkt("POINT (3.2 7.9)"), 1e-9)
