"""All that set-ups have made is removed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dubai_landcover_plugin.runner.engine_removal import engine_parts, remove_engine, size_mb
from dubai_landcover_plugin.runner.errors import EngineMissingError, EngineSetupError
from dubai_landcover_plugin.runner.installer import lock_set_up
from dubai_landcover_plugin.runner.interpreter import (
    COMPLETE_MARK,
    engine_folder,
    environment_python,
    find_interpreter,
)
from tests.runner.test_run import RecordingMonitor


def make_engine(folder: Path) -> Path:
    """Write a finished environment of 2 MB."""
    python = environment_python(folder)
    python.parent.mkdir(parents=True)
    python.write_bytes(b"x" * 2_000_000)
    (folder / COMPLETE_MARK).write_text("{}")
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "data"
    make_engine(engine_folder(base))
    for name in ("engine-2", "cache", "python"):
        (engine_folder(base).parent / name).mkdir()
    return base


def test_engines_pythons_and_caches_are_removed(base: Path, tmp_path: Path):
    earlier = make_engine(engine_folder(tmp_path / "profile"))
    assert find_interpreter("", base, {}).origin == "the set-up"
    names = [path.name for path in engine_parts(base, tmp_path / "profile")]
    assert names == ["engine", "engine-2", "engine", "python", "cache"]
    remove_engine(base, tmp_path / "profile", RecordingMonitor())
    assert not engine_folder(base).parent.exists()
    assert not earlier.exists()
    assert engine_parts(base, tmp_path / "profile") == []
    with pytest.raises(EngineMissingError):
        find_interpreter("", base, {}, tmp_path / "profile")
    remove_engine(base, None, RecordingMonitor())  # nothing to do


def test_what_the_user_put_there_stays(base: Path):
    notes = engine_folder(base).parent / "notes.txt"
    notes.write_text("mine")
    remove_engine(base, None, RecordingMonitor())
    assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]


def test_nothing_is_removed_during_a_set_up(base: Path):
    with lock_set_up(engine_folder(base).parent), pytest.raises(EngineSetupError, match="being set up already"):
        remove_engine(base, None, RecordingMonitor())
    assert find_interpreter("", base, {}).origin == "the set-up"


def test_what_cannot_be_removed_is_named_and_not_used(base: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.rmtree", lambda *arguments, **options: None)
    with pytest.raises(EngineSetupError, match="Not all of the engine") as caught:
        remove_engine(base, None, RecordingMonitor())
    assert str(engine_folder(base)) in str(caught.value)
    with pytest.raises(EngineMissingError):
        find_interpreter("", base, {})


def test_files_with_two_names_count_once(base: Path):
    program = environment_python(engine_folder(base))
    os.link(program, engine_folder(base).parent / "cache" / "same")
    assert size_mb(engine_parts(base)) == 2
