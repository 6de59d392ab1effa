"""The pixels that samples cover."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.work_grid import WorkGrid
from dubai_landcover_plugin.core.teaching.samples import MAX_PIXELS, Sample, chosen, work_cells
from dubai_landcover_plugin.protocol.errors import RequestError

GRID = Grid(40, 60, Affine(1, 0, 1000, 0, -1, 2000), None)
NATIVE = WorkGrid(40, 60)


def cells(wkt: str, brush: float = 0.0, grid: Grid = GRID, work: WorkGrid = NATIVE) -> list[list[int]]:
    return work_cells(Sample("a", 1, shapely.from_wkt(wkt), brush), grid, work).tolist()


def test_points_lines_and_polygons():
    assert cells("POINT (3.2 7.9)") == [[7, 3]]
    assert cells("POINT (3 7)")  # on a corner of pixels
    assert cells("LINESTRING (2.5 5.5, 5.5 5.5)") == [[5, 2], [5, 3], [5, 4], [5, 5]]
    assert cells("POLYGON ((1 1, 4 1, 4 3, 1 3, 1 1))") == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]
    assert cells("POLYGON ((1.6 1.6, 1.9 1.6, 1.9 1.9, 1.6 1.6))") == [[1, 1]]  # smaller than a pixel
    assert cells("MULTIPOINT ((0.5 0.5), (2.5 0.5))") == [[0, 0], [0, 2]]


def test_a_brush_covers_pixels_whose_centre_is_inside():
    found = np.array(cells("POINT (20.5 20.5)", brush=9))
    distance = np.hypot(found[:, 0] - 20, found[:, 1] - 20)
    assert distance.max() <= 4.5
    assert 60 <= len(found) <= 69


def test_parts_outside_of_the_raster_are_cut_off():
    assert cells("LINESTRING (-5 0.5, 2.5 0.5)") == [[0, 0], [0, 1], [0, 2]]
    with pytest.raises(RequestError, match="outside of the raster"):
        cells("POINT (60.5 3)")
    with pytest.raises(RequestError, match="has no geometry"):
        cells("POINT EMPTY")


def test_cells_of_resampled_rasters():
    coarse = WorkGrid(20, 30, (2.0, 2.0))
    assert cells("LINESTRING (2.5 5.5, 5.5 5.5)", work=coarse) == [[2, 1], [2, 2]]
    fine = WorkGrid(80, 120, (0.5, 0.5))
    assert cells("POINT (3.2 7.9)", work=fine) == [[15, 7]]


def test_large_polygons_are_drawn_on_coarser_cells():
    grid, work = Grid(3000, 3000, Affine.identity(), None), WorkGrid(3000, 3000)
    found = np.array(cells("POLYGON ((0 0, 3000 0, 3000 3000, 0 3000, 0 0))", grid=grid, work=work))
    assert len(found) == 500**2
    assert found.max() < 3000
    picked = chosen(found)
    assert len(picked) == MAX_PIXELS
    assert np.array_equal(picked, chosen(found))


def test_the_key_depends_on_content_alone():
    point = shapely.from_wkt("POINT (1 2)")
    assert Sample("a", 1, point).key == Sample("b", 1, point).key
    assert Sample("a", 1, point).key != Sample("a", 2, point).key
