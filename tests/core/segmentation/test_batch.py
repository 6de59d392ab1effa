import csv
import json
import os
import tempfile

import pytest

from dubai_landcover_plugin.core.io.outputs import raster_requests
from dubai_landcover_plugin.core.segmentation import batch
from dubai_landcover_plugin.core.segmentation import vector_outputs as extras
from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.core.segmentation.folder_rasters import find_rasters
from dubai_landcover_plugin.protocol.errors import OutputError, RequestError, RunCancelled
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.factories import random_pixels, stub_bundle, write_raster
from tests.partials import leave_partial


class Messages(LoggingMonitor):
    """Remembers messages."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def log(self, level, text):
        self.texts.append(text)


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
    return FolderRequest(str(folder), str(tmp_path / "out"), **{"recursive": True, **changes})


def test_folder_is_mirrored_and_one_failure_stops_nobody(folder, tmp_path):
    outcome = run_folder(
        request(folder, tmp_path, polygons=".gpkg", confidence=True, report=True), bundle=stub_bundle()
    )
    assert (outcome.done, outcome.skipped, outcome.failed) == (2, 0, 1)
    assert sorted(os.listdir(tmp_path / "out" / "north")) == [
        "b_confidence.tif", "b_landcover.gpkg", "b_landcover.html", "b_landcover.qml",
        "b_landcover.run.json", "b_landcover.tif", "b_landcover.tif.aux.xml",
    ]  # fmt: skip
    assert not (tmp_path / "out" / "broken_landcover.tif").exists()
    with open(outcome.manifest_csv, encoding="utf-8", newline="") as stream:
        rows = {os.path.basename(row["input"]): row for row in csv.DictReader(stream)}
    assert [rows[name]["status"] for name in ("a.tif", "b.tif", "broken.tif")] == ["done", "done", "failed"]
    assert "GDAL cannot open" in rows["broken.tif"]["message"]
    areas = [float(value) for key, value in rows["a.tif"].items() if key.endswith("_m2")]
    assert sum(areas) == 400
    with open(outcome.manifest_json, encoding="utf-8") as stream:
        assert json.load(stream)["items"] == list(outcome.items)


def test_an_unexpected_error_of_one_raster_stops_no_other_and_leaves_a_log(folder, tmp_path, monkeypatch):
    compute = batch.segment_locked

    def fail(job, *arguments):
        if job.input.endswith("a.tif"):
            raise KeyError("class")
        return compute(job, *arguments)

    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "logs"))
    monkeypatch.setattr(batch, "segment_locked", fail)
    outcome = run_folder(request(folder, tmp_path), bundle=stub_bundle())
    assert (outcome.done, outcome.failed) == (1, 2)
    (item,) = (item for item in outcome.items if item["input"].endswith("a.tif"))
    (log,) = (tmp_path / "logs").iterdir()
    assert item["message"] == f"Unexpected error: KeyError: 'class'. Please report it with the log {log}."
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_second_run_skips_what_is_done(folder, tmp_path):
    first = run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json()
    second = run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json()
    assert (second["done"], second["skipped"], second["failed"]) == (0, 2, 1)
    areas = [[item["area_m2"] for item in outcome["items"]] for outcome in (first, second)]
    assert areas[0] == areas[1]
    assert run_folder(request(folder, tmp_path, redo=True), bundle=stub_bundle()).done == 2


@pytest.mark.parametrize("change", ["input", "options", "model", "output"])
def test_anything_changed_is_done_again(folder, tmp_path, change):
    options = SegmentOptions()
    run_folder(request(folder, tmp_path, options=options), bundle=stub_bundle())
    bundle = stub_bundle()
    if change == "input":
        write_raster(folder / "a.tif", random_pixels(21, 20))
    elif change == "options":
        options = SegmentOptions(min_confidence=0.9)
    elif change == "model":
        bundle = type(bundle)(bundle.metadata, bundle.model, "1" * 64)
    else:
        (tmp_path / "out" / "a_landcover.tif").unlink()
    outcome = run_folder(request(folder, tmp_path, options=options), bundle=bundle)
    assert [item["status"] for item in outcome.items if item["input"].endswith("a.tif")] == ["done"]


def test_untouched_results_of_other_parameters_are_replaced_and_edited_ones_kept(folder, tmp_path):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    own, edited = tmp_path / "out" / "a_landcover.tif", tmp_path / "out" / "north" / "b_landcover.tif"
    edit(edited)
    before = own.read_bytes(), edited.read_bytes()
    options = SegmentOptions(min_confidence=0.9)
    outcome = run_folder(request(folder, tmp_path, options=options), bundle=stub_bundle()).to_json()
    assert statuses(outcome) == {"a.tif": "done", "b.tif": "failed", "broken.tif": "failed"}
    assert own.read_bytes() != before[0]
    assert edited.read_bytes() == before[1]


def test_pattern_and_recursion(folder, tmp_path):
    def names(**changes):
        return [path.name for path in find_rasters(request(folder, tmp_path, **changes)).rasters]

    assert names() == ["a.tif", "broken.tif", "b.tif"]
    assert names(recursive=False) == ["a.tif", "broken.tif"]
    assert names(pattern="B*.TIF") == ["broken.tif", "b.tif"]
    assert names(pattern="a.*; b.tif") == ["a.tif", "b.tif"]


def test_results_are_no_inputs_of_the_next_run(folder):
    inside = FolderRequest(str(folder), str(folder / "results"), recursive=True)
    run_folder(inside, bundle=stub_bundle())
    assert len(find_rasters(inside).rasters) == 3
    beside = FolderRequest(str(folder), str(folder))
    run_folder(beside, bundle=stub_bundle())
    assert len(find_rasters(beside).rasters) == 2


def test_results_are_known_by_their_tags_and_told(folder, tmp_path):
    run_folder(request(folder, tmp_path, confidence=True), bundle=stub_bundle())
    (tmp_path / "out" / "a_landcover.tif").rename(folder / "renamed.tif")
    (tmp_path / "out" / "a_confidence.tif").rename(folder / "sure.tif")
    write_raster(folder / "town_landcover.tif", random_pixels(20, 20))  # an image in spite of its name
    (folder / "scan.png").touch()
    monitor = Messages()
    outcome = run_folder(request(folder, tmp_path), monitor, stub_bundle())
    assert "town_landcover.tif" in {os.path.basename(item["input"]) for item in outcome.items}
    left_out = {os.path.basename(item["input"]): item["reason"] for item in outcome.left_out}
    assert left_out == {
        "renamed.tif": "it is a result of this tool",
        "sure.tif": "it is a result of this tool",
        "scan.png": "its name does not match *.tif;*.tiff;*.vrt;*.jp2;*.img",
    }
    assert sum("Left out: " in text for text in monitor.texts) == 3


def test_a_folder_with_nothing_but_results_says_so(folder, tmp_path):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    with pytest.raises(RequestError, match=r"2 images are left out, such as .*it is a result of this tool"):
        find_rasters(FolderRequest(str(tmp_path / "out"), str(tmp_path / "again"), recursive=True))


def test_buildings_and_roads_of_a_folder(folder, tmp_path):
    outcome = run_folder(request(folder, tmp_path, buildings=".gpkg", roads=".fgb"), bundle=stub_bundle())
    made = next(item for item in outcome.items if item["input"].endswith("b.tif"))
    north = tmp_path / "out" / "north"
    assert made["files"] == {
        "buildings": str(north / "b_buildings.gpkg"), "roads": str(north / "b_roads.fgb")
    }  # fmt: skip
    assert {"b_buildings.gpkg", "b_roads.fgb"} <= set(os.listdir(north))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.tif", "a.tiff", "b.tif"), ["a_tif", "a_tiff", "b"]),
        (("a.tif", "a.tiff", "a_tif.tif"), ["a_tif_2", "a_tiff", "a_tif"]),
        (
            ("a.tif", "a.tiff", "a_tif.tif", "a_tif.vrt", "a_tif_tif.img"),
            ["a_tif", "a_tiff", "a_tif_tif_2", "a_tif_vrt", "a_tif_tif"],
        ),
        (("A.tif", "a.tiff"), ["A_tif", "a_tiff"]),
    ],
)
def test_same_stem_gives_different_outputs(tmp_path, names, expected):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    batch_request = FolderRequest(str(folder), str(tmp_path))
    outputs = [
        os.path.basename(job.output) for job in raster_requests(batch_request, find_rasters(batch_request).rasters)
    ]
    assert outputs == [f"{name}_landcover.tif" for name in expected]


@pytest.mark.parametrize(
    ("changes", "text"), [({"pattern": "*.nc"}, r"matches \*.nc"), ({"folder": "none"}, "not exist")]
)
def test_nothing_to_do_is_told(folder, tmp_path, changes, text):
    batch = FolderRequest(**{"folder": str(folder), "output_folder": str(tmp_path / "out"), **changes})
    with pytest.raises(RequestError, match=text):
        run_folder(batch, bundle=stub_bundle())
    assert not (tmp_path / "out").exists()


def test_cancel_keeps_what_is_finished(folder, tmp_path):
    class Patient:
        def __init__(self):
            self.reached = False

        def report(self, done, total, text=""):
            self.reached = self.reached or "b.tif" in text

        def log(self, level, text): ...
        def cancelled(self):
            return self.reached

    with pytest.raises(RunCancelled):
        run_folder(request(folder, tmp_path), Patient(), stub_bundle())
    with open(tmp_path / "out" / "landcover_manifest.json", encoding="utf-8") as stream:
        assert [item["status"] for item in json.load(stream)["items"]] == ["done", "failed"]
    assert not (tmp_path / "out" / "north" / "b_landcover.tif").exists()
    assert (tmp_path / "out" / "a_landcover.tif").exists()


def edit(path):
    """Change one byte in the middle of a file; size and modification time stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def statuses(outcome):
    return {os.path.basename(item["input"]): item["status"] for item in outcome["items"]}


