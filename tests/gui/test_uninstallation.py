"""The engine is removed only on request: in the window of the set-up, or when the plugin was uninstalled."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import qgis.utils
from qgis.core import QgsApplication
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtWidgets import QMessageBox

from dubai_landcover_plugin.gui import engine_dialog, uninstallation
from dubai_landcover_plugin.gui.engine_dialog import EngineDialog
from dubai_landcover_plugin.runner.interpreter import engine_folder

pytestmark = pytest.mark.qgis


@pytest.fixture
def data(qgis_app: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with an engine."""
    (engine_folder(tmp_path) / "bin").mkdir(parents=True)
    (engine_folder(tmp_path) / "bin" / "python").write_bytes(b"x" * 3_000_000)
    for module in (engine_dialog, uninstallation):
        monkeypatch.setattr(module, "data_folder", lambda: str(tmp_path))
        monkeypatch.setattr(module, "profile_folder", lambda: str(tmp_path / "profile"))
    return tmp_path


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that are asked; all are answered with Yes."""
    asked: list[str] = []

    def question(parent: object, title: str, text: str, *buttons: object) -> object:
        asked.append(text)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def wait(until) -> None:
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        QgsApplication.processEvents()
        time.sleep(0.02)
    assert until()


def test_the_window_removes_the_engine_after_a_question(data: Path, questions: list[str]):
    dialog = EngineDialog()
    assert dialog._remove.isEnabled()
    dialog._remove.click()
    (text,) = questions
    assert "3 MB" in text
    assert str(engine_folder(data).parent) in text
    wait(lambda: not dialog.is_busy)
    assert not engine_folder(data).parent.exists()
    assert not dialog._remove.isEnabled()


def test_no_is_no(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *arguments: QMessageBox.StandardButton.No)
    dialog = EngineDialog()
    dialog._remove.click()
    assert not dialog.is_busy
    assert engine_folder(data).is_dir()


@pytest.mark.parametrize("what", ["uninstalled", "disabled", "upgraded"])
def test_the_question_comes_only_after_an_uninstallation(
    data: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch, what: str
):
    iface = SimpleNamespace(mainWindow=lambda: None, bar=QgsMessageBar())
    iface.messageBar = lambda: iface.bar
    plugin = data / "plugins" / "dubai_landcover_plugin"
    plugin.mkdir(parents=True)
    monkeypatch.setattr(uninstallation, "_PLUGIN", plugin)
    monkeypatch.setattr(qgis.utils, "plugins", {})
    uninstallation.ask_if_uninstalled(iface)
    if what != "disabled":
        plugin.rmdir()
    if what == "upgraded":  # by a plugin in another folder
        qgis.utils.plugins[plugin.name] = object()
    for _ in range(10):
        QgsApplication.processEvents()
        time.sleep(0.02)
    if what == "uninstalled":
        wait(lambda: not engine_folder(data).exists() and iface.bar.currentItem() is not None)
        assert len(questions) == 1
    else:
        assert questions == []
        assert engine_folder(data).is_dir()
