"""The Python in a folder of wheels: checked, unpacked once, never outside of its folder."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.folder_python import SUMS, folder_python, wheels_version
from tests.runner.test_run import RecordingMonitor

NAME = "cpython-3.12.9+20250101-x86_64-unknown-linux-gnu-install_only_stripped"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake Python is a script")


def write_archive(folder: Path, *further: tarfile.TarInfo) -> Path:
    """Write an archive with a program python/bin/python3.12, a link to it, and a manifest."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{NAME}.tar.gz"
    program = b"#!/bin/sh\necho hello\n"
    with tarfile.open(path, "w:gz") as archive:
        file = tarfile.TarInfo("python/bin/python3.12")
        file.mode, file.size = 0o755, len(program)
        archive.addfile(file, io.BytesIO(program))
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, "python3.12"
        archive.addfile(link)
        for member in further:
            archive.addfile(member)
    (folder / SUMS).write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.name}\n")
    return path


def test_a_python_is_unpacked_once(tmp_path: Path):
    write_archive(tmp_path / "wheels")
    monitor = RecordingMonitor()
    python = folder_python(tmp_path / "wheels", tmp_path / "python", monitor)
    assert Path(python) == tmp_path / "python" / NAME / "bin" / "python3"
    assert subprocess.run([python], capture_output=True, text=True, check=True).stdout == "hello\n"
    assert [path.name for path in (tmp_path / "python").iterdir()] == [NAME]
    assert folder_python(tmp_path / "wheels", tmp_path / "python", monitor) == python
    assert len(monitor.lines) == 1


def test_a_folder_without_one_gives_none(tmp_path: Path):
    assert folder_python(tmp_path, tmp_path / "python", RecordingMonitor()) == ""
    assert wheels_version(tmp_path) is None


@pytest.mark.parametrize("damage", ["archive", "manifest", "no manifest"])
def test_another_archive_is_refused(tmp_path: Path, damage: str):
    archive = write_archive(tmp_path / "wheels")
    manifest = archive.parent / SUMS
    if damage == "archive":
        archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    elif damage == "manifest":
        manifest.write_text(f"{'0' * 64}  {archive.name}\n")
    else:
        manifest.unlink()
    with pytest.raises(EngineSetupError, match="is not the one that SHA256SUMS lists"):
        folder_python(archive.parent, tmp_path / "python", RecordingMonitor())
    assert not (tmp_path / "python").exists()


@pytest.mark.parametrize(
    ("name", "link"), [("../outside", ""), ("/tmp/outside-of-the-folder", ""), ("python/out", "../../../outside")]
)
def test_nothing_is_written_outside(tmp_path: Path, name: str, link: str):
    bad = tarfile.TarInfo(name)
    if link:
        bad.type, bad.linkname = tarfile.SYMTYPE, link
    archive = write_archive(tmp_path / "wheels", bad)
    assert os.path.isfile(folder_python(archive.parent, tmp_path / "python", RecordingMonitor()))
    assert not (tmp_path / "outside").exists()
    assert not Path("/tmp/outside-of-the-folder").exists()
    assert not list((tmp_path / "python").rglob("out"))


def test_an_archive_of_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dubai_landcover_plugin.runner.folder_python._PROGRAM", "bin/perl")
    write_archive(tmp_path / "wheels")
    with pytest.raises(EngineSetupError, match="has no python/bin/perl"):
        folder_python(tmp_path / "wheels", tmp_path / "python", RecordingMonitor())


def test_cancel_leaves_nothing(tmp_path: Path):
    write_archive(tmp_path / "wheels")
    monitor = RecordingMonitor()
    monitor.cancelled = lambda: True
    with pytest.raises(RunCancelled):
        folder_python(tmp_path / "wheels", tmp_path / "python", monitor)
    assert not (tmp_path / "python").exists()


@pytest.mark.parametrize(
    ("name", "version"),
    [("numpy-2.4.6-cp312-cp312-win_amd64.whl", (3, 12)), ("numpy-2.2.6-cp310-cp310-manylinux_2_17.whl", (3, 10))],
)
def test_the_version_of_wheels_is_read_from_their_names(tmp_path: Path, name: str, version: tuple[int, int]):
    (tmp_path / name).touch()
    assert wheels_version(tmp_path) == version