@pytest.mark.parametrize("change", ["content", "time", "relative", "polygons"])
def test_own_results_are_replaced_when_something_changed(folder, tmp_path, monkeypatch, change):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    changes = {"polygons": ".shp"} if change == "polygons" else {}
    if change == "time":
        os.utime(folder / "a.tif", (1e9, 1e9))
    if change == "content":
        edit(folder / "a.tif")
    monkeypatch.chdir(tmp_path)
    batch = FolderRequest("images", "out", recursive=True, **changes)
    again = {"content": ("done", "skipped"), "polygons": ("done", "done")}.get(change, ("skipped", "skipped"))
    assert statuses(run_folder(batch, bundle=stub_bundle()).to_json()) == {
        "a.tif": again[0], "b.tif": again[1], "broken.tif": "failed",
    }  # fmt: skip
    assert (tmp_path / "out" / "a_landcover.shp").exists() == (change == "polygons")
    assert set(statuses(run_folder(batch, bundle=stub_bundle()).to_json()).values()) == {"skipped", "failed"}


def test_failed_polygons_are_made_the_next_time(folder, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(extras, "write_polygons", fail)
        first = run_folder(request(folder, tmp_path, polygons=".gpkg"), bundle=stub_bundle())
    assert (first.done, first.failed) == (0, 3)
    assert run_folder(request(folder, tmp_path, polygons=".gpkg"), bundle=stub_bundle()).done == 2


@pytest.mark.parametrize("edited", ["a_landcover.tif", "a_confidence.tif", "a_landcover.dbf", "a_landcover.html"])
def test_edited_results_are_kept(folder, tmp_path, edited):
    extras = {"polygons": ".shp", "confidence": True, "report": True}
    run_folder(request(folder, tmp_path, **extras), bundle=stub_bundle())
    edit(tmp_path / "out" / edited)
    before = (tmp_path / "out" / "a_landcover.tif").read_bytes()
    options = SegmentOptions(min_confidence=0.9)
    outcome = run_folder(request(folder, tmp_path, options=options, **extras), bundle=stub_bundle()).to_json()
    assert statuses(outcome) == {"a.tif": "failed", "b.tif": "done", "broken.tif": "failed"}
    assert f"{edited} exists and was changed after an earlier run" in outcome["items"][0]["message"]
    assert (tmp_path / "out" / "a_landcover.tif").read_bytes() == before


@pytest.mark.parametrize("foreign", ["a_landcover.gpkg", "a_landcover.tif"])
def test_foreign_files_are_kept(folder, tmp_path, foreign):
    if foreign.endswith(".gpkg"):
        run_folder(request(folder, tmp_path), bundle=stub_bundle())
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / foreign).write_text("mine")
    outcome = run_folder(request(folder, tmp_path, polygons=".gpkg"), bundle=stub_bundle()).to_json()
    assert statuses(outcome)["a.tif"] == "failed"
    assert (tmp_path / "out" / foreign).read_text() == "mine"


