"""Stretches by statistics of the training images, and warnings where a raster is unlike them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.core.segmentation.appearance import Appearance, UsualRange, quantiles_of
from dubai_landcover_plugin.core.segmentation.matching import MAX_EXPANSION, MAX_GAIN, match
from dubai_landcover_plugin.core.segmentation.stretch_choice import choose_stretch
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.value_statistics import LEVELS, ValueStatistics
from tests.core.segmentation.cases import Listener, run
from tests.factories import stub_bundle, write_raster

TOWN = np.array([10, 40, 80, 120, 165, 205, 240], float)
STATISTICS = ValueStatistics(
    tuple((tuple(TOWN * share),) * 3 for share in (0.75, 0.8, 0.85, 0.9, 0.95, 1.0)), stretched=False
)


def town(height=96, width=128, seed=0):
    """Pixels (3, H, W) on 0..1 whose quantiles are near those of the training images."""
    shares = np.random.default_rng(seed).random((height, width))
    grey = np.interp(shares, (0, *(level / 100 for level in LEVELS), 1), (0, *TOWN, 255)) / 255
    return np.stack([grey, grey, grey])


def uniform(middle, spread):
    """Pixels (3, H, W) around one grey, with few others."""
    values = np.random.default_rng(1).standard_t(4, (96, 128)) * spread / 1.4 + middle
    return np.clip(np.stack([values] * 3), 0, 1)


def haze(share):
    return town() * (1 - share) + share


SCENES = {
    "as trained": town(),
    "half as bright": 0.5 * town(),
    "a third as bright": 0.33 * town(),
    "a tenth as bright": 0.1 * town(),
    "brighter": np.clip(1.2 * town(), 0, 1),
    "gamma 1.25": town() ** 1.25,
    "slight haze": haze(0.1),
    "strong haze": haze(0.4),
    "red": town() * np.array([1, 0.75, 0.5])[:, None, None],
    "sand": uniform(0.8, 0.04),
    "snow": uniform(0.95, 0.02),
    "fog": 0.5 + 0.2 * town(),
    "water": 0.1 + 0.1 * town(),
}


@pytest.fixture
def choose(tmp_path):
    """Choose the stretch of pixels on 0..1."""

    def of(pixels, dtype=np.uint8, top=255, statistics=STATISTICS, extent=None, **options):
        path = write_raster(tmp_path / "in.tif", np.rint(pixels * top).astype(dtype))
        with RasterSource(str(path), ("red", "green", "blue"), SourceOptions(extent=extent)) as source:
            return choose_stretch(source, SegmentOptions(**options), statistics)

    return of


class TestBytes:
    @pytest.mark.parametrize("name", ["as trained", "brighter", "gamma 1.25", "slight haze", "sand", "snow"])
    def test_what_is_like_the_training_images_stays_without_a_warning(self, choose, name):
        choice = choose(SCENES[name])
        assert choice.stretch.is_identity
        assert choice.warnings == []

    @pytest.mark.parametrize(
        ("name", "text"),
        [("half as bright", "darker"), ("a third as bright", "darker"), ("strong haze", "less contrast")],
    )
    def test_dark_and_hazy_rasters_are_stretched_with_a_warning(self, choose, name, text):
        choice = choose(SCENES[name])
        assert text in choice.warnings[0]
        assert "are stretched to 0–255" in choice.warnings[0]
        quantiles = quantiles_of(list(choice.stretch(np.rint(SCENES[name] * 255).astype(np.uint8))))
        targets = np.array(STATISTICS.images).mean(axis=0)
        assert np.abs(quantiles - targets).max() < 12

    @pytest.mark.parametrize(
        ("name", "text"),
        [("a tenth as bright", "darker"), ("water", "darker"), ("fog", "less contrast"), ("red", "other colours")],
    )
    def test_what_a_stretch_could_ruin_stays_with_a_warning(self, choose, name, text):
        choice = choose(SCENES[name])
        assert choice.stretch.is_identity
        assert len(choice.warnings) == 1
        assert text in choice.warnings[0]
        assert "--stretch match" in choice.warnings[0]

    @pytest.mark.parametrize("name", SCENES)
    def test_models_without_statistics_read_bytes_as_before(self, choose, name):
        choice = choose(SCENES[name], statistics=None)
        assert choice.stretch.is_identity
        assert choice.warnings == choice.notes == []

    def test_match_and_percentiles_are_applied_when_asked_for(self, choose):
        dark = SCENES["half as bright"]
        assert choose(dark, stretch="match").stretch == choose(dark).stretch
        ((low, high), *_) = choose(dark, stretch="percentiles").stretch.limits
        assert (low, high) == pytest.approx((5, 120), abs=3)
        assert choose(SCENES["red"], stretch="match").stretch.limits[0] != pytest.approx(
            choose(SCENES["red"], stretch="match").stretch.limits[2], rel=0.2
        )

    def test_none_and_limits_leave_the_values_and_warn(self, choose):
        dark = SCENES["half as bright"]
        for options in ({"stretch": "none"}, {"limits": ((0, 255),)}):
            choice = choose(dark, **options)
            assert choice.stretch.is_identity
            assert "darker" in choice.warnings[0]
        assert choose(dark, limits=((0, 127.5),)).warnings == []

    def test_parts_of_a_raster_are_stretched_like_the_whole(self, choose):
        pixels = 0.4 * town(300, 300)
        pixels[:, :100, :100] = 0.02  # a dark corner
        whole = choose(pixels)
        assert not whole.stretch.is_identity
        assert choose(pixels, extent=(300_000, 2_779_920, 300_080, 2_780_000)).stretch == whole.stretch

    def test_few_dark_windows_are_not_a_dark_raster(self, choose):
        """The nine windows are dark; the hundred in between are not."""
        pixels = town(1000, 1000)
        for row in (0, 468, 936):
            for col in (0, 468, 936):
                pixels[:, row : row + 64, col : col + 64] *= 0.3
        choice = choose(pixels)
        assert choice.stretch.is_identity
        assert choice.warnings == []


class TestDeep:
    @pytest.mark.parametrize(("dtype", "top"), [(np.uint16, 65535), (np.uint16, 3000), (np.float32, 1)])
    def test_any_range_comes_to_the_brightness_of_the_training_images(self, choose, dtype, top):
        pixels = town() if dtype != np.float32 else (town() * 200).round() / 200
        choice = choose(pixels, dtype=np.uint16, top=top) if dtype == np.uint16 else choose(pixels, dtype, 0.8 * 255)
        ((low, high), *others) = choice.stretch.limits
        assert all(pair == (low, high) for pair in others)  # colours stay
        assert "all bands alike" in choice.notes[0]
        assert choice.warnings == []
        assert high - low > 0

    def test_other_colours_are_stretched_band_by_band(self, choose):
        choice = choose(SCENES["red"], dtype=np.uint16, top=4000)
        assert "band by band" in choice.notes[0]
        assert choice.stretch.limits[0][1] == pytest.approx(2 * choice.stretch.limits[2][1], rel=0.02)

    @pytest.mark.parametrize("name", ["sand", "fog"])
    def test_low_contrast_is_stretched_within_limits(self, choose, name):
        choice = choose(SCENES[name], dtype=np.uint16, top=4000)
        assert "little contrast" in choice.warnings[0]
        ((low, high), *_) = choice.stretch.limits
        most = MAX_EXPANSION * np.array(STATISTICS.images)[..., 6].mean() / np.percentile(SCENES[name] * 4000, 98)
        assert 255 / (high - low) == pytest.approx(most, rel=1e-3)

    def test_percentiles_remain_for_models_of_stretched_images_or_without_statistics(self, choose):
        expected = choose(town(), np.uint16, 4000, stretch="percentiles").stretch
        assert choose(town(), np.uint16, 4000, statistics=None).stretch == expected
        assert choose(town(), np.uint16, 4000, statistics=None, stretch="match").stretch == expected
        assert choose(town(), np.uint16, 4000, statistics=replace(STATISTICS, stretched=True)).stretch == expected
        assert choose(town(), np.uint16, 4000).stretch != expected

    def test_values_below_zero_have_no_limit(self, choose):
        choice = choose(SCENES["sand"] - 0.9, dtype=np.int16, top=4000)
        assert "band by band" in choice.notes[0]
        assert choice.warnings == []

    def test_none_of_dim_values_is_warned_of(self, choose):
        choice = choose(town(), dtype=np.uint16, top=4000, stretch="none")
        assert "darker" in choice.warnings[0]
        assert choose(town(), np.uint16, 65535, stretch="none").warnings == []

    def test_a_band_of_one_value_nearly_everywhere_keeps_its_range(self, choose):
        pixels = np.zeros((3, 96, 128))
        pixels[:, 0, 0] = 0.5
        assert choose(pixels, np.uint16, 1000).stretch.limits == ((0.0, 500.0),) * 3


def test_the_range_is_that_of_the_training_images_and_a_margin():
    usual = UsualRange(STATISTICS)
    whites = [Appearance.of(np.array(image)).white for image in STATISTICS.images]
    assert 0.75 * min(whites) < usual.white < min(whites)
    assert usual.departures(np.array(STATISTICS.images[0])) == []
    assert usual.is_balanced(np.array(STATISTICS.images[0]) * 7)


def test_a_match_is_safe_up_to_its_gain():
    for gain, safe in ((0.95 * MAX_GAIN, True), (1.05 * MAX_GAIN, False)):
        assert match(np.array(STATISTICS.images).mean(axis=0) / gain, STATISTICS).is_safe == safe


class TestRuns:
    BUNDLE = stub_bundle(values=STATISTICS)

    def test_what_was_applied_is_in_log_result_and_record(self, tmp_path):
        listener = Listener()
        path = write_raster(tmp_path / "in.tif", np.rint(SCENES["half as bright"] * 255).astype(np.uint8))
        _, result = run(path, self.BUNDLE, listener, report=str(tmp_path / "report.html"))
        assert result.stretch is not None
        assert [text for level, text in listener.lines if level == "warning" and "are stretched to 0–255" in text]
        record = json.loads((tmp_path / "classes.run.json").read_text(encoding="utf-8"))
        assert record["result"]["stretch"] == [list(pair) for pair in result.stretch]
        assert "The raster is darker" in (tmp_path / "report.html").read_text(encoding="utf-8")

    def test_the_same_limits_give_the_same_classes(self, tmp_path):
        path = write_raster(tmp_path / "in.tif", np.rint(SCENES["half as bright"] * 255).astype(np.uint8))
        classes, result = run(path, self.BUNDLE)
        again, _ = run(path, self.BUNDLE, limits=result.stretch)
        plain, other = run(path, self.BUNDLE, stretch="none")
        assert (classes == again).all()
        assert (classes != plain).any()
        assert other.stretch is None

    @pytest.mark.parametrize("profile", [{"tiled": True, "blockxsize": 16, "blockysize": 16}, {"blockysize": 1}])
    def test_the_layout_of_the_file_changes_nothing(self, tmp_path, profile):
        pixels = np.rint(SCENES["strong haze"] * 255).astype(np.uint8)
        _, result = run(write_raster(tmp_path / "a" / "in.tif", pixels), self.BUNDLE)
        _, other = run(write_raster(tmp_path / "b" / "in.tif", pixels, **profile), self.BUNDLE)
        assert result.stretch == other.stretch is not None
        assert result.pixels == other.pixels
