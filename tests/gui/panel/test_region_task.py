"""Regions that are searched in the background."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from qgis.core import QgsApplication

from dubai_landcover_plugin.gui.panel.region_task import RegionTask
from tests.processing.qgis_fixtures import write_classes

pytestmark = pytest.mark.qgis


def wait_for_tasks() -> None:
    deadline = time.monotonic() + 30
    while QgsApplication.taskManager().countActiveTasks():
        assert time.monotonic() < deadline
        QgsApplication.processEvents()
    QgsApplication.processEvents()


def test_a_region_is_reported(qgis_app: object, tmp_path: Path):
    found: list[RegionTask] = []
    RegionTask(write_classes(tmp_path / "map.tif"), 300_010.5, 2_779_990.5, found.append).start()
    wait_for_tasks()
    (task,) = found
    assert (task.class_id, task.area.area(), task.is_cut, task.problem) == (4, 200, False, "")


def test_a_place_without_a_region_is_reported(qgis_app: object, tmp_path: Path):
    found: list[RegionTask] = []
    RegionTask(write_classes(tmp_path / "map.tif"), 0, 0, found.append).start()
    RegionTask(str(tmp_path / "none.tif"), 0, 0, found.append).start()
    wait_for_tasks()
    assert sorted(task.problem.split(".")[0] for task in found)[1] == "The place is outside of the raster"
    assert any("none.tif cannot be read" in task.problem for task in found)


def test_a_cancelled_search_reports_nothing(qgis_app: object, tmp_path: Path):
    found: list[RegionTask] = []
    task = RegionTask(write_classes(tmp_path / "map.tif"), 300_010.5, 2_779_990.5, found.append)
    task.start()
    task.cancel()
    wait_for_tasks()
    assert not found
