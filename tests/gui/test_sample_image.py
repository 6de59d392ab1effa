"""The sample image is drawn in the background and proposed to Segment Land Cover; the set-up leads there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processing
import pytest
import qgis.utils
from qgis.core import QgsApplication, QgsProject
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtWidgets import QLabel, QPushButton

from dubai_landcover_plugin.gui import engine_dialog
from dubai_landcover_plugin.gui.engine_dialog import EngineDialog, is_update_due, requirements_folder
from dubai_landcover_plugin.gui.sample_image import stop_sample_image, try_sample_image
from dubai_landcover_plugin.gui.set_up_message import offer_update, withdraw_offers
from dubai_landcover_plugin.plugin import DubaiLandCoverPlugin
from dubai_landcover_plugin.protocol.errors import EngineError
from dubai_landcover_plugin.runner.installer import lock_hash
from dubai_landcover_plugin.runner.interpreter import COMPLETE_MARK, VARIABLE, engine_folder, environment_python

pytestmark = pytest.mark.qgis


class Desktop:
    """What the sample image asks of QGIS's interface."""

    def __init__(self, canvas: object) -> None:
        self.bar, self._canvas, self.active = QgsMessageBar(), canvas, None

    def mapCanvas(self) -> object:  # noqa: N802
        return self._canvas

    def messageBar(self) -> QgsMessageBar:  # noqa: N802
        return self.bar

    def mainWindow(self) -> None:  # noqa: N802
        return None

    def setActiveLayer(self, layer: object) -> None:  # noqa: N802
        self.active = layer


@pytest.fixture
def desktop(qgis_iface: Any, provider: object, monkeypatch: pytest.MonkeyPatch):
    """Return QGIS's interface; the project is empty afterwards."""
    desktop = Desktop(qgis_iface.mapCanvas())
    monkeypatch.setattr(qgis.utils, "iface", desktop)
    yield desktop
    stop_sample_image()
    wait(lambda: not QgsApplication.taskManager().activeTasks())
    withdraw_offers()
    QgsProject.instance().clear()


def wait(until: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not until() and time.monotonic() < deadline:
        QgsApplication.processEvents()
        time.sleep(0.02)
    assert until()


def message(desktop: Desktop) -> str:
    item = desktop.bar.currentItem()
    return "" if item is None else item.text()


def press(desktop: Desktop, text: str) -> None:
    (button,) = [one for one in desktop.bar.currentItem().findChildren(QPushButton) if one.text() == text]
    button.click()


def test_the_image_is_proposed_with_buildings_and_roads(desktop: Desktop, monkeypatch: pytest.MonkeyPatch):
    opened: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(processing, "execAlgorithmDialog", lambda name, values: opened.append((name, values)))
    try_sample_image(desktop)
    assert message(desktop) == "Drawing the sample image…"
    try_sample_image(desktop)  # while it is being drawn: nothing
    wait(lambda: opened)
    ((name, values),) = opened
    (layer,) = QgsProject.instance().mapLayers().values()
    assert name == "dubailandcover:segmentlandcover"
    assert values == {"INPUT": layer.id(), "BUILDINGS": "TEMPORARY_OUTPUT", "ROADS": "TEMPORARY_OUTPUT"}
    assert (layer.name(), desktop.active) == ("Sample town", layer)
    assert desktop.mapCanvas().extent().contains(layer.extent())
    assert message(desktop) == ""


def test_why_an_image_was_not_drawn_is_told(desktop: Desktop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexit 3\n")
    silent.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(silent))
    try_sample_image(desktop)
    wait(lambda: "could not be drawn" in message(desktop))
    assert "engine" in message(desktop)
    assert QgsProject.instance().count() == 0


def test_unloading_stops_the_drawing(desktop: Desktop):
    try_sample_image(desktop)
    stop_sample_image()
    wait(lambda: not QgsApplication.taskManager().activeTasks())
    assert message(desktop) == ""
    assert QgsProject.instance().count() == 0


def test_without_an_engine_the_menu_opens_the_set_up(desktop: Desktop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    plugin, shown = DubaiLandCoverPlugin(desktop), []
    monkeypatch.setattr(plugin, "_open_engine_dialog", lambda: shown.append(True))
    plugin._try_sample_image()
    assert shown == [True]


@pytest.mark.parametrize("visible", [True, False])
def test_a_set_up_that_is_complete_leads_to_the_sample_image(
    desktop: Desktop, monkeypatch: pytest.MonkeyPatch, visible: bool
):
    tried: list[object] = []
    monkeypatch.setattr(engine_dialog, "try_sample_image", tried.append)
    monkeypatch.setattr(engine_dialog, "install_engine", lambda *arguments: None)
    monkeypatch.setattr(engine_dialog, "installed_engine", lambda base: None)
    dialog = EngineDialog()
    dialog.setVisible(visible)
    dialog.set_up()
    wait(lambda: not dialog.is_busy)
    if visible:
        assert message(desktop) == ""
        assert "The engine is ready." in dialog._step.text()
        dialog._step.linkActivated.emit("#")
    else:
        assert message(desktop) == "The engine is ready."
        press(desktop, "Try a sample image…")
    assert tried == [desktop]
    assert not dialog.isVisible()
    assert message(desktop) == ""


def test_why_a_set_up_failed_is_told_if_its_window_was_closed(desktop: Desktop, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: object) -> None:
        raise EngineError("There is no network.", "Connect, then try again.")

    monkeypatch.setattr(engine_dialog, "install_engine", fail)
    monkeypatch.setattr(engine_dialog, "installed_engine", lambda base: None)
    dialog = EngineDialog()
    dialog.set_up()
    wait(lambda: not dialog.is_busy)
    assert message(desktop).startswith("The engine was not set up. There is no network.")
    press(desktop, "Show")
    assert dialog.isVisible()
    assert "There is no network." in dialog._step.text()
    assert isinstance(dialog._step, QLabel)
    dialog.close()


@pytest.mark.parametrize("lock", ["other", "same"])
def test_an_update_is_offered_for_an_engine_of_another_version(
    desktop: Desktop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lock: str
):
    folder = engine_folder(tmp_path)
    python = environment_python(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    written = lock_hash(requirements_folder()) if lock == "same" else lock
    (folder / COMPLETE_MARK).write_text(f'{{"lock": "{written}"}}')
    monkeypatch.setattr(engine_dialog, "data_folder", lambda: str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(python))
    assert is_update_due() == (lock == "other")
    monkeypatch.setenv(VARIABLE, sys.executable)
    assert not is_update_due()  # it is not in use
    shown: list[bool] = []
    offer_update(desktop.bar, lambda: shown.append(True))
    press(desktop, "Update…")
    assert shown == [True]
    assert message(desktop) == ""
