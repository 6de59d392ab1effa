"""Warnings in the message bar of desktop QGIS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qgis.utils
from qgis.core import Qgis, QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext
from qgis.PyQt.QtCore import QCoreApplication, QThread

from dubai_landcover_plugin.processing.message_bar import warn_in_message_bar
from dubai_landcover_plugin.processing.segment_request import warn_of_novel_rasters, warn_of_novelty
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationResult
from tests.processing.qgis_fixtures import RecordingFeedback, write_raster

pytestmark = pytest.mark.qgis


@pytest.fixture
def messages(qgis_iface: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, QThread]]]:
    """Warnings in the message bar, each with the thread that has shown it."""
    bar, shown = qgis_iface.messageBar(), []

    def push(title: str, text: str, level: Qgis.MessageLevel, duration: int) -> None:
        assert (level, duration) == (Qgis.MessageLevel.Warning, 0)
        shown.append((f"{title}: {text}", QThread.currentThread()))

    monkeypatch.setattr(bar, "pushMessage", push)
    monkeypatch.setattr(qgis.utils, "iface", qgis_iface)
    yield shown
    shown.clear()


def wait_for(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.02)


def test_a_run_in_the_background_on_other_ground_warns_in_the_main_thread(
    algorithm: Callable[[str], Any], context: QgsProcessingContext, messages: list, tmp_path: Path
):
    field = np.random.default_rng(0).normal((45, 75, 40), 5, (80, 96, 3)).clip(0, 255).astype(np.uint8)
    raster = write_raster(tmp_path / "field.tif", field.transpose(2, 0, 1))
    made, feedback = algorithm("segmentlandcover"), RecordingFeedback()
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "MODEL": "dubai", "WINDOW": 64}
    task, results = QgsProcessingAlgRunnerTask(made, values, context, feedback), []
    task.executed.connect(lambda successful, result: results.append((successful, result)))
    QgsApplication.taskManager().addTask(task)
    wait_for(lambda: bool(results and messages))
    assert results[0][0]
    assert results[0][1]["NOVELTY"] > 85
    ((text, thread),) = messages
    assert text.startswith("field: 100 % of the ground is unlike the training images of the model dubai")
    assert "Choose another model" in text
    assert thread == QCoreApplication.instance().thread()


def test_other_threads_leave_it_to_the_main_thread(messages: list):
    thread = threading.Thread(target=warn_in_message_bar, args=("Title", "Text."))
    thread.start()
    thread.join()
    assert not messages
    QCoreApplication.processEvents()
    assert messages == [("Title: Text.", QCoreApplication.instance().thread())]


def test_nothing_happens_without_an_interface(messages: list, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(qgis.utils, "iface", None)  # as in qgis_process
    warn_in_message_bar("Title", "Text.")
    QCoreApplication.processEvents()
    assert not messages


@pytest.mark.parametrize(("novelty", "usual"), [(60.0, 75.0), (None, None)])
def test_usual_and_unknown_ground_is_not_warned_of(messages: list, novelty: float | None, usual: float | None):
    result = SegmentationResult(
        "o.tif", "o.run.json", None, None, None, 1, 1, {}, None, 1, 1, 1.0, "cpu", "float32", "0",
        novelty=novelty, usual_novelty=usual,
    )  # fmt: skip
    warn_of_novelty(result, "dubai", "field")
    assert not messages


@pytest.mark.parametrize(("count", "listed"), [(1, "tile0.tif"), (4, "tile0.tif, tile1.tif, tile2.tif, …")])
def test_a_folder_names_rasters_on_other_ground(messages: list, count: int, listed: str):
    items = [{"input": f"images/tile{number}.tif", "is_novel": number < count} for number in range(5)]
    warn_of_novel_rasters(items, "dubai", "images")
    ((text, _),) = messages
    assert text.startswith(f"images: {count} of 5 rasters are unlike the training images of the model dubai")
    assert f"({listed})" in text


def test_a_folder_on_usual_ground_is_not_warned_of(messages: list):
    warn_of_novel_rasters([{"input": "tile.tif", "is_novel": False}], "dubai", "images")
    assert not messages
