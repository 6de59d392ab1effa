"""The plugin loads, unloads and imports nothing that QGIS lacks."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from qgis.core import QgsApplication
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtCore import QCoreApplication, QTranslator
from qgis.PyQt.QtWidgets import QLabel, QMessageBox, QPushButton

import dubai_landcover_plugin
from dubai_landcover_plugin.gui import engine_dialog
from dubai_landcover_plugin.gui.engine_dialog import EngineDialog, requirements_folder
from dubai_landcover_plugin.gui.set_up_message import offer_set_up
from dubai_landcover_plugin.gui.settings_page import SettingsPage
from dubai_landcover_plugin.plugin import DubaiLandCoverPlugin
from dubai_landcover_plugin.protocol.translation import use_language
from dubai_landcover_plugin.runner.settings import (
    available_models,
    natural_colours,
    profile_model_folder,
    text_setting,
)

pytestmark = pytest.mark.qgis
PACKAGE = Path(dubai_landcover_plugin.__file__).parent
ALGORITHMS = {
    "segmentlandcover",
    "segmentfolder",
    "polygonizelandcover",
    "exportclasspolygons",
    "regularizebuildings",
    "extractroadnetwork",
    "landcoverreport",
    "accuracysample",
    "accuracyassessment",
    "changebetweendates",
    "applycorrections",
    "recodeclasses",
    "reclassifyprobabilities",
    "modelfromsamples",
    "previewlandcover",
    "createlabellayer",
    "checklabels",
    "trainmodel",
    "evaluatemodel",
    "exportmodel",
    "sampledata",
}


class FakeInterface:
    """What the plugin asks of QGIS's interface."""

    def __init__(self, canvas: object = None) -> None:
        self.menu: list = []
        self.factories: list = []
        self.toolbar: list = []
        self.docks: list = []
        self._canvas = canvas
        self.bar = QgsMessageBar()

    def mapCanvas(self) -> object:  # noqa: N802
        return self._canvas

    def activeLayer(self) -> None:  # noqa: N802
        return None

    def addDockWidget(self, _: object, dock: object) -> None:  # noqa: N802
        self.docks.append(dock)

    def removeDockWidget(self, dock: object) -> None:  # noqa: N802
        self.docks.remove(dock)

    def addToolBarIcon(self, action: object) -> None:  # noqa: N802
        self.toolbar.append(action)

    def removeToolBarIcon(self, action: object) -> None:  # noqa: N802
        if action in self.toolbar:
            self.toolbar.remove(action)

    def mainWindow(self) -> None:  # noqa: N802
        return None

    def messageBar(self) -> QgsMessageBar:  # noqa: N802
        return self.bar

    def addPluginToMenu(self, _: str, action: object) -> None:  # noqa: N802
        self.menu.append(action)

    def removePluginMenu(self, _: str, action: object) -> None:  # noqa: N802
        self.menu.remove(action)

    def registerOptionsWidgetFactory(self, factory: object) -> None:  # noqa: N802
        self.factories.append(factory)

    def unregisterOptionsWidgetFactory(self, factory: object) -> None:  # noqa: N802
        self.factories.remove(factory)


def test_these_tests_run_the_folder_that_users_get():
    assert PACKAGE.parent.name == "build"
    assert (PACKAGE / "metadata.txt").is_file()


def test_load_and_unload_are_symmetric(qgis_app: QgsApplication, qgis_iface: Any, qgis_processing: object):
    interface = FakeInterface(qgis_iface.mapCanvas())
    for _ in range(2):
        plugin = DubaiLandCoverPlugin(interface)
        plugin.initGui()
        provider = qgis_app.processingRegistry().providerById("dubailandcover")
        assert {algorithm.name() for algorithm in provider.algorithms()} == ALGORITHMS
        assert len(interface.menu) == 6
        assert len(interface.toolbar) == len(interface.docks) == 1
        assert len(interface.factories) == 1
        plugin.unload()
        assert qgis_app.processingRegistry().providerById("dubailandcover") is None
        assert interface.menu == interface.toolbar == interface.docks == []
        assert interface.factories == []


