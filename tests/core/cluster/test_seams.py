"""Shards of rows, put together, are the whole, bit for bit; whatever windows, overlap and cuts."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.cluster.executor import split_tile_rows
from dubai_landcover_plugin.core.cluster.seams import ShardHeadRecorder, can_share, shared_rows
from dubai_landcover_plugin.core.segmentation.class_rows import ClassDecision
from dubai_landcover_plugin.core.segmentation.executor import LocalExecutor, make_class_maps, open_job
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import random_pixels, stub_bundle, write_raster


class Rows:
    """Keeps rows."""

    with_confidence = True
    with_probabilities = True

    def __init__(self, grid, row=0):
        self.grid, self.row, self.parts = grid, row, []

    def write_rows(self, *rows):
        self.parts.append([part.copy() for part in rows])
        self.row += len(rows[0])

    def whole(self):
        return [np.concatenate(parts, axis=-2) for parts in zip(*self.parts, strict=True)]


def nothing(band, windows):
    """Take no notice of finished bands."""


@settings(max_examples=30)
@given(
    st.integers(1, 130), st.integers(1, 60), st.sampled_from([16, 24, 32]), st.integers(0, 12), st.integers(1, 6),
    st.integers(0, 2**16),
)  # fmt: skip
def test_shards_give_the_whole(tmp_path_factory, height, width, window, overlap, count, seed):
    folder = tmp_path_factory.mktemp("run")
    pixels = random_pixels(height, width, seed)
    pixels[:, np.random.default_rng(seed).random((height, width)) < 0.1] = 0
    source = write_raster(folder / "in.tif", pixels, nodata=0)
    options = SegmentOptions(window=window, overlap=min(overlap, window // 2), device="cpu")
    request, bundle = SegmentationRequest(str(source), str(folder / "o.tif"), options), stub_bundle(3)
    with ExitStack() as stack:
        job = open_job(stack, request, bundle)
        tiles, grid = job.plan.tiles, job.source.grid
        bands = len(tiles.row_starts)
        executor = stack.enter_context(LocalExecutor(job, SilentMonitor(), 1))
        alone, together = Rows(grid), Rows(grid)
        windows = executor.compute(alone, 0, bands, SilentMonitor(), nothing)
        decision, rest, counted = ClassDecision(bundle.metadata.scheme), None, 0
        for first, last in split_tile_rows(0, bands, count, can_share(job.plan)):
            sink = Rows(grid)
            maps = make_class_maps(stack, job, sink)
            sink.row = maps.complete_rows(tiles.row_starts[first])
            keeper = None
            if first and can_share(job.plan):
                sink.row += shared_rows(tiles, first)
                maps = keeper = ShardHeadRecorder(maps, tiles, first, 5)
            held, next_rest = executor.compute_into(maps, first, last, SilentMonitor(), nothing)
            if keeper is not None:
                keeper.head.finish(rest, decision, together)
            for rows in sink.parts:
                together.write_rows(*rows)
            rest, counted = next_rest.copy(), counted + held
    assert counted == windows
    for one, other in zip(alone.whole(), together.whole(), strict=True):
        assert (one == other).all()
