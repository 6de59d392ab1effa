"""Blocks that are resampled one by one give the pixels of the whole, wherever they are cut."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.resampling import Interpolation
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.blending import FinishedBlock
from dubai_landcover_plugin.core.segmentation.class_rows import ClassDecision
from dubai_landcover_plugin.core.segmentation.resampled_maps import ResampledMaps
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.factories import random_pixels, write_raster

SIDES = st.integers(1, 70)


class Source:
    """A raster of which only the validity is known."""

    def __init__(self, valid):
        self.valid = valid

    def read_validity(self, window):
        return self.valid[window.rows, window.cols]


class Area:
    """The upper left half of a raster."""

    def __init__(self, shape):
        rows, cols = np.ogrid[: shape[0], : shape[1]]
        self.wanted = rows * shape[1] + cols * shape[0] < shape[0] * shape[1]

    def mask(self, window):
        return self.wanted[window.rows, window.cols]


class Rows:
    """Keeps rows; a sink that starts at a row."""

    with_confidence = True
    with_probabilities = True

    def __init__(self, grid, row):
        self.grid, self.row, self.parts = grid, row, []

    def write_rows(self, *rows):
        self.parts.append([part.copy() for part in rows])
        self.row += len(rows[0])

    def whole(self):
        return [np.concatenate(parts, axis=-2) for parts in zip(*self.parts, strict=True)]


def resample(probabilities, grid, tiles, valid, area, first=0):
    """Return labels, confidence and percents of the rows that tile row ``first`` and those below it complete."""
    sink = Rows(grid, 0)
    maps = ResampledMaps(tiles, ClassDecision(DUBAI), sink, Source(valid), area)
    sink.row = maps.complete_rows(tiles.row_starts[first])
    start = sink.row
    ends = [*tiles.row_starts[1:], tiles.height]
    for top, bottom in zip(tiles.row_starts, ends, strict=True):
        if bottom <= maps.first_needed():
            continue  # as the pipeline: windows that do not contribute to the rows are not computed
        for left, right in zip(tiles.col_starts, [*tiles.col_starts[1:], tiles.width], strict=True):
            maps.add_block(FinishedBlock(top, left, probabilities[:, top:bottom, left:right]))
    assert sink.row == grid.height
    return start, sink.whole()


@given(SIDES, SIDES, SIDES, SIDES, st.integers(4, 40), st.booleans(), st.data())
def test_blocks_give_the_pixels_of_the_whole(height, width, rows, cols, window, bounded, data):
    random = np.random.default_rng([height, width, rows, cols])
    probabilities = random.dirichlet(np.ones(5), (height, width)).astype(np.float32).transpose(2, 0, 1).copy()
    probabilities[:, random.random((height, width)) < 0.1] = 0  # as of windows without data
    valid = random.random((rows, cols)) < 0.9
    area = Area((rows, cols)) if bounded else None
    tiles = TileGrid(height, width, window, min(2, window // 2))
    grid = Grid(rows, cols, Affine.identity(), None)

    down = Interpolation(height, rows)(probabilities, 1, 0, rows)
    expected = Interpolation(width, cols)(down, 2, 0, cols)
    total = expected.sum(axis=0)
    expected /= np.maximum(total, 1e-6)
    wanted = valid & (total > 1e-6) & (True if area is None else area.wanted)
    whole = ClassDecision(DUBAI)(expected, wanted, True, True)

    first = data.draw(st.integers(0, len(tiles.row_starts) - 1))
    if Interpolation(height, rows).complete(tiles.row_starts[first]) == rows:
        first = 0
    start, found = resample(probabilities, grid, tiles, valid, area, first)
    for part, own in zip(whole, found, strict=True):
        assert (part[..., start:, :] == own).all()


@pytest.mark.parametrize(("profile", "gaps"), [({}, False), ({"nodata": 0}, True)])
def test_validity_is_read_only_where_pixels_may_be_invalid(tmp_path, monkeypatch, profile, gaps):
    pixels = random_pixels(40, 50)
    pixels[:, :10] = 0
    path = write_raster(tmp_path / "in.tif", pixels, **profile)
    window = TileGrid(40, 50, 40, 0)[0]
    with RasterSource(str(path), ("red", "green", "blue")) as source:
        assert source.may_have_gaps is gaps
        assert (source.read_validity(window) == source.read(window).valid).all()
        monkeypatch.setattr(RasterSource, "_read", None)
        if not gaps:
            assert source.read_validity(window).all()