def test_the_provider_has_an_icon_of_its_own(provider: object):
    assert Path(provider.svgIconPath()).is_file()
    image = provider.icon().pixmap(32, 32).toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, 32, 3) for y in range(0, 32, 3)}
    assert len(colours) > 5


def test_the_metadata_names_what_exists():
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(PACKAGE / "metadata.txt", encoding="utf-8")
    general = metadata["general"]
    assert (PACKAGE / general["icon"]).is_file()
    assert general["hasProcessingProvider"] == "yes"
    assert (general["qgisMinimumVersion"], general["qgisMaximumVersion"]) == ("3.22", "4.99")


def test_the_plugin_side_imports_without_the_engines_libraries(qgis_processing: None):
    import processing  # a plugin of QGIS that its fixture makes importable

    blocked = ["torch", "rasterio", "shapely", "pyogrio", "safetensors", "numpy"]
    program = (
        "import importlib, pathlib, sys\n"
        f"sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"sys.path.append({str(Path(processing.__file__).parents[1])!r})\n"  # where QGIS keeps processing
        "before = list(sys.path)\n"
        "import dubai_landcover_plugin as plugin\n"
        "folder = pathlib.Path(plugin.__path__[0])\n"
        "parts = [path.relative_to(folder).with_suffix('').parts for path in sorted(folder.rglob('*.py'))]\n"
        "names = ['.'.join((plugin.__name__, *part)) for part in parts\n"
        "         if part[0] not in ('core', 'cli', 'training') and part[-1] not in ('__init__', '__main__')]\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "assert not [name for name in sys.modules if name.startswith(plugin.__name__ + '.core')]\n"
        "assert sys.path == before, 'sys.path was changed'\n"
        "print(len(names))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_the_settings_page_keeps_what_is_entered(tmp_path: Path, provider: object):
    page = SettingsPage(None)
    page._python.setFilePath("/some/python")
    page._models.setFilePath(str(tmp_path))
    page._natural.setChecked(True)
    page.apply()
    assert text_setting("dubai_landcover/interpreter") == "/some/python"
    assert natural_colours()
    again = SettingsPage(None)
    assert any(str(profile_model_folder()) in label.text() for label in again.findChildren(QLabel))
    assert again._python.filePath() == "/some/python"
    assert "/some/python" in again._state.text()


def test_models_of_the_folder_in_the_settings_are_offered(tmp_path: Path, provider: object):
    page = SettingsPage(None)
    page._models.setFilePath(str(tmp_path))
    page.apply()
    shipped = available_models()
    (tmp_path / "my_model.safetensors").write_bytes(next(iter(shipped.values())).read_bytes())
    assert available_models()["my_model"] == tmp_path / "my_model.safetensors"
    assert "my_model" in provider.algorithm("segmentlandcover").create().parameterDefinition("MODEL").options()


def test_a_damaged_model_is_named_and_the_others_are_offered(tmp_path: Path, provider: object):
    page = SettingsPage(None)
    page._models.setFilePath(str(tmp_path))
    page.apply()
    (tmp_path / "damaged.safetensors").write_bytes(b"\x10" + bytes(7) + b"[" * 16)
    os.mkfifo(tmp_path / "pipe.safetensors")
    algorithm = provider.algorithm("segmentlandcover").create()
    parameter = algorithm.parameterDefinition("MODEL")
    assert "dubai" in parameter.options()
    assert "world: Land cover of cities" in parameter.help()
    assert not {"damaged", "pipe"} & set(parameter.options())
    assert "damaged.safetensors is damaged" in parameter.help()
    assert "pipe.safetensors is not a regular file" in parameter.help()


def test_the_engine_dialog_checks_the_engine(provider: object):
    dialog = EngineDialog()
    assert dialog._check.isEnabled()
    dialog._check.click()
    assert not dialog._set_up.isEnabled()
    deadline = time.monotonic() + 120
    while dialog._task is not None and time.monotonic() < deadline:
        QgsApplication.processEvents()
        time.sleep(0.02)
    text = dialog._log.toPlainText()
    assert "torch" in text
    assert "Done." in text
    assert dialog._set_up.isEnabled()


def test_the_engine_dialog_without_an_engine_says_so(qgis_app: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", str(tmp_path / "gone"))
    dialog = EngineDialog()
    assert "does not exist" in dialog._state.text()
    assert not dialog._check.isEnabled()
    assert dialog._set_up.isEnabled()


def test_a_set_up_goes_on_when_its_window_is_closed_and_ends_with_the_plugin(qgis_app: object):
    dialog, started, cancelled = engine_dialog.show_engine_dialog(), threading.Event(), threading.Event()

    def work(monitor: Any) -> None:
        started.set()
        while not monitor.cancelled():
            time.sleep(0.02)
        cancelled.set()

    dialog._start("work", work)
    assert started.wait(20)
    dialog.reject()  # Esc
    assert not dialog.isVisible()
    assert dialog.is_busy
    assert engine_dialog.show_engine_dialog() is dialog
    dialog.close()
    assert not cancelled.is_set()
    engine_dialog.close_engine_dialog()
    assert cancelled.wait(20)


def test_without_an_engine_the_message_bar_offers_the_set_up(
    qgis_app: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", sys.executable)
    bar, asked = QgsMessageBar(), []
    assert not offer_set_up(bar, lambda: asked.append(True))
    assert bar.currentItem() is None
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", str(tmp_path / "gone"))
    assert offer_set_up(bar, lambda: asked.append(True))
    (button,) = [one for one in bar.currentItem().findChildren(QPushButton) if one.text().startswith("Set up now")]
    button.click()
    assert asked == [True]


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_an_engine_is_replaced_only_if_the_user_says_so(
    qgis_app: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", sys.executable)
    monkeypatch.setattr(engine_dialog, "installed_engine", lambda folder: tmp_path)
    monkeypatch.setattr(engine_dialog, "is_outdated", lambda *folders: True)
    answers = getattr(QMessageBox.StandardButton, answer)
    monkeypatch.setattr(QMessageBox, "question", lambda *arguments: answers)
    dialog, started = EngineDialog(), []
    assert dialog._set_up.text() == "Update"
    assert "press Update" in dialog._state.text()
    monkeypatch.setattr(dialog, "_start", lambda title, work: started.append(title))
    dialog._set_up.click()
    assert bool(started) == (answer == "Yes")


def test_the_requirements_ship_with_the_plugin():
    assert requirements_folder() == PACKAGE / "requirements"
    assert (requirements_folder() / "engine.txt").is_file()


def test_the_language_is_that_of_qgis(qgis_app: Any, qgis_processing: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(QgsApplication, "locale", staticmethod(lambda: "ar_AE"))
    own = QTranslator()
    own.load(f"{QgsApplication.i18nPath()}/qgis_ar.qm")
    QCoreApplication.installTranslator(own)
    plugin = DubaiLandCoverPlugin(None)
    plugin.initProcessing()
    try:
        algorithm = qgis_app.processingRegistry().algorithmById("dubailandcover:segmentlandcover")
        assert algorithm.displayName() == "تجزئة الغطاء الأرضي"
        assert "%1" in QCoreApplication.translate("QObject", "%1 [optional]")  # QGIS's own has "1%"
        assert algorithm.parameterDefinition("OUTPUT").description() == "الغطاء الأرضي"
        monkeypatch.setattr("qgis.utils.iface", object())
        assert "<i>" not in algorithm.shortHelpString()
    finally:
        plugin.unload()
        QCoreApplication.removeTranslator(own)
        use_language("")
