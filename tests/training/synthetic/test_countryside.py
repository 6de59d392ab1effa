"""Synthetic countryside: the same for the same seed, forest darker at its shadows than in the sun, towns among it."""

from __future__ import annotations

import numpy as np
import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from training.synthetic.countryside import draw_countryside, draw_landscape
from training.synthetic.scenes import draw_scene

SIZE = 96


def test_equal_seeds_give_equal_scenes():
    first, again, other = draw_countryside(3, SIZE), draw_countryside(3, SIZE), draw_countryside(4, SIZE)
    assert first.image.shape == (SIZE, SIZE, 3)
    assert first.truth.shape == (SIZE, SIZE)
    assert first.image.dtype == first.truth.dtype == np.uint8
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert (other.image != first.image).any()


def test_vegetation_prevails_and_every_class_occurs():
    counts = np.zeros(7, int)
    for seed in range(6):
        counts += np.bincount(draw_countryside(seed, SIZE, 3.0).truth.ravel(), minlength=7)
    shares = dict(zip(DUBAI.ids, counts[1:6] / counts.sum(), strict=True))
    assert shares[DUBAI.by_name("Vegetation").id] > 0.4
    assert min(shares.values()) > 0.002, shares


def test_water_is_smoother_than_vegetation():
    """Local contrast: crowns, rows and shadows against water."""
    contrast = {"Water": [], "Vegetation": []}
    for seed in range(6):
        scene = draw_countryside(seed, SIZE)
        grey = scene.image.astype(float).mean(axis=2)
        step = np.abs(np.diff(grey, axis=1))
        for name, values in contrast.items():
            inside = scene.truth == DUBAI.by_name(name).id
            values.append(step[inside[:, 1:] & inside[:, :-1]])
    water, vegetation = (np.concatenate(values) for values in contrast.values())
    assert np.median(vegetation) > 1.3 * np.median(water)


def test_towns_are_among_the_landscapes():
    np.testing.assert_array_equal(draw_landscape(9, SIZE).image, draw_scene(9, SIZE).image)
    np.testing.assert_array_equal(draw_landscape(10, SIZE).image, draw_countryside(10, SIZE).image)


@pytest.mark.parametrize(("size", "gsd"), [(32, 1.0), (9000, 1.0), (256, 0.1)])
def test_sizes_out_of_range_are_refused(size, gsd):
    with pytest.raises(ValueError, match=r"64\.\.8192"):
        draw_countryside(1, size, gsd)
