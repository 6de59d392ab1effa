"""The area that two polygons share is that of their overlay."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.core.buildings import shared_area as module
from dubai_landcover_plugin.core.buildings.shared_area import shared_area
from tests.core.buildings.cases import ELL, YARD


def star(rng, count):
    """Return a polygon of random vertices around the origin, with a hole where it is wide enough."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(5, 20, count)
    shell = np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    polygon = shapely.Polygon(shell)
    return largest(polygon.difference(polygon.centroid.buffer(1)) if polygon.is_valid else shapely.box(-5, -5, 5, 5))


def largest(geometry):
    """Return the largest polygon of a geometry."""
    return max(shapely.get_parts(geometry), key=lambda part: part.area)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 8, 60]), st.booleans())
def test_any_polygons(seed, count, on_grid):
    rng = np.random.default_rng(seed)
    one, other = star(rng, count), translate(star(rng, 9), *rng.uniform(-15, 15, 2))
    if on_grid:  # vertical edges, edges that coincide in part
        rounded = (largest(shapely.set_precision(polygon, 1.0)) for polygon in (one, other))
        one, other = (shapely.set_precision(polygon, 0.0) for polygon in rounded)  # overlays are not rounded
    assert shared_area(one, other) == pytest.approx(shapely.intersection(one, other).area, abs=1e-9)
    assert shared_area(one.reverse(), other) == pytest.approx(shared_area(other, one), abs=1e-9)


@pytest.mark.parametrize("shape", [ELL, YARD])
@pytest.mark.parametrize("angle", [0, 90, 33])
def test_a_polygon_and_itself_share_its_area(shape, angle):
    turned = rotate(shape, angle)
    assert shared_area(turned, turned) == pytest.approx(shape.area, rel=1e-12)
    assert shared_area(turned, translate(turned, 1000)) == 0


def test_large_polygons_are_overlaid(monkeypatch):
    expected = shared_area(ELL, YARD)
    monkeypatch.setattr(module, "_MOST_PAIRS", 10)
    monkeypatch.setattr(module, "_edges", None)
    assert shared_area(ELL, YARD) == pytest.approx(expected, abs=1e-9)
