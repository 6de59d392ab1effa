"""Holes and islands: the results of dense filters, found with less work."""

import numpy as np
import pytest
from scipy import ndimage

from dubai_landcover_plugin.core.roads.filling import _erode, _pack, _unpack, fill_holes, fill_islands


@pytest.mark.parametrize("width", [1, 60, 64, 65, 200])
def test_erosion_is_that_of_scipy(width):
    mask = np.random.default_rng(0).random((150, width)) < 0.997
    words, outside = _pack(mask)
    assert (_unpack(words, width) == mask).all()
    for radius in (1, 2, 3, 4, 5, 8, 10, 20, 31, 32, 40):
        expected = ndimage.minimum_filter(mask.astype(np.uint8), 2 * radius + 1, mode="nearest") > 0
        assert (_unpack(_erode(words, radius, outside), width) == expected).all()


def test_islands_are_filled_within_roads_alone():
    rng = np.random.default_rng(8)
    for _ in range(20):
        mask = ndimage.gaussian_filter(rng.random((120, 150)), 6) > 0.5
        mask[:, 40:110] = True
        mask[rng.integers(0, 120, 9), rng.integers(40, 110, 9)] = False
        mask[:, 74:76] = False
        expected = mask.astype(np.uint8)
        for half in (1, 2, 4):
            grown = ndimage.maximum_filter(expected, 2 * half + 1, mode="constant", cval=0)
            closed = ndimage.minimum_filter(grown, 2 * half + 1, mode="constant", cval=1)
            inside = ndimage.minimum_filter(closed, 10 * half + 1, mode="constant", cval=1)
            if not inside.any():
                break
            expected = expected | inside
        before = mask.copy()
        assert (fill_islands(mask, 30) == expected).all()
        assert expected[60, 75]
        assert (mask == before).all()


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
