"""Models on disk: which are found, and what is not a model file."""

import os
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol import model_folders
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import (
    find_model,
    installed_models,
    readable_models,
    user_model_folder,
)
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from tests.factories import write_tiny_model


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of models: ``shipped`` comes first."""
    found = [tmp_path / "shipped", tmp_path / "user"]
    for folder in found:
        folder.mkdir()
    monkeypatch.setattr(model_folders, "model_folders", lambda: found)
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
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_model_folder() == tmp_path / ".dubai_landcover" / "models"
    assert user_model_folder() not in model_folders.model_folders()
    user_model_folder().mkdir(parents=True)
    assert model_folders.model_folders()[-1] == user_model_folder()


def test_without_a_home_folder_the_users_folder_is_not_searched(monkeypatch, tmp_path):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry in /etc/passwd
    monkeypatch.chdir(tmp_path)
    Path("~/.dubai_landcover/models").mkdir(parents=True)
    assert user_model_folder() not in model_folders.model_folders()
    with pytest.raises(BundleError, match="no model"):
        find_model("~/own.onnx")


def test_a_damaged_model_is_named_and_passed_over(folders):
    shipped, user = folders
    write_tiny_model(shipped / "good.safetensors")
    (user / "empty.safetensors").touch()
    os.mkfifo(user / "pipe.safetensors")
    (user / "folder.safetensors").mkdir()
    (user / "gone.safetensors").symlink_to(user / "nothing")
    readable, problems = readable_models(installed_models())
    assert list(readable) == ["good"]
    assert [problem.split(".safetensors")[0].rsplit("/")[-1] for problem in problems] == [
        "empty", "folder", "gone", "pipe",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "~nobody-has-this-name/m.onnx", ""])
def test_names_that_cannot_be_paths_are_refused(folders, name):
    with pytest.raises(BundleError):
        read_metadata(find_model(name))
