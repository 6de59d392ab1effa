"""What a killed worker leaves is removed, and nothing else."""

import os
import sys

import pytest

from dubai_landcover_plugin.protocol.partial_files import partial_name
from dubai_landcover_plugin.runner.temporaries import output_folders, remove_temporaries


def test_folders_of_every_output(tmp_path):
    request = {"input": "/in/a.tif", "output": "/o/a.tif", "confidence": None, "polygons": "/p/a.gpkg", "report": ""}
    assert [str(path) for path in output_folders("segment_raster", request)] == ["/o", "/p"]
    assert output_folders("no_such_task", request) == []


def test_a_batch_writes_into_the_folders_below(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "file").touch()
    found = output_folders("segment_folder", {"input_folder": "/in", "output_folder": str(tmp_path)})
    assert found == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert output_folders("export_class_polygons", {"input": "m.tif", "output_folder": str(tmp_path)}) == [tmp_path]


def test_files_and_folders_of_the_worker_go_and_others_stay(tmp_path):
    mine = [tmp_path / partial_name("a.tif"), tmp_path / f"{partial_name('a.tif')}.aux.xml"]
    for path in mine:
        path.touch()
    folder = tmp_path / partial_name("b.gpkg", ".folder")
    folder.mkdir()
    (folder / "inside.gpkg").touch()
    pid = str(os.getpid())
    others = [partial_name("c.tif").replace(pid, "1"), "a.tif", ".hidden", partial_name("d.tif")[1:]]
    for name in others:
        (tmp_path / name).touch()
    assert sorted(remove_temporaries([tmp_path, tmp_path / "gone"], os.getpid())) == sorted([*mine, folder])
    assert sorted(os.listdir(tmp_path)) == sorted(others)


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_link_goes_and_its_target_stays(tmp_path):
    target = tmp_path / "kept"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / partial_name("b", ".folder")).symlink_to(target)
    remove_temporaries([tmp_path], os.getpid())
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(target) == ["file"]
