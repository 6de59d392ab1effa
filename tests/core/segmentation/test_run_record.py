"""A batch skips a raster only if every file of its result is the one that the record lists."""

from __future__ import annotations

import json
import os

import pyogrio
import pytest
import rasterio
from rasterio.errors import RasterioDeprecationWarning

from dubai_landcover_plugin.core.segmentation import vector_outputs
from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.core.segmentation.manifest import BatchItem, Manifest
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.factories import random_pixels, stub_bundle, write_raster

OPTIONS = SegmentOptions(min_area=0, simplify=0)


@pytest.fixture
def folder(tmp_path):
    write_raster(tmp_path / "images" / "a.tif", random_pixels(20, 20))
    return tmp_path / "images"


def batch(folder, **changes):
    settings = {"polygons": ".gpkg", "report": True, "options": OPTIONS, **changes}
    request = FolderRequest(str(folder), str(folder.parent / "out"), **settings)
    return [(item["status"], item["message"]) for item in run_folder(request, bundle=stub_bundle()).items]


def status_of(folder, **changes):
    ((status, _),) = batch(folder, **changes)
    return status


def results(folder):
    """Pixels, outlines, and the table of the page."""
    out = folder.parent / "out"
    with rasterio.open(out / "a_landcover.tif") as dataset:
        pixels = dataset.read(1).tobytes()
    _, _, geometries, _ = pyogrio.raw.read(out / "a_landcover.gpkg", layer="a_landcover")
    page = (out / "a_landcover.html").read_text()
    return pixels, b"".join(geometries), page[page.index("<table") : page.index("</table>")]


@pytest.fixture(scope="module")
def new_results(tmp_path_factory):
    """Results of the image that replaces the first one."""
    folder = tmp_path_factory.mktemp("new") / "images"
    write_raster(folder / "a.tif", random_pixels(20, 20, seed=1))
    batch(folder)
    return results(folder)


