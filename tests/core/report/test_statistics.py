"""Expected errors, from the confidence raster."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.io.class_tags import error_ratio_tags
from dubai_landcover_plugin.core.report import counts as counts_module
from dubai_landcover_plugin.core.report.counts import Blocks, ClassCounts
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    RasterOpenError,
)
from tests.core.report.cases import report, table
from tests.factories import ONE_METRE, write_class_map, write_raster


class TestConfidence:
    def test_expected_wrong_area_and_thresholds(self, tmp_path, town, sure):
        rows = table(tmp_path, town, confidence=sure)
        house = rows[0, "Building"]
        assert float(house["mean_confidence"]) == 60
        assert float(house["wrong_m2"]) == 40
        assert [float(house[f"below_{t}_m2"]) for t in (50, 70, 90)] == [0, 100, 100]
        assert 0 <= float(house["wrong_low_m2"]) < 40 < float(house["wrong_high_m2"]) <= 100
        land = rows[0, "Land"]
        assert float(land["wrong_m2"]) == pytest.approx(436)
        assert rows[0, "Water"]["mean_confidence"] == ""

    def test_measured_error_ratios_correct_the_wrong_area(self, tmp_path, town, sure):
        before = table(tmp_path, town, confidence=sure)
        with rasterio.open(town, "r+") as dataset:
            dataset.update_tags(**error_ratio_tags(DUBAI, (1, 0.5, 1, 1.5, 1)))
        after = table(tmp_path, town, confidence=sure)
        assert float(after[0, "Building"]["wrong_m2"]) == 60
        assert float(after[0, "Building"]["mean_confidence"]) == 60
        assert float(after[0, "Land"]["wrong_m2"]) == pytest.approx(218)
        assert after[0, "Road"] == before[0, "Road"]
        assert float(after[0, "Land"]["wrong_high_m2"]) < float(before[0, "Land"]["wrong_high_m2"])
        assert "Land 0.50</bdi>, <bdi>Road 1.00</bdi>, <bdi>Building 1.50" in (tmp_path / "r.html").read_text(
            encoding="utf-8"
        )
        with rasterio.open(town, "r+") as dataset:
            dataset.update_tags(**error_ratio_tags(DUBAI, (1, 0.5, 1, 3, 1)))
        house = table(tmp_path, town, confidence=sure)[0, "Building"]
        assert float(house["wrong_m2"]) == float(house["wrong_high_m2"]) == 100  # not more than there is

    @pytest.mark.parametrize(("novelty", "is_novel"), [(90.5, True), (60.0, False), ("high", False), (None, False)])
    def test_no_wrong_area_is_claimed_on_other_ground(self, tmp_path, novelty, is_novel):
        path = write_class_map(tmp_path / "w.tif", np.ones((200, 300)))
        sure = str(write_raster(tmp_path / "c.tif", np.full((1, 200, 300), 90, np.uint8), nodata=255))
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(LANDCOVER_RUN=json.dumps({"result": {"novelty": novelty, "usual_novelty": 75.0}}))
        row = table(tmp_path, path, confidence=sure)[0, "Water"]
        assert (row["mean_confidence"], row["below_90_m2"]) == ("90.00", "0.000")
        claimed = [row[name] for name in ("wrong_m2", "wrong_low_m2", "wrong_high_m2")]
        assert claimed == ([""] * 3 if is_novel else ["6000.000", "0.000", claimed[2]])
        page = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert ("unlike the training images" in page) == ("unknown" in page) == is_novel

    def test_the_range_is_that_of_blocks_that_err_as_one_and_of_biased_classes(self, tmp_path):
        path = write_class_map(tmp_path / "w.tif", np.ones((200, 300)))  # six blocks of 100 m
        sure = str(write_raster(tmp_path / "c.tif", np.full((1, 200, 300), 90, np.uint8), nodata=255))
        row = table(tmp_path, path, confidence=sure)[0, "Water"]
        deviation = np.sqrt(6 * 10_000**2 * 0.9 * 0.1 + (0.5 * 6000) ** 2)
        assert float(row["wrong_m2"]) == pytest.approx(6000)
        assert float(row["wrong_high_m2"]) == pytest.approx(6000 + 1.96 * deviation, abs=1e-2)
        assert float(row["wrong_low_m2"]) == 0

    @settings(max_examples=40)
    @given(arrays(np.uint8, (12, 20), elements=st.integers(0, 6)), st.integers(0, 2**31))
    def test_no_dependence_within_blocks_has_a_larger_variance(self, ids, seed):
        percents = np.random.default_rng(seed).integers(0, 102, ids.shape).astype(np.int32)
        blocks = Blocks(5, 7)
        counted = ClassCounts(7)
        keys = np.where(ids > 0, ids.astype(np.int32) * counts_module.PERCENTS + percents, 101).astype(np.int32)
        counted.add(counts_module.Strip(0, keys, np.ones(12), True, blocks, True))
        counted.end_blocks(1.0)
        for slot in range(1, 7):
            worst = 0.0
            for top in range(0, 12, 5):
                for left in range(0, 20, 7):
                    part = np.s_[top : top + 5, left : left + 7]
                    p = percents[part][(ids[part] == slot) & (percents[part] <= 100)] / 100
                    worst += np.sqrt(p * (1 - p)).sum() ** 2  # all as correlated as their probabilities let them be
            assert counted.variance[slot] >= worst - 1e-9

    def test_unlabeled_claims_nothing_and_unknown_confidence_is_told(self, tmp_path):
        path = write_class_map(tmp_path / "u.tif", [[6, 6, 1, 1]])
        sure = str(write_raster(tmp_path / "c.tif", np.array([[[30, 30, 90, 255]]], np.uint8), nodata=255))
        rows = table(tmp_path, path, confidence=sure)
        assert rows[0, "Unlabeled"]["wrong_m2"] == ""
        assert float(rows[0, "Water"]["wrong_m2"]) == pytest.approx(0.1)
        outcome = report(tmp_path, path, confidence=sure, overwrite=True)
        assert outcome["mean_confidence"] == 90
        assert "1 classified pixels have no confidence" in outcome["warnings"][0]

    def test_what_is_no_confidence_raster_is_refused(self, tmp_path, town):
        cases = {
            "not a confidence raster": town,
            "has 3 × 2 px": write_raster(tmp_path / "small.tif", np.ones((1, 2, 3), np.uint8)),
            "has other pixels than": write_raster(
                tmp_path / "off.tif", np.ones((1, 40, 60), np.uint8), transform=ONE_METRE @ Affine.translation(1, 0)
            ),
        }
        for words, path in cases.items():
            with pytest.raises(RasterOpenError, match=words):
                report(tmp_path, town, confidence=str(path))
        assert not list(tmp_path.glob("*.html"))
