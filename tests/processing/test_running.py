"""Unloading the plugin during a run, and what the log of a run says first."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsFeedback,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
)

from dubai_landcover_plugin.plugin import DubaiLandCoverPlugin
from dubai_landcover_plugin.processing import algorithm as base
from dubai_landcover_plugin.processing.running import running, stop_runs
from dubai_landcover_plugin.protocol.translation import use_language
from dubai_landcover_plugin.runner.interpreter import Interpreter
from tests.processing.qgis_fixtures import town, write_raster
from tests.processing.test_plugin import FakeInterface

pytestmark = pytest.mark.qgis


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        QgsApplication.processEvents()
        time.sleep(0.02)


def test_unloading_during_a_run_cancels_it_and_waits(
    qgis_app: QgsApplication,
    qgis_iface: Any,
    qgis_processing: object,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", engine)
    plugin = DubaiLandCoverPlugin(FakeInterface(qgis_iface.mapCanvas()))
    plugin.initGui()
    raster = write_raster(tmp_path / "large.tif", town(2000, 2000))
    algorithm = QgsApplication.processingRegistry().algorithmById("dubailandcover:segmentlandcover").create()
    context, feedback, ended = QgsProcessingContext(), QgsProcessingFeedback(), []
    context.setProject(QgsProject.instance())
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "PRECISION": "float32", "TTA": True}
    task = QgsProcessingAlgRunnerTask(algorithm, values, context, feedback)
    task.executed.connect(lambda succeeded, results: ended.append(succeeded))
    QgsApplication.taskManager().addTask(task)
    wait_for(lambda: feedback.progress() > 0)
    plugin.unload()
    assert ended == [False]
    assert QgsApplication.processingRegistry().providerById("dubailandcover") is None
    assert not (tmp_path / "o.tif").exists()
    for _ in range(20):
        QgsApplication.processEvents()


def test_without_runs_nothing_waits():
    started = time.monotonic()
    assert stop_runs()
    assert time.monotonic() - started < 1


def test_a_run_that_does_not_end_is_not_waited_for_for_ever():
    feedback = QgsFeedback()
    with running(feedback):
        assert not stop_runs(0.1)
        assert feedback.isCanceled()
    assert stop_runs(0.1)


def test_in_arabic_the_path_of_the_engine_is_a_unit_of_its_own(monkeypatch: pytest.MonkeyPatch, provider: object):
    monkeypatch.setattr(base, "engine_interpreter", lambda: Interpreter("/engine/python", "THE_VARIABLE"))
    monkeypatch.setattr(base, "run_task", lambda *_: {})
    algorithm = QgsApplication.processingRegistry().algorithmById("dubailandcover:exportmodel")
    feedback = QgsProcessingFeedback(False)
    use_language("ar")
    try:
        algorithm.run_engine("export_model", {}, feedback)
    finally:
        use_language("")
    assert "المحرك: \u2068/engine/python\u2069 (من \u2068THE_VARIABLE\u2069)" in feedback.textLog()


def test_in_arabic_a_path_in_an_error_is_a_unit_of_its_own(provider: object, tmp_path: Path):
    algorithm = QgsApplication.processingRegistry().algorithmById("dubailandcover:segmentfolder")
    missing = tmp_path / "missing"
    values = {"INPUT_FOLDER": str(missing), "OUTPUT_FOLDER": str(tmp_path)}
    use_language("ar")
    try:
        valid, message = algorithm.checkParameterValues(values, QgsProcessingContext())
    finally:
        use_language("")
    assert not valid
    assert f"\u2068{missing}\u2069" in message