def kill_batch(folder, moves, after):
    """Run a batch in another process, which is killed before or after it has moved so many files into place."""
    child = os.fork()
    if child == 0:
        done = []

        def dying(move):
            def move_and_die(*arguments, **options):
                done.append(1)
                if len(done) > moves and not after:
                    os._exit(9)
                move(*arguments, **options)
                if len(done) > moves and after:
                    os._exit(9)

            return move_and_die

        os.replace, os.rename, os.link = map(dying, (os.replace, os.rename, os.link))
        batch(folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moves", range(11))
def test_after_a_kill_the_result_is_that_of_the_new_image(folder, new_results, moves, after):
    assert status_of(folder) == "done"
    assert all(old != new for old, new in zip(results(folder), new_results, strict=True))
    write_raster(folder / "a.tif", random_pixels(20, 20, seed=1))
    assert kill_batch(folder, moves, after) == 9
    assert status_of(folder) in ("done", "skipped")
    assert results(folder) == new_results
    assert status_of(folder) == "skipped"
    assert not [name for name in os.listdir(folder.parent / "out") if name.startswith(".")]


def test_statistics_that_gdal_stores_beside_the_result_change_nothing(folder):
    batch(folder)
    out = folder.parent / "out"
    before = (out / "a_landcover.tif.aux.xml").read_text()
    with rasterio.open(out / "a_landcover.tif") as dataset, pytest.warns(RasterioDeprecationWarning):
        dataset.statistics(1)
    after = (out / "a_landcover.tif.aux.xml").read_text()
    assert "STATISTICS_MEAN" in after
    assert "STATISTICS_MEAN" not in before
    assert status_of(folder) == "skipped"


def test_the_record_lists_all_files_and_nothing_is_left_beside_them(folder):
    batch(folder, polygons=".shp", confidence=True)
    out = folder.parent / "out"
    record = json.loads((out / "a_landcover.run.json").read_text())
    listed = {file["path"]: file for file in record["files"]}
    manifests = {"landcover_manifest.csv", "landcover_manifest.json"}
    assert listed.keys() == set(os.listdir(out)) - {"a_landcover.run.json"} - manifests
    assert record["complete"] is True
    assert all(file["size"] == (out / name).stat().st_size for name, file in listed.items())
    assert [os.path.basename(file["path"]) for file in record["input_files"]] == ["a.tif"]


@pytest.mark.parametrize("name", ["a_landcover.tif", "a_landcover.gpkg", "a_landcover.html", "a_landcover.tif.aux.xml"])
@pytest.mark.parametrize(
    ("harm", "expected"),
    [("deleted", "done"), ("emptied", "done"), ("halved", "failed"), ("edited", "failed"), ("touched", "skipped")],
)
def test_results_that_were_changed_are_noticed(folder, name, harm, expected):
    batch(folder)
    path = folder.parent / "out" / name
    before, status = path.read_bytes(), path.stat()
    if harm == "deleted":
        path.unlink()
    if harm == "emptied":
        path.write_bytes(b"")
    if harm == "halved":
        path.write_bytes(before[: len(before) // 2])
    if harm == "edited":
        path.write_bytes(before[:-9] + b"x" + before[-8:])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if harm == "touched":
        os.utime(path, (1e9, 1e9))
    harmed = path.read_bytes() if path.exists() else b""
    ((found, message),) = batch(folder)
    assert found == expected
    if found == "failed":
        assert f"{name} exists and was changed after an earlier run had written it; it is kept." in message
        assert path.read_bytes() == harmed
        assert status_of(folder, options=SegmentOptions(min_area=0, simplify=0, overwrite=True)) == "done"
    assert path.stat().st_size > len(before) - 20  # the record's text has seconds of varying length
    assert status_of(folder) == "skipped"


def test_all_changed_files_are_named(folder):
    batch(folder)
    out = folder.parent / "out"
    (out / "a_landcover.tif").write_bytes(b"")
    (out / "a_landcover.html").write_text("mine")
    ((status, message),) = batch(folder)
    assert status == "failed"
    assert "a_landcover.tif, " in message
    assert "a_landcover.html exist and were changed after an earlier run" in message
    assert (out / "a_landcover.html").read_text() == "mine"


def test_polygons_that_failed_are_made_again_over_those_of_the_old_image(folder, new_results, monkeypatch):
    batch(folder)
    write_raster(folder / "a.tif", random_pixels(20, 20, seed=1))

    def fail(*arguments):
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(vector_outputs, "write_polygons", fail)
        assert status_of(folder) == "failed"
        assert status_of(folder) == "failed"
    assert status_of(folder) == "done"
    assert results(folder) == new_results


def test_a_full_disk_before_the_first_file_leaves_nothing(folder, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        for move in ("replace", "rename", "link"):
            patch.setattr(os, move, full)
        with pytest.raises(OutputError, match="No space left"):  # of the manifest
            batch(folder)
    assert os.listdir(folder.parent / "out") == []
    assert status_of(folder) == "done"


def test_records_without_files_count_as_not_done(folder):
    """As earlier versions wrote them."""
    batch(folder)
    out = folder.parent / "out"
    path = out / "a_landcover.run.json"
    record = json.loads(path.read_text())
    old = {key: value for key, value in record.items() if key not in ("complete", "files", "input_files")}
    path.write_text(json.dumps(old))
    assert status_of(folder) == "done"
    path.write_text(json.dumps(old))
    later = path.stat().st_mtime + 60
    os.utime(out / "a_landcover.gpkg", (later, later))
    assert "a_landcover.gpkg exists and was changed" in batch(folder)[0][1]


def test_batches_at_once_keep_the_rows_of_each_other(tmp_path):
    request = FolderRequest("images", str(tmp_path))
    first, second = Manifest(tmp_path, request), Manifest(tmp_path, request)
    for number in range(3):
        first.add(BatchItem(f"a{number}.tif", f"out/a{number}.tif", "done"))
        second.add(BatchItem(f"b{number}.tif", f"out/b{number}.tif", "failed"))
    names = [item["input"] for item in json.loads((tmp_path / "landcover_manifest.json").read_text())["items"]]
    assert sorted(names) == [f"{letter}{number}.tif" for letter in "ab" for number in range(3)]
    assert len((tmp_path / "landcover_manifest.csv").read_text().splitlines()) == 7
    assert sorted(os.listdir(tmp_path)) == ["landcover_manifest.csv", "landcover_manifest.json"]


@pytest.mark.parametrize("same", [True, False])
def test_batches_at_once_share_the_work(tmp_path, same):
    for number in (0, 1):
        for name in "abc":
            write_raster(tmp_path / f"in{number}" / f"{name}{number}.tif", random_pixels(20, 20))
    children = []
    for number in (0, 1):
        child = os.fork()
        if child == 0:
            statuses = [status for status, _ in batch(tmp_path / f"in{0 if same else number}")]
            (tmp_path / f"{number}.json").write_text(json.dumps(statuses))
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    found = [status for number in (0, 1) for status in json.loads((tmp_path / f"{number}.json").read_text())]
    done = 3 if same else 6
    assert (found.count("done"), found.count("skipped")) == (done, 6 - done)
    manifest = json.loads((tmp_path / "out" / "landcover_manifest.json").read_text())
    assert len(manifest["items"]) == done
