"""Thinning gives the cells of scikit-image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from dubai_landcover_plugin.core.roads.thinning import thin


@pytest.mark.parametrize("blur", [0, 1, 4])
def test_the_skeleton_is_that_of_scikit_image(blur):
    rng = np.random.default_rng(3)
    for share in np.linspace(0.1, 0.95, 12):
        noise = ndimage.gaussian_filter(rng.random(rng.integers(1, 120, 2)), blur)
        mask = noise < np.quantile(noise, share)
        before = mask.copy()
        assert (thin(mask) == skeletonize(mask)).all()
        assert (mask == before).all()


def test_all_neighbourhoods_of_a_cell_are_those_of_scikit_image():
    for code in range(512):
        mask = np.array([code >> bit & 1 for bit in range(9)], bool).reshape(3, 3)
        assert (thin(mask) == skeletonize(mask)).all()
