"""Windows at the ground sampling distance of the model, stretched to 8 bits."""

import numpy as np
import pytest
from affine import Affine

from dubai_landcover_plugin.protocol.errors import (
    RequestError,
)
from tests.core.segmentation.cases import Listener, run
from tests.factories import ONE_METRE, random_pixels, stub_bundle, whole_image_classes, write_raster


class TestGroundSamplingDistance:
    def test_blocks_of_fine_pixels_get_the_class_of_their_mean(self, tmp_path):
        coarse = random_pixels(20, 24)
        fine = coarse.repeat(4, axis=1).repeat(4, axis=2)
        path = write_raster(tmp_path / "input.tif", fine, transform=ONE_METRE @ Affine.scale(0.25))
        bundle = stub_bundle()
        listener = Listener()
        classes, result = run(path, bundle, listener)
        expected = whole_image_classes(bundle, coarse)
        # Between the centres of four working pixels classes are interpolated; at the centres they are exact.
        centres = (
            np.add.outer(np.arange(1, 80, 4), np.zeros(24, int)),
            np.add.outer(np.zeros(20, int), np.arange(1, 96, 4)),
        )
        assert (classes[centres] == expected).mean() > 0.9
        assert classes.shape == (80, 96)
        assert result.area_m2 is not None
        assert sum(result.area_m2.values()) == pytest.approx(20 * 24)
        assert any("resampled to 1 m/px (20×24 px)" in text for _, text in listener.lines)

    @pytest.mark.parametrize("scale", [0.3, 0.11, 2.7, 5.0])
    @pytest.mark.parametrize("shape", [(1, 1), (33, 47), (64, 5)])
    def test_every_valid_pixel_gets_a_class(self, tmp_path, scale, shape):
        pixels = random_pixels(*shape)
        pixels[:, ::3, ::2] = 0
        path = write_raster(tmp_path / "input.tif", pixels, transform=ONE_METRE @ Affine.scale(scale), nodata=0)
        classes, _ = run(path, stub_bundle(), window=16, overlap=4)
        assert ((classes > 0) == (pixels[0] > 0)).all()

    def test_undeclared_holes_do_not_become_a_class(self, tmp_path):
        pixels = np.full((3, 160, 160), 90, np.float32)
        holes = pixels.copy()
        holes[:, ::4, ::4] = np.nan
        transform = ONE_METRE @ Affine.scale(0.2)
        limits = ((0.0, 255.0),)
        whole, _ = run(write_raster(tmp_path / "a.tif", pixels, transform=transform), stub_bundle(), limits=limits)
        part, _ = run(write_raster(tmp_path / "b.tif", holes, transform=transform), stub_bundle(), limits=limits)
        valid = np.isfinite(holes[0])
        assert (part[valid] == whole[valid]).all()
        assert not part[~valid].any()

    @pytest.mark.parametrize("scale", [0.37, 3.1])
    def test_windows_do_not_show(self, tmp_path, scale):
        path = write_raster(tmp_path / "input.tif", random_pixels(90, 70), transform=ONE_METRE @ Affine.scale(scale))
        small, _ = run(path, stub_bundle(), window=16, overlap=4)
        large, _ = run(path, stub_bundle(), window=512, overlap=0)
        assert (small == large).mean() > 0.9999

    @pytest.mark.parametrize(
        ("scale", "options", "text"),
        [
            (1.4, {}, "read at its own resolution"),
            (0.25, {"gsd_mode": "never"}, "resampling is switched off"),
            (0.25, {"gsd": 1.0}, "read at its own resolution"),
            (30.0, {}, "times coarser"),
        ],
    )
    def test_pixels_are_taken_as_they_are_where_that_is_right(self, tmp_path, scale, options, text):
        pixels = random_pixels(20, 20)
        path = write_raster(tmp_path / "input.tif", pixels, transform=ONE_METRE @ Affine.scale(scale))
        bundle, listener = stub_bundle(), Listener()
        classes, _ = run(path, bundle, listener, **options)
        assert (classes == whole_image_classes(bundle, pixels)).all()
        assert any(text in line for _, line in listener.lines)


class TestStretch:
    def test_sixteen_bits_are_stretched_once_for_the_raster(self, tmp_path):
        rng = np.random.default_rng(0)
        pixels = rng.integers(200, 4000, (3, 64, 64), np.uint16)
        path = write_raster(tmp_path / "input.tif", pixels)
        bundle, listener = stub_bundle(), Listener()
        classes, _ = run(path, bundle, listener, window=16, overlap=0)
        low, high = np.percentile(pixels.reshape(3, -1), (2, 98), axis=1)
        scaled = (pixels - low[:, None, None]) / (high - low)[:, None, None]
        eight = np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)
        assert (classes == whole_image_classes(bundle, eight)).mean() > 0.999
        assert any("uint16 values are stretched from" in text for _, text in listener.lines)

    def test_explicit_limits(self, tmp_path):
        eight = random_pixels(20, 20)
        path = write_raster(tmp_path / "input.tif", eight.astype(np.float32) * 2 + 7)
        bundle = stub_bundle()
        classes, _ = run(path, bundle, limits=((7.0, 517.0),))
        assert (classes == whole_image_classes(bundle, eight)).all()

    @pytest.mark.parametrize(
        ("kind", "options", "text"),
        [
            (np.float32, {"stretch": "none"}, "float32 has no fixed value range"),
            (np.uint8, {"limits": ((0, 1), (0, 1))}, "each of 3 bands, got 2 pairs"),
        ],
    )
    def test_impossible_stretches_are_refused(self, tmp_path, kind, options, text):
        path = write_raster(tmp_path / "input.tif", random_pixels(20, 20).astype(kind))
        with pytest.raises(RequestError, match=text):
            run(path, stub_bundle(), **options)

    def test_flat_raster_is_told(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", np.full((3, 20, 20), 900, np.uint16))
        _, result = run(path, stub_bundle())
        assert any("is constant" in warning for warning in result.warnings)