@pytest.mark.parametrize(
    "damage",
    [
        {"result": None},
        {"result": {"speed": 1}},
        {"result": []},
        {"request": None},
        {"request": {"input": 3}},
        {"input_files": None},
        {"input_files": []},
        {"files": []},
        {"complete": 1},
        {"model": []},
    ],
)
def test_records_that_nobody_understands_count_as_not_done(folder, tmp_path, damage):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    record = tmp_path / "out" / "a_landcover.run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **damage}))
    expected = "failed" if damage.keys() & {"request", "files"} else "done"  # nobody knows then whose result it is
    outcome = run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json()
    assert statuses(outcome) == {"a.tif": expected, "b.tif": "skipped", "broken.tif": "failed"}


@pytest.mark.parametrize("text", ["[]", "null", "{", "\udcff", "[" * 100_000])
def test_damaged_records_are_kept_and_do_not_stop_the_batch(folder, tmp_path, text):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    record = tmp_path / "out" / "a_landcover.run.json"
    record.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert statuses(run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json())["b.tif"] == "skipped"
    assert run_folder(request(folder, tmp_path, redo=True), bundle=stub_bundle()).done == 1
    record.unlink()
    assert run_folder(request(folder, tmp_path, redo=True), bundle=stub_bundle()).done == 2


