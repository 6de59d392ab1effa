"""Plans: resolution, windows, stretch and disk, without computing a window."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine

from dubai_landcover_plugin.core.grid.work_grid import WorkGrid
from dubai_landcover_plugin.core.io.file_identity import identify_file
from dubai_landcover_plugin.core.io.input_files import identify_input
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation import plan as plans
from dubai_landcover_plugin.core.segmentation.plan import SEAM, make_plan
from dubai_landcover_plugin.core.segmentation.run_record import run_record
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)
from tests.factories import METADATA, ONE_METRE, random_pixels, write_raster

MODEL = replace(METADATA, window=64, stride=16, receptive_radius=None)


@pytest.fixture
def planned(tmp_path):
    """Plan a run on 90 × 120 pixels of ``size`` metres, with a model of 1 m."""

    def plan(pixels=None, size=(1, 1), model=MODEL, confidence=None, profile=None, **options):
        pixels = random_pixels(90, 120) if pixels is None else pixels
        transform = ONE_METRE @ Affine.scale(*size)
        path = str(write_raster(tmp_path / "in.tif", pixels, **{"transform": transform, **(profile or {})}))
        request = SegmentationRequest(path, str(tmp_path / "o.tif"), SegmentOptions(**options), confidence=confidence)
        with RasterSource(path, ("red", "green", "blue")) as source:
            return make_plan(request, source, model)

    return plan


class TestResolution:
    @pytest.mark.parametrize(
        ("size", "shape"),
        [
            ((1, 1), None), ((0.7, 0.7), None), ((1.45, 1.45), None), ((0.5, 0.5), (45, 60)), ((2, 2), (180, 240)),
            ((1, 0.5), (45, 120)), ((8.1, 8.1), None),
        ],
    )  # fmt: skip
    def test_pixels_are_resampled_beyond_the_tolerance(self, planned, size, shape):
        work = planned(size=size).work
        assert work.is_native == (shape is None)
        if shape is not None:
            assert (work.height, work.width) == shape
            assert work.scale == pytest.approx((90 / shape[0], 120 / shape[1]))

    def test_a_few_pixels_become_at_least_one(self, planned):
        assert planned(random_pixels(1, 1), size=(0.1, 0.1)).work == WorkGrid(1, 1, (1.0, 1.0))

    def test_never_means_never_with_a_warning(self, planned):
        plan = planned(size=(0.1, 0.1), gsd_mode="never")
        assert plan.work.is_native
        assert "switched off" in plan.warnings[0]

    def test_a_raster_that_is_too_coarse_is_warned_of(self, planned):
        assert "classes are not reliable" in planned(size=(9, 9)).warnings[0]
        assert planned(size=(7.9, 7.9)).warnings == ()

    def test_the_users_resolution_replaces_that_of_the_file(self, planned):
        assert planned(gsd=0.5).work.height == 45
        assert planned(gsd=0.5, profile={"crs": None}).work.height == 45

    def test_without_a_crs_the_resolution_is_unknown(self, planned):
        plan = planned(size=(0.1, 0.1), profile={"crs": None})
        assert plan.work.is_native
        assert "pixel size is unknown" in plan.warnings[0]


class TestWindows:
    @pytest.mark.parametrize(
        ("radius", "window", "overlap"), [(None, 64, SEAM), (3, 64, 6), (500, 64, SEAM), (None, 32, 16), (0, 64, 0)]
    )
    def test_the_overlap_is_as_small_as_seams_allow(self, planned, radius, window, overlap):
        plan = planned(model=replace(MODEL, receptive_radius=radius, window=window))
        assert plan.tiles.overlap == overlap

    def test_a_window_that_was_asked_for_is_kept(self, planned):
        assert planned(window=40).tiles.window_shape == (40, 40)
        assert planned(window=40, overlap=20).tiles.overlap == 20

    def test_windows_fit_the_raster_in_strides_of_the_model(self, planned):
        height, width = planned().tiles.window_shape
        assert height % 16 == width % 16 == 0
        assert 48 <= min(height, width) <= max(height, width) <= 96

    def test_an_overlap_of_more_than_half_the_models_window_is_refused(self, planned):
        planned(overlap=32)
        with pytest.raises(RequestError, match="at most half the window, 32 px, got 33 px"):
            planned(overlap=33)

    def test_windows_are_over_the_working_pixels(self, planned):
        plan = planned(size=(2, 2))
        assert sum(plan.tiles.window_shape) < 180 + 240
        assert plan.tiles.row_starts[-1] + plan.tiles.window_shape[0] >= 180


class TestStretch:
    def test_eight_bits_stay(self, planned):
        assert planned().stretch.is_identity
        assert planned(limits=((10, 20),)).stretch.limits == ((10, 20),) * 3

    def test_limits_are_one_pair_or_one_for_each_band(self, planned):
        pairs = ((0, 1), (2, 3), (4, 5))
        assert planned(limits=pairs).stretch.limits == pairs
        with pytest.raises(RequestError, match="each of 3 bands, got 2 pairs"):
            planned(limits=pairs[:2])

    @pytest.mark.parametrize(("kind", "high"), [(np.uint16, 65535), (np.int16, 32767)])
    def test_none_takes_the_range_of_the_type(self, planned, kind, high):
        assert planned(random_pixels(90, 120).astype(kind), stretch="none").stretch.limits == ((0, high),) * 3

    def test_real_numbers_have_no_range(self, planned):
        with pytest.raises(RequestError, match="float32 has no fixed value range"):
            planned(random_pixels(90, 120).astype(np.float32), stretch="none")

    def test_a_constant_band_is_warned_of_by_its_number(self, planned):
        pixels = random_pixels(90, 120).astype(np.uint16)
        pixels[1] = 7
        assert [text for text in planned(pixels).warnings if text.startswith("Band 2 is constant")]
        assert planned(random_pixels(90, 120).astype(np.uint16)).warnings == ()


@pytest.mark.parametrize(
    ("confidence", "free", "small"), [(None, 3781, False), (None, 3779, True), ("c.tif", 3781, True)]
)
def test_the_disk_is_compared_with_what_is_written(planned, monkeypatch, tmp_path, confidence, free, small):
    """0.35 bytes for each of 10,800 pixels and each raster."""
    monkeypatch.setattr(plans.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    plan = planned(confidence=confidence and str(tmp_path / confidence))
    assert bool([text for text in plan.warnings if "disk may be too small" in text]) == small
    assert bool([text for text in plan.notes if text.startswith("Disk:")]) != small


def test_the_log_has_windows_and_augmentation(planned):
    notes = planned(tta=True).notes
    assert any(text.startswith("90×120 px, ") and "overlap 24 px" in text for text in notes)
    assert any("every window is computed" in text for text in notes)


def test_the_record_has_request_model_and_input(tmp_path):
    path = tmp_path / "in.tif"
    path.write_bytes(b"12345")
    request = SegmentationRequest(str(path), str(tmp_path / "o.tif"))
    result = SegmentationResult(
        "o.tif", "o.json", None, None, None, 1, 2, {"Water": 2}, None, 2, 1, 0.1, "cpu", "f", "hash"
    )
    record = run_record(request, MODEL, result, [identify_file(path)])
    assert SegmentationRequest.from_json(record["request"]) == request
    assert record["input"]["size"] == 5
    assert record["input"]["sha256"] == hashlib.sha256(b"12345").hexdigest()
    assert record["model"] == {"name": "stub", "architecture": "stub", "gsd": 1.0, "sha256": result.model_hash}
    assert record["result"] == result.to_json()
    assert identify_input("/vsicurl/https://example.org/a.tif") == []


@pytest.mark.parametrize("size", [(1e-9, 1e-9), (1, 1e-9), (1e8, 1e8)])
def test_pixels_that_no_raster_has_are_refused(planned, size):
    with pytest.raises(GeoreferenceError, match=r"outside 0\.0001\.\.1e\+07 m"):
        planned(size=size)
    assert planned(size=size, gsd=1.0).work.is_native  # the user's value replaces it


def test_a_colour_that_looks_like_nodata_is_a_warning(planned):
    pixels = random_pixels(90, 120)
    pixels[:, :30] = 0
    assert any("--nodata 0)" in text for text in planned(pixels).warnings)
    assert [text for text in planned(pixels, profile={"nodata": 0}).warnings if "looks like" in text] == []
