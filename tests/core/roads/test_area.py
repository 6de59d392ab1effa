"""Rays from points of a class to its edge."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.roads.area import FULL, UNKNOWN, RoadArea


def area(coverage, cell=1, strip=7):
    """An area that was added in strips."""
    height, width = coverage.shape
    made = RoadArea(height * cell, width * cell, cell)
    for first in range(0, height, strip):
        made.add(first, coverage[first : first + strip])
    return made


def test_rows_are_those_that_were_added_and_unknown_outside():
    coverage = np.random.default_rng(0).integers(0, 256, (30, 20)).astype(np.uint8)
    made = area(coverage)
    assert (made.read(5, 23) == coverage[5:23]).all()
    assert (made.read(-2, 1)[:2] == UNKNOWN).all()


@pytest.mark.parametrize("cell", [1, 3])
def test_rays_end_at_the_edge(cell):
    coverage = np.zeros((40, 50), np.uint8)
    coverage[10:30, 5:45] = FULL
    vectors = np.array([[0, -1], [0, 2], [-1, 0], [3, 4], [0, -1]], float)
    points = np.array([[20, 15]] * 4 + [[2, 2]], float) * cell
    hits = area(coverage, cell).cast(points, vectors, np.full(5, 100.0))
    assert hits.distance[:4] == pytest.approx(np.array([5, 7.5, 15, 3.75]) * cell, abs=0.05 * cell)
    assert np.isnan(hits.distance[4])  # starts outside
    assert not hits.open.any()


def test_rays_that_are_too_long_have_no_end():
    coverage = np.full((40, 50), FULL, np.uint8)
    coverage[:, 40:] = 0
    hits = area(coverage).cast(np.array([[20.0, 20.0]] * 2), np.array([[1.0, 0.0]] * 2), np.array([19.0, 21.0]))
    assert np.isnan(hits.distance[0])
    assert hits.distance[1] == pytest.approx(20, abs=0.05)


def test_the_border_of_the_raster_and_nodata_are_open():
    coverage = np.full((40, 50), FULL, np.uint8)
    coverage[:, 40:] = UNKNOWN
    vectors = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    hits = area(coverage).cast(np.array([[20.0, 30.0]] * 3), vectors, np.full(3, 99.0))
    assert hits.distance == pytest.approx([20, 20, 10], abs=0.05)
    assert hits.open.all()
