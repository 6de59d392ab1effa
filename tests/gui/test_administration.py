"""What an administrator sets in the global settings of QGIS counts for users who set nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from qgis.core import QgsSettings
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtWidgets import QPushButton

from dubai_landcover_plugin.gui import engine_dialog
from dubai_landcover_plugin.gui.engine_dialog import EngineDialog
from dubai_landcover_plugin.gui.set_up_message import offer_set_up, withdraw_offers
from dubai_landcover_plugin.runner import administration
from dubai_landcover_plugin.runner.interpreter import VARIABLE
from dubai_landcover_plugin.runner.package_sources import Sources
from dubai_landcover_plugin.runner.settings import engine_interpreter

pytestmark = pytest.mark.qgis


@pytest.fixture
def administered(qgis_app: object, tmp_path: Path):
    """Return a function that writes the global settings."""

    def write(**values: str) -> None:
        path = tmp_path / "qgis_global_settings.ini"
        lines = [f"{name}={value}" for name, value in values.items()]
        path.write_text("\n".join(["[dubai_landcover]", *lines, ""]), encoding="utf-8")
        QgsSettings.setGlobalSettingsPath(str(path))

    yield write
    write()


def test_the_engine_for_all_users(administered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv(VARIABLE, raising=False)
    administered(shared_engine=sys.executable)
    found = engine_interpreter()
    assert (found.path, found.origin) == (sys.executable, "the administrator's settings")
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(other))
    assert engine_interpreter().path == str(other)


def test_the_file_counts_in_qgis_process_too(qgis_app: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "global.ini"
    path.write_text("[dubai_landcover]\nset_up_allowed=false\nshared_model_folder=/srv/models\n", encoding="utf-8")
    assert administration.set_up_is_allowed()
    monkeypatch.setenv("QGIS_GLOBAL_SETTINGS_FILE", str(path))  # which QGIS did not read when it started
    assert not administration.set_up_is_allowed()
    assert administration.administered("dubai_landcover/shared_model_folder") == "/srv/models"


def test_sources(administered):
    assert administration.sources() == Sources()
    assert administration.wheels_folder() is None
    administered(index_url="https://mirror.test/simple", python_mirror="https://m.test/p", wheels_folder="/srv/wheels")
    assert administration.sources() == Sources("https://mirror.test/simple", "https://m.test/p")
    assert administration.wheels_folder() == Path("/srv/wheels")


def test_a_set_up_takes_the_sources(administered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    administered(index_url="https://mirror.test/simple", wheels_folder="/srv/wheels")
    taken = []
    monkeypatch.setattr(engine_dialog, "data_folder", lambda: str(tmp_path))
    monkeypatch.setattr(
        engine_dialog, "install_engine", lambda base, requirements, monitor, wanted: taken.append(wanted)
    )
    monkeypatch.setenv(VARIABLE, "/nowhere/python")
    dialog, bar = EngineDialog(), QgsMessageBar()
    monkeypatch.setattr(dialog, "_start", lambda title, work: work(None))
    assert offer_set_up(bar, dialog.set_up)
    (button,) = [one for one in bar.currentItem().findChildren(QPushButton) if one.text().startswith("Set up now")]
    button.click()
    assert bar.currentItem() is None  # the offer, which is taken
    assert [(one.wheels, one.sources.index) for one in taken] == [(Path("/srv/wheels"), "https://mirror.test/simple")]


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_users_set_up_engines_only_where_they_may(administered, monkeypatch: pytest.MonkeyPatch, allowed: str):
    monkeypatch.setenv(VARIABLE, "/nowhere/python")
    administered(set_up_allowed=allowed)
    dialog, bar = EngineDialog(), QgsMessageBar()
    assert dialog._set_up.isEnabled() == dialog._folder.isEnabled() == (allowed == "true")
    assert ("administrator" in dialog._step.text()) == (allowed == "false")
    assert offer_set_up(bar, lambda: None)
    buttons = [one for one in bar.currentItem().findChildren(QPushButton) if one.text().startswith("Set up now")]
    assert bool(buttons) == (allowed == "true")
    withdraw_offers()
    assert bar.currentItem() is None
