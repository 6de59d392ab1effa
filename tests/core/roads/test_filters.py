"""Filters of many lines at once give the numbers of NumPy and SciPy."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.roads.filters import gaussian, gaussian_of_lines, median


def test_many_lines_are_filtered_as_each_alone_to_the_last_bit():
    rng = np.random.default_rng(6)
    counts = rng.integers(1, 120, 60)
    sigmas = rng.uniform(2, 12, 60)
    points = rng.normal(size=(counts.sum(), 2)) * 1000
    found = np.split(gaussian_of_lines(points, counts, sigmas), np.cumsum(counts)[:-1])
    for line, sigma, filtered in zip(np.split(points, np.cumsum(counts)[:-1]), sigmas, found, strict=True):
        assert (filtered == gaussian(line, sigma)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_median_is_that_of_numpy(dtype):
    rng = np.random.default_rng(7)
    for size in range(1, 60):
        values = rng.random(size).astype(dtype)
        assert median(values) == float(np.median(values))
