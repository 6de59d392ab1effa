from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.requests import LabelledData
from tests.training.dataset import write_image
from training import tasks
from training.errors import DatasetError
from training.tasks.data import data_config, files_of, with_new_classes
from training.tasks.start import Report, start_of


def test_tools_are_imported_when_they_are_used():
    assert set(tasks.__all__) <= set(dir(tasks))
    assert tasks.check_labels.__name__ == "check_labels"
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        tasks.fly  # noqa: B018


def test_classes_are_those_of_the_start_and_new_ones():
    added = with_new_classes(DUBAI, ("Pool=#40A0E0",))
    assert [entry.name for entry in added.classes][-1] == "Pool"
    alone = with_new_classes(None, ("Building", "Other"))
    assert [(entry.id, entry.name) for entry in alone.classes] == [(1, "Building"), (2, "Other")]
    assert alone.classes[0].colour == DUBAI.by_name("Building").colour
    assert with_new_classes(None, ()) == DUBAI
    with pytest.raises(ClassSchemeError, match="There is a class 'ROAD'"):
        with_new_classes(DUBAI, ("ROAD",))


def test_files_of_equal_names_get_the_names_of_their_folders(tmp_path: Path, noise: np.ndarray) -> None:
    paths = [str(write_image(tmp_path / year / "town.png", noise)) for year in ("2019", "2022")]
    other = str(write_image(tmp_path / "2022" / "port.png", noise))
    data = LabelledData(rasters=(*paths, other), labels="labels.gpkg|layername=drawn", class_field="use")
    files = files_of(data, DUBAI, "world", 0.5)
    assert list(files.images) == ["2019/town", "2022/town", "port"]
    assert (files.labels, files.gsd, files.origin) == (Path("labels.gpkg"), 0.5, "those of world")
    assert (data_config(data).layer, data_config(data).field) == ("drawn", "use")
    with pytest.raises(DatasetError, match="does not exist"):
        files_of(LabelledData(folder=str(tmp_path / "none"), labels="l.gpkg"), DUBAI)


def test_no_start_and_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start_of(" ") is None
    lines: list[str] = []

    class Monitor:
        def log(self, level: str, text: str) -> None:
            lines.append(f"{level}: {text}")

    report = Report(Monitor())
    report("\nOne\n")
    report("  ")
    assert lines == ["info: One"]
