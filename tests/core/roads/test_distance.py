"""Distances of a few cells equal those of a distance transform."""

import numpy as np
import pytest
from scipy import ndimage

from dubai_landcover_plugin.core.roads.distance import FAR, column_distances, distances_at, farther_than

SIZES = [(1.0, 1.0), (0.7, 1.3), (2.0, 0.6)]


def blobs(seed, share):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((90, 130)), 4)
    return noise < np.quantile(noise, share)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_distances_to_the_background_are_those_of_scipy(size, share):
    mask = blobs(4, share)
    expected = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=size)[1:-1, 1:-1]
    rows, cols = np.nonzero(mask)
    steps = column_distances(~mask, outside=True)
    found = distances_at(steps, rows, cols, size, 1000.0, outside=True)
    assert found == pytest.approx(expected[rows, cols], rel=1e-12)
    near = distances_at(steps, rows, cols, size, 5.0, outside=True)
    assert near == pytest.approx(np.minimum(found, 5.0), rel=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_targets_inside_the_array_only(size):
    target = np.zeros((60, 80), bool)
    target[[10, 50], [20, 70]] = True
    rows, cols = np.nonzero(~target)
    expected = ndimage.distance_transform_edt(~target, sampling=size)[rows, cols]
    found = distances_at(column_distances(target, outside=False), rows, cols, size, 25.0, outside=False)
    assert found == pytest.approx(np.minimum(expected, 25), rel=1e-12)
    none = column_distances(np.zeros((5, 5), bool), outside=False)
    assert distances_at(none, rows[:1], cols[:1], size, 25.0, outside=False) == pytest.approx([25])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1.0, 3.3, 8.0, 60.0])
def test_cells_far_from_the_background(size, radius):
    mask = blobs(5, 0.85)
    mask[20:60, 30:90] = True
    edge = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=size)[1:-1, 1:-1]
    found = np.zeros(mask.shape, bool)
    found.ravel()[farther_than(radius, column_distances(~mask, outside=True), size)] = True
    assert (found == (edge > radius)).all()
    assert found.any() == (radius < 60)


def test_columns_may_be_longer_than_the_largest_distance():
    target = np.zeros((2 * FAR + 5, 1), bool)
    target[0] = True
    steps = column_distances(target, outside=False)[:, 0]
    assert (steps == np.minimum(np.arange(len(steps)), FAR)).all()