def test_manifest_keeps_the_rows_of_earlier_batches(folder, tmp_path):
    run_folder(request(folder, tmp_path, pattern="a.tif"), bundle=stub_bundle())
    outcome = run_folder(request(folder, tmp_path, pattern="b.tif"), bundle=stub_bundle()).to_json()
    assert list(statuses(outcome)) == ["b.tif"]
    run_folder(request(folder, tmp_path, pattern="b.tif"), bundle=stub_bundle())
    with open(outcome["manifest_csv"], encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(os.path.basename(row["input"]), row["status"]) for row in rows] == [
        ("a.tif", "done"),
        ("b.tif", "skipped"),
    ]
    with open(outcome["manifest_json"], encoding="utf-8") as stream:
        text = stream.read()
    manifest = json.loads(text)
    assert len(manifest["items"]) == 2
    assert text == json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)  # its parts fit together


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("landcover_manifest.csv", "plot,owner\n1,me\n"),
        ("landcover_manifest.json", '{"name": "app"}'),
        ("landcover_manifest.json", '{"request": {}, "items": [{"output": 3}]}'),
        ("landcover_manifest.json", "[]"),
        (
            "landcover_manifest.json",
            '{"request": {}, "items": [{"input": "a", "output": "b", "status": "done", "pixels": 3}]}',
        ),
        ("landcover_manifest.json", "no json"),
    ],
)
def test_foreign_manifests_are_refused_before_work(folder, tmp_path, name, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(text)
    with pytest.raises(OutputError, match=f"{name} exists and is not a manifest"):
        run_folder(request(folder, tmp_path), bundle=stub_bundle())
    assert os.listdir(tmp_path / "out") == [name]
    assert (tmp_path / "out" / name).read_text() == text


@pytest.mark.parametrize("name", ["landcover_manifest.csv", "landcover_manifest.json"])
def test_empty_manifests_are_written_again(folder, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("")
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    assert (tmp_path / "out" / name).stat().st_size > 100


def test_manifests_of_other_programs_are_left_alone(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("mine")
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    assert (tmp_path / "out" / "manifest.json").read_text() == "mine"


def test_names_that_are_no_utf8_stop_nobody(folder, tmp_path):
    try:
        with open(os.path.join(os.fsencode(folder), b"caf\xe9.tif"), "wb") as stream:
            stream.write((folder / "a.tif").read_bytes())
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    outcome = run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json()
    assert [statuses(outcome)[name] for name in ("a.tif", "b.tif", "broken.tif")] == ["done", "done", "failed"]
    with open(outcome["manifest_json"], encoding="utf-8") as stream:
        assert json.load(stream)["items"] == outcome["items"]
    again = run_folder(request(folder, tmp_path), bundle=stub_bundle()).to_json()
    assert [statuses(again)[name] for name in ("a.tif", "b.tif")] == ["skipped", "skipped"]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_links_to_missing_files_are_reported(folder, tmp_path):
    (folder / "north" / "gone.tif").symlink_to(tmp_path / "unmounted" / "gone.tif")
    (folder / "north" / "linked.tif").symlink_to(folder / "a.tif")
    (folder / "north" / "folder.tif").symlink_to(folder)
    (folder / "north" / "loop.tif").symlink_to(folder / "north" / "loop.tif")
    outcome = run_folder(request(folder, folder), bundle=stub_bundle())
    found = {os.path.basename(item["input"]): item for item in outcome.items}
    assert {name: item["status"] for name, item in found.items()} == {
        "a.tif": "done", "b.tif": "done", "broken.tif": "failed", "gone.tif": "failed", "linked.tif": "done",
        "loop.tif": "failed",
    }  # fmt: skip
    assert "No such file" in found["gone.tif"]["message"]
    assert "symbolic links" in found["loop.tif"]["message"]


def test_unfinished_rasters_are_not_inputs(folder, tmp_path):
    leave_partial(folder / "north" / "result.tif")
    inputs = find_rasters(request(folder, tmp_path)).rasters
    assert [path.name for path in inputs] == ["a.tif", "broken.tif", "b.tif"]


def test_what_killed_runs_left_is_removed_where_nothing_is_to_be_done(folder, tmp_path):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    left = leave_partial(tmp_path / "out" / "north" / "b_landcover.tif.aux.xml")
    assert run_folder(request(folder, tmp_path), bundle=stub_bundle()).skipped == 2
    assert not left.exists()


def test_a_shapefile_that_was_deleted_in_part_is_made_again(folder, tmp_path):
    run_folder(request(folder, tmp_path, polygons=".shp"), bundle=stub_bundle())
    (tmp_path / "out" / "a_landcover.shp").unlink()
    outcome = run_folder(request(folder, tmp_path, polygons=".shp"), bundle=stub_bundle())
    assert (outcome.done, outcome.skipped) == (1, 1)
    assert (tmp_path / "out" / "a_landcover.shp").exists()


def test_records_of_versions_without_an_option_are_compared_with_its_default(folder, tmp_path):
    run_folder(request(folder, tmp_path), bundle=stub_bundle())
    path = tmp_path / "out" / "a_landcover.run.json"
    record = json.loads(path.read_text())
    del record["request"]["options"]["alpha"], record["request"]["roads"]
    path.write_text(json.dumps(record))
    assert run_folder(request(folder, tmp_path), bundle=stub_bundle()).skipped == 2
    changed = request(folder, tmp_path, options=SegmentOptions(alpha="no"))
    assert run_folder(changed, bundle=stub_bundle()).skipped == 0


class Progress:
    """Keeps the progress of a folder."""

    def __init__(self):
        self.reports = []

    def report(self, done, total, text=""):
        self.reports.append((done / total, text))

    def log(self, level, text):
        pass

    def cancelled(self):
        return False


def test_the_progress_is_that_of_the_folder_and_skipped_rasters_take_no_time(folder, tmp_path):
    (folder / "broken.tif").unlink()
    run_folder(request(folder, tmp_path, recursive=False), bundle=stub_bundle())  # a.tif alone
    write_raster(folder / "c.tif", random_pixels(40, 40, seed=2))
    progress = Progress()
    run_folder(request(folder, tmp_path), progress, bundle=stub_bundle())
    shares = [share for share, _ in progress.reports]
    assert shares == sorted(shares)
    assert shares[0] < 0.05  # a.tif was skipped
    names = dict.fromkeys(text.partition(":")[0] for _, text in progress.reports if text)
    assert list(names) == ["c.tif (2 of 3)", f"{os.path.join('north', 'b.tif')} (3 of 3)"]
    first = [share for share, text in progress.reports if text.startswith("c.tif")]
    assert 0.5 < max(first) < 1  # c.tif is the larger one
