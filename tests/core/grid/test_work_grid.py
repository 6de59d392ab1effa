"""When a raster is resampled to the ground sampling distance of a model."""

import pytest

from dubai_landcover_plugin.core.grid.work_grid import WorkGrid, is_near, is_too_coarse, work_grid


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((1.0, 1.0), WorkGrid(90, 60)),
        ((1.5, 0.7), WorkGrid(90, 60)),
        ((0.25, 0.5), WorkGrid(45, 15, (2.0, 4.0))),
        ((5.0, 5.0), WorkGrid(450, 300, (0.2, 0.2))),
        ((8.1, 8.1), WorkGrid(90, 60)),  # too coarse
        ((0.001, 0.001), WorkGrid(1, 1, (90.0, 60.0))),
    ],
)
def test_pixels_are_resampled_beyond_the_tolerance(size, grid):
    assert work_grid(90, 60, size, 1.0) == grid
    assert grid.is_native == (is_near(size, 1.0) or is_too_coarse(size, 1.0))
