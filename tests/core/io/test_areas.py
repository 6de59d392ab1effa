"""Pixels that drawn features cover."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.areas import Area, Areas, areas_of, covered, filled, polygon_edges
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from tests.factories import ONE_METRE

SIZE = 24
WHOLE = Window(0, 0, SIZE, SIZE)
halves = st.integers(-20, 70).map(lambda value: value / 2)  # corners on pixel corners and centres, and outside
numbers = st.one_of(halves, st.floats(-10, 35, allow_nan=False))
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9).map(shapely.Polygon)


@given(polygon=rings, rows=st.integers(1, SIZE), cols=st.integers(1, SIZE))
def test_windows_together_give_the_whole(polygon, rows, cols):
    edges = polygon_edges(polygon)
    together = np.zeros((SIZE, SIZE), bool)
    for row in range(0, SIZE, rows):
        for col in range(0, SIZE, cols):
            window = Window(row, col, min(rows, SIZE - row), min(cols, SIZE - col))
            together[window.rows, window.cols] = filled(edges, window)
    assert (together == filled(edges, WHOLE)).all()


@given(polygon=st.lists(st.tuples(st.floats(-9, 33), st.floats(-9, 33)), min_size=3, max_size=9).map(shapely.Polygon))
def test_pixels_are_those_of_gdal_but_for_rounding(polygon):
    found = filled(polygon_edges(polygon), WHOLE)
    expected = rasterio.features.rasterize([polygon], (SIZE, SIZE)).astype(bool) if polygon.area else found
    rows, cols = np.nonzero(found != expected)
    assert (shapely.distance(polygon.boundary, shapely.points(cols + 0.5, rows + 0.5)) < 1e-6).all()


@given(corners=st.lists(st.tuples(numbers, numbers), min_size=4, max_size=4))
def test_polygons_with_a_common_edge_share_no_pixel_and_leave_none_out(corners):
    a, b, c, d = corners
    left, right = (filled(polygon_edges(shapely.Polygon(ring)), WHOLE) for ring in ((a, b, c), (b, a, d)))
    both = filled(polygon_edges(shapely.Polygon([a, d, b, c])), WHOLE)
    assert ((left ^ right) == both).all()  # their common edge counts twice, so not at all


def test_holes_and_parts_are_kept():
    ring = shapely.Polygon([(1, 1), (9, 1), (9, 9), (1, 9)], [[(3, 3), (6, 3), (6, 6), (3, 6)]])
    shape = shapely.MultiPolygon([ring, shapely.box(12, 12, 14, 20)])
    found = filled(polygon_edges(shape), WHOLE)
    expected = np.zeros((SIZE, SIZE), bool)
    expected[1:9, 1:9] = expected[12:20, 12:14] = True
    expected[3:6, 3:6] = False
    assert (found == expected).all()


def test_many_edges_are_computed_in_parts(monkeypatch):
    circle = shapely.Point(12, 12).buffer(9, quad_segs=64)
    whole = filled(polygon_edges(circle), WHOLE)
    monkeypatch.setattr("dubai_landcover_plugin.core.io.areas._CROSSINGS", 5)
    assert (filled(polygon_edges(circle), WHOLE) == whole).all()
    assert whole.sum() == pytest.approx(254, abs=6)


def test_polygons_far_larger_than_the_raster():
    far = shapely.box(-1e12, -1e12, 1e12, 7.0)
    area = Area(polygon_edges(far), far.bounds)
    assert area.window(WHOLE) == Window(0, 0, 7, SIZE)
    ((index, place, inside),) = Areas([area]).masks(Window(4, 10, 8, 5))
    assert (index, place) == (0, (slice(0, 3), slice(0, 5)))
    assert inside.all()
    assert Area(far, (30.0, 0.0, 40.0, 9.0)).window(WHOLE) is None


@pytest.mark.parametrize(
    ("shape", "brush", "pixels"),
    [
        (shapely.Point(5.5, 5.5), 0.0, 1),
        (shapely.Point(5.5, 5.5), 3.0, 9),
        (shapely.MultiPoint([(5.5, 5.5), (15.5, 5.5)]), 3.0, 18),
        (shapely.LineString([(2.2, 5.5), (12.2, 5.5)]), 3.0, 37),
        (shapely.LineString([(2.5, 5.5), (12.5, 15.5)]), 0.0, 31),
        (shapely.GeometryCollection([shapely.Point(3.5, 3.5), shapely.box(10, 10, 12, 13)]), 0.0, 7),
        (shapely.box(3, 3, 5, 6), 9.0, 6),
    ],
)
def test_points_and_lines_have_the_width_of_the_brush(shape, brush, pixels):
    area = covered(shape, brush)
    assert filled(polygon_edges(area), WHOLE).sum() == pixels


def test_features_get_areas_and_missing_ones_none():
    layer = VectorLayer(
        np.array([shapely.box(300_002, 2_779_990, 300_005, 2_779_998), None, shapely.LineString()], object), {}, None
    )
    first, *others = areas_of(layer, [1.0] * 3, Grid(SIZE, SIZE, ONE_METRE, None))
    assert first.bounds == (2.0, 2.0, 5.0, 10.0)
    assert others == [None, None]
