"""Machine and commit of a run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from training.loop import provenance
from training.loop.provenance import current_commit, describe_machine


def git(root: Path, *arguments: str) -> str:
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", "-C", str(root), *names, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    (repository / "untracked").touch()
    assert current_commit(repository) == git(repository, "rev-parse", "--short=12", "HEAD")


def test_changes_are_marked(repository: Path) -> None:
    (repository / "file").write_text("two")
    assert current_commit(repository) == git(repository, "rev-parse", "--short=12", "HEAD") + "+"


def test_a_folder_inside_another_repository_has_no_commit(repository: Path) -> None:
    (repository / "installed").mkdir()
    assert current_commit(repository / "installed") == ""


def test_without_git_or_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_commit(tmp_path) == ""
    monkeypatch.setattr(provenance.shutil, "which", lambda name: None)
    assert current_commit() == ""


def test_the_machine_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = describe_machine()
    assert f"{os.cpu_count()} cores" in text
    assert text.endswith(f"torch {torch.__version__}")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    assert ", 2 × H100, torch" in describe_machine()
