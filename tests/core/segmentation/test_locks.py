"""Two runs do not write the same output at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from dubai_landcover_plugin.core.runtimes.cache import cache_folder
from dubai_landcover_plugin.core.segmentation.locks import LockedError, locked
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from tests.factories import random_pixels, stub_bundle, write_raster

HOLD = """import sys
from dubai_landcover_plugin.core.segmentation.locks import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of a.tif until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "a.tif")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_the_lock_of_another_process_is_respected_until_it_ends(holder, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(LockedError), locked(tmp_path / "link" / "a.tif"):
        pass
    with locked(tmp_path / "b.tif"):
        pass
    source = write_raster(tmp_path / "in.tif", random_pixels(20, 20))
    with pytest.raises(OutputError, match="is being written by another run"):
        run_segmentation(SegmentationRequest(str(source), str(tmp_path / "a.tif")), bundle=stub_bundle())
    assert not (tmp_path / "a.tif").exists()

    with locked(tmp_path / "a.tif", wait=holder.kill):  # a killed process holds nothing
        assert holder.wait() != 0
    assert list((cache_folder() / "locks").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tif", "link"]


def test_waiting_can_be_cancelled(holder, tmp_path):
    def cancel():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "a.tif", wait=cancel):
        pass


def no_cache(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("DUBAI_LANDCOVER_CACHE", str(tmp_path / "cache"))


def no_home(tmp_path, monkeypatch):
    for name in ("DUBAI_LANDCOVER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


@pytest.mark.parametrize("without", [no_cache, no_home])
def test_without_a_cache_folder_locks_are_among_the_temporary_files(tmp_path, monkeypatch, without):
    without(tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with locked(tmp_path / "a.tif"), locked(tmp_path / "b.tif"):
        (folder,) = tmp_path.glob("dubai-landcover-locks-*")
        assert len(list(folder.iterdir())) == 2
        with pytest.raises(LockedError), locked(tmp_path / "a.tif"):
            pass
    assert list(folder.iterdir()) == []


def test_without_any_folder_runs_are_not_locked(tmp_path, monkeypatch):
    no_cache(tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with locked(tmp_path / "a.tif"), locked(tmp_path / "a.tif"):
        pass


def test_errors_of_the_run_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match="of the run"), locked(tmp_path / "a.tif"):
        raise FileNotFoundError("of the run")
