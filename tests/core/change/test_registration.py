"""Shifts are found to a twentieth of a pixel, as scikit-image finds them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from skimage.registration import phase_cross_correlation

from dubai_landcover_plugin.core.change.registration import register


def picture(seed: int, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    """Return smooth noise with mean 0, (H, W)."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5, mode="wrap")
    return noise - noise.mean()


@pytest.mark.parametrize("moved", [(0.0, 0.0), (3.0, -5.0), (-40.0, 31.0), (0.35, -0.6), (-7.25, 12.15)])
def test_a_known_shift_is_found(moved):
    first = picture(1)
    second = shift(first, [-part for part in moved], order=3, mode="grid-wrap")
    found, error = register(first, second, 20)
    np.testing.assert_allclose(found, moved, atol=0.05)
    assert error < 0.12


@pytest.mark.parametrize("seed", range(6))
def test_as_scikit_image(seed):
    first = picture(seed)
    second = 0.7 * shift(first, (seed - 2.3, 1.7 * seed), order=1, mode="grid-wrap") + 0.2 * picture(seed + 50)
    found, error = register(first, second, 20)
    offset, expected_error, _ = phase_cross_correlation(first, second, upsample_factor=20, normalization=None)
    np.testing.assert_allclose(found, offset, atol=1e-9)
    assert error == pytest.approx(float(expected_error), abs=1e-6)


def test_unrelated_pictures_have_a_large_error():
    assert register(picture(1), picture(2), 20)[1] > 0.9


def test_an_empty_picture_has_the_largest_error():
    assert register(picture(1), np.zeros((96, 80)), 20)[1] == 1.0
