"""Pixels and areas of classes, counted in strips."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dubai_landcover_plugin.core.assessment.strata import (
    NO_CLASS,
    Strata,
    StrataCounter,
    class_indices,
    strip_rows,
)
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.protocol.classes import DUBAI

METRES = Grid(12, 5, Affine(2, 0, 0, 0, -3, 0), CRS.from_epsg(32640))
DEGREES = Grid(12, 5, Affine(1, 0, 0, 0, -5, 70), CRS.from_epsg(4326))
IDS = np.random.default_rng(1).integers(0, 9, (12, 5)).astype(np.uint8)


def count(grid, rows):
    counter = StrataCounter(grid)
    parts = [counter.add(first, IDS[first : first + rows]) for first in range(0, 12, rows)]
    assert (sum(parts) == counter.strata().pixels).all()
    return counter.strata()


@given(st.integers(1, 12))
def test_strips_of_any_height_count_alike(rows):
    for grid in (METRES, DEGREES):
        one, whole = count(grid, rows), count(grid, 12)
        assert (one.pixels == whole.pixels).all()
        np.testing.assert_allclose(one.areas, whole.areas)


def test_metres_times_pixels():
    found = count(METRES, 5)
    assert (found.pixels == np.bincount(IDS.ravel(), minlength=256)).all()
    np.testing.assert_allclose(found.areas, 6 * found.pixels)


def test_degrees_have_the_area_of_their_rows():
    areas = GroundScale(DEGREES).pixel_areas(0, 12)[:, None].repeat(5, 1)
    found = count(DEGREES, 5)
    assert found.areas[3] == pytest.approx(areas[IDS == 3].sum())


def test_classes_in_their_order():
    sizes = Strata(np.arange(256), np.arange(256.0) * 2)
    assert sizes.of(DUBAI).pixels.tolist() == [1, 2, 3, 4, 5, 6]
    assert sizes.of(DUBAI).areas.tolist() == [2, 4, 6, 8, 10, 12]


def test_the_counter_keeps_its_sums_to_itself():
    counter = StrataCounter(METRES)
    before = counter.strata()
    counter.add(0, IDS)
    assert before.pixels.sum() == 0


def test_indices_of_ids():
    indices = class_indices(DUBAI)
    assert indices[:8].tolist() == [NO_CLASS, 0, 1, 2, 3, 4, 5, NO_CLASS]
    assert (indices[8:] == NO_CLASS).all()


@pytest.mark.parametrize(("width", "rows"), [(1, 512), (4096, 512), (8192, 256), (1 << 22, 1)])
def test_strips_are_limited_in_rows_and_pixels(width, rows):
    assert strip_rows(Grid(9999, width, Affine.identity(), None)) == rows
