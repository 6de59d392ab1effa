"""Holes and islands: the results of dense filters, found with less work."""

import numpy as np
from scipy import ndimage

from dubai_landcover_plugin.core.roads.filling import _erode, fill_holes


def test_erosion_is_that_of_scipy():
    mask = np.random.default_rng(0).random((50, 60)) < 0.97
    for radius in range(1, 10):
        expected = ndimage.minimum_filter(mask.astype(np.uint8), 2 * radius + 1, mode="nearest") > 0
        assert (_erode(mask, radius) == expected).all()


def test_holes_are_the_small_components_of_the_background():
    rng = np.random.default_rng(2)
    for _ in range(100):
        mask = rng.random(rng.integers(1, 40, 2)) < rng.uniform(0.2, 0.9)
        largest = rng.choice([1, 2, 5, 20])
        labels, count = ndimage.label(~mask)
        small = np.bincount(labels.ravel(), minlength=count + 1) <= largest
        small[0] = False
        for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            small[border] = False
        before = mask.copy()
        assert (fill_holes(mask, largest) == mask | small[labels]).all()
        assert (mask == before).all()


def test_no_hole_is_smaller_than_a_cell():
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    assert (fill_holes(mask, 0.9) == mask).all()
    assert fill_holes(mask, 1).all()
