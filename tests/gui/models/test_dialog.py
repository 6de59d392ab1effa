"""The dialog Models in a running QGIS: what it lists, and adding, removing, renaming and comparing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QDialogButtonBox, QInputDialog, QMessageBox

from dubai_landcover_plugin.gui.models import dialog as module
from dubai_landcover_plugin.gui.models.address_dialog import AddressDialog
from dubai_landcover_plugin.gui.models.comparison import ViewComparison, agreement
from dubai_landcover_plugin.gui.models.dialog import ModelsDialog
from dubai_landcover_plugin.gui.models.download import Download, file_name, is_address
from dubai_landcover_plugin.gui.models.facts import facts_html
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import BundleError, OutputError, RequestError
from dubai_landcover_plugin.runner import model_library, settings
from dubai_landcover_plugin.runner.model_library import (
    add_model,
    list_models,
    remove_model,
    rename_model,
    set_default,
    sha256,
)
from dubai_landcover_plugin.runner.settings import available_models, default_model, free_model_path
from tests.processing.qgis_fixtures import write_class_map

pytestmark = pytest.mark.qgis


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of a profile that does not exist yet."""
    folder = tmp_path / "profile" / "models"
    for user in (settings, model_library):
        monkeypatch.setattr(user, "profile_model_folder", lambda: folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model file with its card."""
    path = tmp_path / "downloads" / "village.safetensors"
    path.parent.mkdir()
    shutil.copy(available_models()["dubai"], path)
    path.with_suffix(".md").write_text("# Model card: village\n", encoding="utf-8")
    return path


@pytest.fixture
def dialog(qgis_app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelsDialog]:
    said: list[str] = []
    monkeypatch.setattr(module.QMessageBox, "warning", lambda parent, title, text: said.append(text))
    made = ModelsDialog()
    made.said = said
    yield made
    made.close()
    made.deleteLater()


def named(name: str) -> Any:
    return next(model for model in list_models() if model.name == name)


def wait(done: Callable[[], bool], seconds: float = 60) -> None:
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if done() else None)
    timer.start(50)
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()
    timer.stop()


def test_a_model_is_added_renamed_and_removed_with_its_card(file: Path, profile: Path):
    added = add_model(file, expected=sha256(file).upper())
    assert added == profile / "village.safetensors"
    model = named("village")
    assert (model.origin, model.card) == ("own", "# Model card: village\n")
    set_default("village")
    assert default_model() == "village"
    assert free_model_path("village").name == "village-2.safetensors"
    renamed = rename_model(model, "hamlet")
    assert {path.name for path in profile.iterdir()} == {"hamlet.safetensors", "hamlet.md"}
    assert default_model() == "hamlet"
    remove_model(named(renamed.stem))
    assert list(profile.iterdir()) == []
    assert default_model() == "world"


def test_what_is_no_model_or_not_the_users_is_left_alone(file: Path, tmp_path: Path, profile: Path):
    with pytest.raises(BundleError, match="has the SHA-256"):
        add_model(file, expected="0" * 64)
    with pytest.raises(BundleError, match="is not a SHA-256"):
        add_model(file, expected="abc")
    with pytest.raises(OutputError, match="There is a model World already"):
        add_model(file, "World")
    with pytest.raises(OutputError, match="cannot be the name"):
        add_model(file, "../x")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no model")
    with pytest.raises(BundleError, match="is not a safetensors file"):
        add_model(broken)
    for action in (remove_model, lambda model: rename_model(model, "mine")):
        with pytest.raises(OutputError, match="where nothing is changed"):
            action(named("dubai"))
    assert not profile.exists()


def test_models_of_an_administrator_are_read_only(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DUBAI_LANDCOVER_MODELS", str(file.parent))
    model = named("village")
    assert (model.origin, model.is_own) == ("shared", False)
    assert "read-only" in facts_html(model)


def test_the_dialog_shows_cards_figures_and_what_can_be_done(dialog: ModelsDialog, file: Path):
    assert [model.name for model in dialog.selected()] == ["world"]
    shown = dialog.facts.toPlainText()
    assert "comes with the plugin" in shown
    assert "Building" in shown
    assert "GPL-2.0-or-later" in shown
    assert "Model card: world" in dialog.card.toPlainText()
    enabled = {name: getattr(dialog, name).isEnabled() for name in ("rename", "remove", "default", "compare")}
    assert enabled == {"rename": False, "remove": False, "default": False, "compare": False}
    add_model(file)
    dialog.refresh("village")
    assert dialog.rename.isEnabled()
    dialog.default.click()
    assert default_model() == "village"
    assert "village (default)" in [dialog.list.item(row).text() for row in range(dialog.list.count())]


def test_rename_and_remove_ask_and_errors_are_shown(
    dialog: ModelsDialog, file: Path, monkeypatch: pytest.MonkeyPatch, profile: Path
):
    add_model(file)
    dialog.refresh("village")
    monkeypatch.setattr(QInputDialog, "getText", lambda *arguments, **options: ("dubai", True))
    dialog.rename.click()
    assert "There is a model dubai already" in dialog.said[0]
    monkeypatch.setattr(QInputDialog, "getText", lambda *arguments, **options: ("hamlet", True))
    dialog.rename.click()
    assert [model.name for model in dialog.selected()] == ["hamlet"]
    monkeypatch.setattr(QMessageBox, "question", lambda *arguments: QMessageBox.StandardButton.No)
    dialog.remove.click()
    assert (profile / "hamlet.safetensors").is_file()
    monkeypatch.setattr(QMessageBox, "question", lambda *arguments: QMessageBox.StandardButton.Yes)
    dialog.remove.click()
    assert not (profile / "hamlet.safetensors").exists()


def test_an_address_needs_a_checksum(qgis_app: Any):
    asked = AddressDialog()
    button = asked.buttons.button(QDialogButtonBox.StandardButton.Ok)
    asked.address.setText("https://example.org/models/town.safetensors?x=1")
    assert not button.isEnabled()
    asked.checksum.setText("a" * 64)
    assert button.isEnabled()
    asked.address.setText("town.safetensors")
    assert not button.isEnabled()
    assert file_name("https://example.org/models/town.safetensors?x=1") == "town.safetensors"
    assert file_name("https://example.org/") == "model.safetensors"
    assert not is_address("ftp://example.org/a.safetensors")


def test_a_file_is_downloaded_or_the_problem_is_named(qgis_app: Any, file: Path, tmp_path: Path):
    found: list[Any] = []

    def done(path: Path | None, problem: str) -> None:
        found.append((sha256(path) if path else None, problem))

    for source in (file, tmp_path / "none.safetensors"):
        download = Download(source.as_uri(), lambda received, total: None, done)
        count = len(found)
        wait(lambda count=count: len(found) > count, 10)
        del download
    assert found[0] == (sha256(file), "")
    assert found[1][0] is None
    assert found[1][1]


def test_the_agreement_of_two_models_compares_names(tmp_path: Path):
    other = ClassScheme((LandCoverClass(9, "road", "#000000"), *DUBAI.classes[:2]), DUBAI.unlabeled)
    one = np.array([[3, 3, 1, 0], [2, 2, 1, 3]], np.uint8)
    second = np.array([[9, 1, 1, 9], [2, 2, 0, 9]], np.uint8)
    paths = [write_class_map(tmp_path / f"{n}.tif", ids) for n, ids in enumerate((one, second))]
    assert agreement(paths, [DUBAI, other]) == pytest.approx(5 / 6)


class FakeInterface:
    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def activeLayer(self) -> Any:  # noqa: N802
        return self._layer


def test_a_comparison_needs_a_raster(qgis_app: Any):
    said: list[str] = []
    comparison = ViewComparison(FakeInterface(None), (named("dubai"), named("world")), said.append)
    with pytest.raises(RequestError, match="No raster layer is selected"):
        comparison.start()
    assert not comparison.running
