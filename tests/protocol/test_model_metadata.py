"""Models on disk: which are found, and metadata that cannot be right. STAC items are tested with the bundle."""

from dataclasses import replace
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol import model_metadata
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import (
    BUNDLE_SUFFIX,
    BundleMetadata,
    find_model,
    installed_models,
    user_model_folder,
)
from tests.factories import METADATA


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of models: ``shipped`` comes first."""
    found = [tmp_path / "shipped", tmp_path / "user"]
    for folder in found:
        folder.mkdir()
    monkeypatch.setattr(model_metadata, "model_folders", lambda: found)
    return found


def test_shipped_models_come_first_and_other_files_do_not_count(folders):
    shipped, user = folders
    for path in (shipped / "a", user / "a", user / "b"):
        path.with_suffix(BUNDLE_SUFFIX).touch()
    (user / "notes.txt").touch()
    assert installed_models() == {"a": shipped / f"a{BUNDLE_SUFFIX}", "b": user / f"b{BUNDLE_SUFFIX}"}


def test_a_model_is_a_name_or_a_path(folders, tmp_path, monkeypatch):
    installed = folders[0] / f"town{BUNDLE_SUFFIX}"
    installed.touch()
    other = tmp_path / "own.onnx"
    other.touch()
    assert find_model("town") == installed
    assert find_model(str(other)) == other
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_model("~/own.onnx") == other
    with pytest.raises(BundleError, match="no model 'village'") as caught:
        find_model("village")
    assert "installed models: town" in caught.value.remedy


def test_a_folder_is_not_a_model(folders, tmp_path):
    with pytest.raises(BundleError, match=r"installed models: none|no model"):
        find_model(str(tmp_path))


def test_the_users_folder_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert user_model_folder() == tmp_path / ".dubai_landcover" / "models"
    assert user_model_folder() not in model_metadata.model_folders()
    user_model_folder().mkdir(parents=True)
    assert model_metadata.model_folders()[-1] == user_model_folder()


@pytest.mark.parametrize(
    "change",
    [{"mean": (0.5, 0.5)}, {"std": (0.5,)}, {"bands": ("red",)}, {"gsd": 0.0}, {"temperature": 0.0}, {"window": 0}],
    ids=lambda change: next(iter(change)),
)
def test_inconsistent_metadata_are_refused(change):
    assert isinstance(replace(METADATA), BundleMetadata)
    with pytest.raises(BundleError, match="stub"):
        replace(METADATA, **change)
