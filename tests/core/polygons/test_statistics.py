"""Areas, lengths and confidence of polygons."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.confidence import UNKNOWN
from dubai_landcover_plugin.core.polygons.rings import Rings
from dubai_landcover_plugin.core.polygons.statistics import ConfidenceHistogram, RingGeometry

DEGREES = rasterio.crs.CRS.from_epsg(4326)


def square(side, top=0):
    points = np.array([[0, top], [side, top], [side, top + side], [0, top + side]])
    return Rings(points, np.array([0]), np.array([1]))


def test_a_tall_raster_in_degrees_has_the_area_of_its_pixels():
    grid = Grid(4000, 4000, Affine(0.01, 0, 0, 0, -0.01, 60), DEGREES)
    geometry = RingGeometry(grid)
    assert geometry.areas(square(4000)) == pytest.approx([geometry.pixel_areas.sum() * 4000], rel=1e-12)
    # The ellipsoid between the 20th and the 60th parallel, 40 degrees wide.
    assert geometry.areas(square(4000)) == pytest.approx([14.85e12], rel=5e-3)
    assert geometry.areas(square(100, 3900)) > 1.7 * geometry.areas(square(100, 0))


def test_holes_count_less():
    ring = square(10)
    points = np.concatenate([ring.points, ring.points[::-1] // 2])
    rings = Rings(points, np.array([0, 4]), np.array([1, 1]))
    geometry = RingGeometry(Grid(20, 20, Affine(0.5, 0, 0, 0, -0.5, 0), rasterio.crs.CRS.from_epsg(32640)))
    assert geometry.areas(rings).tolist() == [25, -6.25]
    assert geometry.perimeters(rings).tolist() == [20, 10]
    assert rings.pixel_areas.tolist() == [100, -25]
    assert geometry.pixel_side() == 0.5


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_confidence_of_features_in_strips_of_any_height(seed, rows):
    rng = np.random.default_rng(seed)
    features = np.sort(rng.integers(-1, 6, (12, 5)), axis=0).astype(np.int32)
    confidence = rng.choice(np.array([*range(101), UNKNOWN], np.uint8), (12, 5))
    histogram, found = ConfidenceHistogram(6), {}
    for first in range(0, 12, rows):
        histogram.add(features[first : first + rows], confidence[first : first + rows])
        below = features[first + rows :]
        done = np.array([f for f in range(6) if f not in found and not (below == f).any()], np.int64)
        stats = histogram.pop(done)
        found.update(zip(done.tolist(), zip(stats.mean, stats.p10, strict=True), strict=True))
    for feature in range(6):
        own = confidence[(features == feature) & (confidence <= 100)]
        expected = (own.mean(), np.percentile(own, 10, method="inverted_cdf")) if own.size else (np.nan, np.nan)
        assert found[feature] == pytest.approx(expected, nan_ok=True)
