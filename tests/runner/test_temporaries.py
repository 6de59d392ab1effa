"""What a killed worker leaves is removed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.runner.temporaries import output_folders, remove_temporaries
from tests.partials import leave_partial


def test_folders_of_every_output(tmp_path: Path):
    request = {"input": "/in/a.tif", "output": "/o/a.tif", "confidence": None, "polygons": "/p/a.gpkg", "report": ""}
    assert [str(path) for path in output_folders("segment_raster", request)] == ["/o", "/p"]
    assert output_folders("no_such_task", request) == []


def test_a_batch_writes_into_the_folders_below(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "file").touch()
    found = output_folders("segment_folder", {"input_folder": "/in", "output_folder": str(tmp_path)})
    assert found == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert output_folders("export_class_polygons", {"input": "m.tif", "output_folder": str(tmp_path)}) == [tmp_path]


def test_folders_of_ended_processes_go_and_others_stay(tmp_path: Path):
    left = [leave_partial(tmp_path / "a.tif"), leave_partial(tmp_path / "b.gpkg")]
    running = make_partial(tmp_path / "a.tif")
    (tmp_path / "a.tif").touch()
    assert sorted(remove_temporaries([tmp_path, tmp_path / "gone"])) == sorted(left)
    assert sorted(os.listdir(tmp_path)) == sorted([running.name, "a.tif"])
    remove_partial(running)
    assert os.listdir(tmp_path) == ["a.tif"]
