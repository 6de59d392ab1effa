import csv
import json
import os

import pytest

from dubai_landcover_plugin.core.batch import find_rasters, requests_of, run_batch
from dubai_landcover_plugin.core.errors import RequestError, RunCancelled
from dubai_landcover_plugin.core.request import BatchRequest, SegmentOptions

from .conftest import random_pixels, stub_bundle, write_raster


@pytest.fixture
def folder(tmp_path):
    """Two rasters, one of them in a subfolder, and one that is damaged."""
    root = tmp_path / "images"
    (root / "north").mkdir(parents=True)
    write_raster(root / "a.tif", random_pixels(20, 20))
    write_raster(root / "north" / "b.tif", random_pixels(20, 20, seed=1))
    (root / "broken.tif").write_bytes(b"broken")
    (root / "notes.txt").write_text("no raster")
    return root


def request(folder, tmp_path, **changes):
    return BatchRequest(str(folder), str(tmp_path / "out"), **{"recursive": True, **changes})


def test_folder_is_mirrored_and_one_failure_stops_nobody(folder, tmp_path):
    outcome = run_batch(request(folder, tmp_path, polygons=".gpkg", confidence=True, report=True), bundle=stub_bundle())
    assert (outcome["done"], outcome["skipped"], outcome["failed"]) == (2, 0, 1)
    assert sorted(os.listdir(tmp_path / "out" / "north")) == [
        "b_confidence.tif", "b_landcover.gpkg", "b_landcover.html", "b_landcover.run.json", "b_landcover.tif",
        "b_landcover.tif.aux.xml",
    ]  # fmt: skip
    assert not (tmp_path / "out" / "broken_landcover.tif").exists()
    with open(outcome["manifest_csv"], encoding="utf-8", newline="") as stream:
        rows = {os.path.basename(row["input"]): row for row in csv.DictReader(stream)}
    assert [rows[name]["status"] for name in ("a.tif", "b.tif", "broken.tif")] == ["done", "done", "failed"]
    assert "GDAL cannot open" in rows["broken.tif"]["message"]
    areas = [float(value) for key, value in rows["a.tif"].items() if key.endswith("_m2")]
    assert sum(areas) == 400
    with open(outcome["manifest_json"], encoding="utf-8") as stream:
        assert json.load(stream)["items"] == outcome["items"]


def test_second_run_skips_what_is_done(folder, tmp_path):
    first = run_batch(request(folder, tmp_path), bundle=stub_bundle())
    second = run_batch(request(folder, tmp_path), bundle=stub_bundle())
    assert (second["done"], second["skipped"], second["failed"]) == (0, 2, 1)
    areas = [[item["area_m2"] for item in outcome["items"]] for outcome in (first, second)]
    assert areas[0] == areas[1]
    assert run_batch(request(folder, tmp_path, redo=True), bundle=stub_bundle())["done"] == 2


@pytest.mark.parametrize("change", ["input", "options", "model", "output"])
def test_anything_changed_is_done_again(folder, tmp_path, change):
    options = SegmentOptions(overwrite=True)
    run_batch(request(folder, tmp_path, options=options), bundle=stub_bundle())
    bundle = stub_bundle()
    if change == "input":
        write_raster(folder / "a.tif", random_pixels(21, 20))
    elif change == "options":
        options = SegmentOptions(overwrite=True, min_confidence=0.9)
    elif change == "model":
        bundle = type(bundle)(bundle.metadata, bundle.model, "1" * 64)
    else:
        (tmp_path / "out" / "a_landcover.tif").unlink()
    outcome = run_batch(request(folder, tmp_path, options=options), bundle=bundle)
    assert [item["status"] for item in outcome["items"] if item["input"].endswith("a.tif")] == ["done"]


def test_results_of_other_parameters_are_not_overwritten_unasked(folder, tmp_path):
    run_batch(request(folder, tmp_path), bundle=stub_bundle())
    before = (tmp_path / "out" / "a_landcover.tif").read_bytes()
    options = SegmentOptions(min_confidence=0.9)
    outcome = run_batch(request(folder, tmp_path, options=options), bundle=stub_bundle())
    assert outcome["failed"] == 3
    assert (tmp_path / "out" / "a_landcover.tif").read_bytes() == before


def test_pattern_and_recursion(folder, tmp_path):
    def names(**changes):
        return [path.name for path in find_rasters(request(folder, tmp_path, **changes))]

    assert names() == ["a.tif", "broken.tif", "b.tif"]
    assert names(recursive=False) == ["a.tif", "broken.tif"]
    assert names(pattern="B*.TIF") == ["broken.tif", "b.tif"]
    assert names(pattern="a.*; b.tif") == ["a.tif", "b.tif"]


def test_results_are_no_inputs_of_the_next_run(folder):
    inside = BatchRequest(str(folder), str(folder / "results"), recursive=True)
    run_batch(inside, bundle=stub_bundle())
    assert len(find_rasters(inside)) == 3
    beside = BatchRequest(str(folder), str(folder))
    run_batch(beside, bundle=stub_bundle())
    assert len(find_rasters(beside)) == 2


def test_same_stem_gives_different_outputs(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.tif", "a.tiff", "b.tif"):
        write_raster(folder / name, random_pixels(5, 5))
    outputs = [os.path.basename(job.output) for job in requests_of(BatchRequest(str(folder), str(tmp_path)))]
    assert outputs == ["a_tif_landcover.tif", "a_tiff_landcover.tif", "b_landcover.tif"]


@pytest.mark.parametrize(
    ("changes", "text"), [({"pattern": "*.nc"}, r"matches \*.nc"), ({"folder": "none"}, "not exist")]
)
def test_nothing_to_do_is_told(folder, tmp_path, changes, text):
    batch = BatchRequest(**{"folder": str(folder), "output_folder": str(tmp_path / "out"), **changes})
    with pytest.raises(RequestError, match=text):
        run_batch(batch, bundle=stub_bundle())
    assert not (tmp_path / "out").exists()


def test_cancel_keeps_what_is_finished(folder, tmp_path):
    class Patient:
        def __init__(self):
            self.finished = 0

        def report(self, done, total, text=""):
            self.finished = done / total

        def log(self, level, text): ...
        def cancelled(self):
            return self.finished > 1 / 3

    with pytest.raises(RunCancelled):
        run_batch(request(folder, tmp_path), Patient(), stub_bundle())
    with open(tmp_path / "out" / "manifest.json", encoding="utf-8") as stream:
        assert [item["status"] for item in json.load(stream)["items"]] == ["done", "failed"]
    assert not (tmp_path / "out" / "north" / "b_landcover.tif").exists()
    assert (tmp_path / "out" / "a_landcover.tif").exists()
