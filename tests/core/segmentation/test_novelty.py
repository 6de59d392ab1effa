"""Ground of a raster compared with that of the training images."""

import json

import numpy as np
import pytest

from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.core.segmentation.novelty import NEIGHBOURS, NoveltyMeter, cell_statistics, novelty_of
from dubai_landcover_plugin.protocol.ground_samples import CELL
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.core.segmentation.cases import GROUND_CELLS, GROUND_SAMPLES, SAND, Listener, ground, run
from tests.factories import stub_bundle, write_raster

METER = NoveltyMeter(GROUND_CELLS)


def test_cells_have_mean_and_deviation_of_each_band():
    chip = np.zeros((3, 2 * CELL + 5, CELL), np.uint8)
    chip[1, :CELL, : CELL // 2] = 100
    chip[2, CELL:] = 7
    found = cell_statistics(chip)
    assert found.tolist() == [[0, 50, 0, 0, 50, 0], [0, 0, 7, 0, 0, 0]]
    valid = np.ones(chip.shape[1:], bool)
    valid[3, 4] = False
    assert cell_statistics(chip, valid).tolist() == found[1:].tolist()
    assert cell_statistics(chip[:, :20]).shape == (0, 6)


def test_distances_are_those_to_the_nearest_samples():
    cells = np.concatenate([GROUND_CELLS[:7] + 3, np.full((1, 6), 20.0)])
    centred = (GROUND_CELLS - GROUND_CELLS.mean(0)) / (GROUND_CELLS.std(0) + 1e-6)
    values, vectors = np.linalg.eigh(np.cov(centred.T, bias=True))
    transform = vectors / np.sqrt(values + 0.05)
    own = (cells - GROUND_CELLS.mean(0)) / (GROUND_CELLS.std(0) + 1e-6) @ transform
    all_distances = np.linalg.norm(own[:, None] - (centred @ transform)[None], axis=2)
    expected = np.sort(all_distances, axis=1)[:, :NEIGHBOURS].mean(axis=1)
    assert METER.distances(cells) == pytest.approx(expected, rel=1e-6)


def test_ground_of_the_training_is_usual_and_other_ground_is_not():
    same = novelty_of(cell_statistics(ground(256, 256, (207, 187, 150), 11.5, 9)), GROUND_SAMPLES)
    field = novelty_of(cell_statistics(ground(256, 256, (90, 110, 60), 6)), GROUND_SAMPLES)
    assert same is not None
    assert not same.is_high
    assert field is not None
    assert field.is_high
    assert field.percent > 95
    assert (same.unlike < 40, field.unlike) == (True, 100)
    assert novelty_of(GROUND_CELLS[:3], GROUND_SAMPLES) is None


class TestRuns:
    BUNDLE = stub_bundle(ground=GROUND_SAMPLES)

    def novelty(self, tmp_path, pixels, **options):
        listener = Listener()
        path = write_raster(tmp_path / "in.tif", pixels)
        _, result = run(path, options.pop("bundle", self.BUNDLE), listener, overwrite=True, **options)
        warned = [text for level, text in listener.lines if level == "warning" and "novelty" in text]
        return result, warned

    def test_a_folder_says_which_rasters_are_on_other_ground(self, tmp_path):
        folder = tmp_path / "images"
        folder.mkdir()
        write_raster(folder / "field.tif", ground(200, 300, (90, 110, 60), 6))
        write_raster(folder / "usual.tif", ground(200, 300, (207, 187, 150), 11.5, 9))
        request = FolderRequest(str(folder), str(tmp_path / "out"), options=SegmentOptions(device="cpu"))
        for status in ("done", "skipped"):
            result = run_folder(request, bundle=self.BUNDLE)
            assert [(item["status"], item["is_novel"]) for item in result.items] == [(status, True), (status, False)]

    def test_other_ground_is_in_log_result_and_record(self, tmp_path):
        result, warned = self.novelty(tmp_path, ground(200, 300, (90, 110, 60), 6))
        assert result.novelty > 95
        assert result.usual_novelty == 75
        assert (result.unlike_ground, result.is_novel) == (100, True)
        assert len(warned) == 1
        assert "unlike the training images of the model stub" in warned[0]
        record = json.loads((tmp_path / "classes.run.json").read_text(encoding="utf-8"))
        assert record["result"]["novelty"] == result.novelty
        assert record["result"]["warnings"] == warned

    def test_ground_of_the_training_is_not_warned_of(self, tmp_path):
        result, warned = self.novelty(tmp_path, SAND[2])
        assert 0 < result.novelty < 75
        assert not result.is_novel
        assert not warned

    def test_models_without_samples_and_rasters_without_cells_have_none(self, tmp_path):
        assert self.novelty(tmp_path, SAND[2], bundle=stub_bundle())[0].novelty is None
        assert self.novelty(tmp_path, SAND[2][:, :20])[0].novelty is None
