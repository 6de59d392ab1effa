"""Temporary folders: unique, locked while their process runs, removed by others once it has ended."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol import partial_files
from dubai_landcover_plugin.protocol.partial_files import (
    ABANDONED_SECONDS,
    LOCK,
    is_partial,
    make_partial,
    remove_own_partials,
    remove_partial,
    sweep_partials,
)
from tests.partials import abandon, leave_partial

NAMES = st.text(st.characters(exclude_categories=("C",), exclude_characters="/\\"), min_size=1)
ROOT = Path(__file__).parents[2]

WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from dubai_landcover_plugin.protocol.partial_files import make_partial
folder = make_partial(Path(sys.argv[1]))
(folder / "o.tif").write_text("half")
print(folder, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start_writer(tmp_path):
    """Return a function that starts a process that writes ``o.tif`` and returns it with its temporary folder."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "o.tif"), str(ROOT)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@given(NAMES)
def test_names_are_unique_hidden_and_recognised(name):
    made = {partial_files._new_name(name) for _ in range(5)}
    assert len(made) == 5
    assert all(one.startswith(f".{name}.") and is_partial(one) for one in made)


@given(NAMES)
def test_other_names_are_not_those_of_temporary_folders(name):
    assert not is_partial(name)


def test_a_folder_is_removed_with_its_content(tmp_path):
    folder = make_partial(tmp_path / "o.tif")
    assert sorted(os.listdir(folder)) == [LOCK]
    (folder / "inner").mkdir()
    (folder / "inner" / "a.gpkg").touch()
    remove_partial(folder)
    remove_partial(folder)
    assert os.listdir(tmp_path) == []


def test_the_folder_of_a_running_process_stays_until_it_is_killed(tmp_path, start_writer):
    process, folder = start_writer()
    assert sweep_partials(tmp_path) == []
    process.kill()
    process.wait()
    assert sweep_partials(tmp_path) == [folder]
    assert os.listdir(tmp_path) == []


def test_two_processes_with_the_same_name_and_id_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in containers
    left = leave_partial(tmp_path / "p.gpkg")
    folder = make_partial(tmp_path / "p.gpkg")
    assert folder != left
    assert sweep_partials(tmp_path) == [left]
    remove_partial(folder)


@pytest.mark.parametrize(("boot", "machine"), [("same", "other"), ("other", "same")], ids=["container", "restart"])
def test_a_computer_knows_its_own_folders(tmp_path, monkeypatch, boot, machine):
    left = leave_partial(tmp_path / "o.tif")
    ours = partial_files._COMPUTER
    changed = tuple(one if kind == "same" else "ffffff" for one, kind in zip(ours, (boot, machine)))
    monkeypatch.setattr(partial_files, "_COMPUTER", changed)
    assert sweep_partials(tmp_path) == [left]


def age(folder, seconds):
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (time.time() - seconds,) * 2)


class TestFolderOfAnotherComputer:
    @pytest.fixture
    def left(self, tmp_path, monkeypatch):
        folder = leave_partial(tmp_path / "o.tif")
        monkeypatch.setattr(partial_files, "_COMPUTER", ("eeeeee", "ffffff"))
        return folder

    def test_stays_while_it_changes(self, left, tmp_path):
        age(left, ABANDONED_SECONDS + 60)
        (left / "o.tif").write_text("more")
        assert sweep_partials(tmp_path) == []
        assert left.is_dir()

    def test_goes_after_a_day(self, left, tmp_path):
        age(left, ABANDONED_SECONDS + 60)
        assert sweep_partials(tmp_path) == [left]

    def test_stays_while_it_is_locked(self, tmp_path, start_writer, monkeypatch):
        _, folder = start_writer()
        monkeypatch.setattr(partial_files, "_COMPUTER", ("eeeeee", "ffffff"))
        age(folder, ABANDONED_SECONDS + 60)
        assert sweep_partials(tmp_path) == []
        assert (folder / "o.tif").exists()

    def test_is_judged_by_age_if_it_has_no_lock(self, left, tmp_path):
        (left / LOCK).unlink()
        assert sweep_partials(tmp_path) == []
        age(left, ABANDONED_SECONDS + 60)
        assert sweep_partials(tmp_path) == [left]


def test_file_systems_without_locks_are_used_and_swept_by_age(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(partial_files, "fcntl" if os.name != "nt" else "msvcrt", FakeLocks(refuse))
    left = leave_partial(tmp_path / "o.tif")
    assert sweep_partials(tmp_path) == []
    age(left, ABANDONED_SECONDS + 60)
    assert sweep_partials(tmp_path) == [left]


class FakeLocks:
    """Stands in for :mod:`fcntl` and :mod:`msvcrt`."""

    LOCK_EX = LOCK_NB = LK_NBLCK = 0

    def __init__(self, lock):
        self.flock = self.locking = lock


def test_a_folder_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    real, calls = partial_files.lock_file, []

    def lock(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            (folder,) = tmp_path.iterdir()
            shutil.rmtree(folder)
        return real(descriptor)

    monkeypatch.setattr(partial_files, "lock_file", lock)
    folder = make_partial(tmp_path / "o.tif")
    assert len(calls) == 2
    assert (folder / LOCK).exists()
    remove_partial(folder)


def test_a_folder_without_a_lock_of_this_computer_is_swept(tmp_path):
    left = leave_partial(tmp_path / "o.tif")
    (left / LOCK).unlink()  # as if it had been killed before
    assert sweep_partials(tmp_path) == [left]


def test_links_and_files_with_such_names_stay(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / partial_files._new_name("a")).symlink_to(tmp_path / "kept")
    (tmp_path / partial_files._new_name("b")).touch()
    names = set(os.listdir(tmp_path))
    assert sweep_partials(tmp_path) == []
    assert set(os.listdir(tmp_path)) == names
    assert os.listdir(tmp_path / "kept") == ["file"]


def test_missing_folders_have_nothing_to_sweep(tmp_path):
    assert sweep_partials(tmp_path / "none") == []


def test_a_process_that_leaves_at_once_removes_its_own(tmp_path):
    folders = [make_partial(tmp_path / "a.tif"), make_partial(tmp_path / "b.tif")]
    left = leave_partial(tmp_path / "c.tif")
    (tmp_path / "a.tif").touch()
    remove_own_partials()
    assert not any(folder.exists() for folder in folders)
    assert sorted(os.listdir(tmp_path)) == sorted([left.name, "a.tif"])


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        make_partial(tmp_path / "none" / "o.tif")


def test_children_do_not_keep_the_lock(tmp_path):
    folder = make_partial(tmp_path / "o.tif")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        abandon(folder)
        assert sweep_partials(tmp_path) == [folder]
    finally:
        child.kill()
        child.wait()
