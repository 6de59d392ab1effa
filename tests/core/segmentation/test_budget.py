"""What a run takes is planned from the machine and the raster, and changes no class."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.io.raster_references import is_remote
from dubai_landcover_plugin.core.runtimes import hardware
from dubai_landcover_plugin.core.segmentation import budget as budgets
from dubai_landcover_plugin.core.segmentation.budget import Budget, make_budget
from dubai_landcover_plugin.core.segmentation.executor import open_job
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import random_pixels, stub_bundle, write_raster

MB = 1 << 20


def planned(path, threads=2, novelty=None, **options) -> Budget:
    request = SegmentationRequest(str(path), str(path.with_name("o.tif")), SegmentOptions(**options), novelty=novelty)
    with ExitStack() as stack:
        job = open_job(stack, request, stub_bundle())
        return make_budget(request, job.plan, job.source, job.bundle.metadata, threads)


@pytest.fixture
def source(tmp_path):
    return write_raster(tmp_path / "in.tif", random_pixels(300, 400), compress="deflate", tiled=True,
                        blockxsize=64, blockysize=64)  # fmt: skip


def test_half_of_what_is_free_is_allowed(source, monkeypatch):
    monkeypatch.setattr(budgets, "free_memory", lambda: 8000 * MB)
    assert planned(source).memory == 4000 * MB
    assert planned(source, memory=700).memory == 700 * MB


def test_little_memory_makes_a_run_lean(source):
    rich, poor = planned(source, 32, memory=4000), planned(source, 32, memory=256)
    assert (rich.limits.lean, poor.limits.lean) == (False, True)
    assert (rich.readers, poor.readers) == (4, 1)
    assert poor.needed < rich.needed
    assert "4,000 MB allowed; 32 cores, reader threads: 4" in str(rich)


def test_one_thread_decodes_for_few_cores_and_what_needs_no_decoding(source, tmp_path):
    assert planned(source, 2, memory=4000).readers == 1
    plain = write_raster(tmp_path / "plain.tif", random_pixels(300, 400))
    assert planned(plain, 32, memory=4000).readers == 1


def test_the_novelty_raster_takes_a_row_of_blocks_and_the_blocks_of_a_second_reading(tmp_path):
    wide = write_raster(tmp_path / "wide.tif", np.zeros((3, 300, 20_000), np.uint8), tiled=True, blockysize=64)
    plain, further = planned(wide, memory=4000), planned(wide, memory=4000, novelty="n.tif")
    assert further.cache > 1.5 * plain.cache
    assert further.needed - plain.needed > further.cache - plain.cache


def test_memory_grows_with_the_width_and_not_with_the_height(tmp_path):
    needed = {}
    for height, width in ((100, 100), (4000, 100), (100, 4000)):
        path = write_raster(tmp_path / f"{height}.tif", np.ones((3, height, width), np.uint8))
        needed[height, width] = planned(path, memory=4000).needed
    assert needed[4000, 100] - needed[100, 100] < MB
    assert needed[100, 4000] > needed[100, 100] + MB


@settings(max_examples=15)
@given(st.sampled_from([None, 256, 300, 5000]), st.integers(1, 40), st.integers(30, 200))
def test_classes_do_not_depend_on_memory_or_cores(tmp_path_factory, memory, threads, width):
    folder = tmp_path_factory.mktemp("run")
    source = write_raster(folder / "in.tif", random_pixels(90, width), compress="deflate", tiled=True,
                          blockxsize=16, blockysize=16)  # fmt: skip
    found = []
    for name, cores, allowed in (("one", 1, None), ("other", threads, memory)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(budgets, "cores", lambda count=cores: count)
            options = SegmentOptions(window=32, overlap=6, memory=allowed)
            request = SegmentationRequest(str(source), str(folder / f"{name}.tif"), options)
            run_segmentation(request, bundle=stub_bundle(3))
        with rasterio.open(folder / f"{name}.tif") as dataset:
            found.append(dataset.read(1))
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize(
    ("path", "remote"),
    [("/vsicurl/http://a/b.tif", True), ("https://a/b.tif", True), ("s3://a/b.tif", True), ("/data/b.tif", False)],
)
def test_what_lies_behind_a_network_is_known(path, remote):
    assert is_remote(path) is remote


class TestHardware:
    def test_a_container_with_limits_is_taken_at_its_word(self, tmp_path, monkeypatch):
        monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
        free, cores = hardware.free_memory(), hardware.cores()
        (tmp_path / "memory.max").write_text("max\n")
        (tmp_path / "cpu.max").write_text("max 100000\n")
        assert hardware.cores() == cores
        assert abs(hardware.free_memory() - free) < 512 * MB
        (tmp_path / "memory.max").write_text(f"{500 * MB}\n")
        (tmp_path / "memory.current").write_text(f"{200 * MB}\n")
        (tmp_path / "cpu.max").write_text("100000 100000\n")
        assert hardware.cores() == 1
        assert hardware.free_memory() == 300 * MB

    def test_the_processor_has_a_name_that_tells_its_instructions(self):
        assert hardware.processor().endswith(f"{hardware.cores()} cores")
        assert len(hardware.processor()) > 10
