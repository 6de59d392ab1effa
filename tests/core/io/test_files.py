import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io import files
from dubai_landcover_plugin.core.io.files import (
    atomic_path,
    partial_path,
    remove_partials,
    replace_file,
    sweep_partials,
    temporary_folder,
    write_bytes,
    write_text,
)
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import partial_name, partial_owner
from dubai_landcover_plugin.runner.temporaries import remove_temporaries
from tests.factories import ONE_METRE


class StoppedError(Exception):
    """Ends a writer in the middle."""


def raster(path):
    with LandCoverWriter(path, Grid(600, 8, ONE_METRE, None), RasterStyle(0, "Land cover")) as writer:
        writer.write_rows(np.ones((512, 8), np.uint8))
        Path(f"{writer._partial}.aux.xml").touch()  # as GDAL does
        raise StoppedError


def cloud_optimised_raster(path):
    style = RasterStyle(0, "Land cover")
    with LandCoverWriter(path, Grid(600, 8, ONE_METRE, None), style, cog=True) as writer:
        writer.write_rows(np.ones((600, 8), np.uint8))
        partial_path(path, ".cog.tif").touch()
        Path(f"{partial_path(path, '.cog.tif')}.ovr.tmp").touch()  # as GDAL does
        raise StoppedError


def vector(path):
    with VectorWriter(path, "Polygon", None, {"number": np.int32}) as writer:
        writer.write(np.array([shapely.box(0, 0, 1, 1)], object), {"number": np.array([1])})
        raise StoppedError


def text(path):
    with atomic_path(path) as partial:
        partial.write_text("half")
        raise StoppedError


def intermediate_files(path):
    with temporary_folder(path) as folder:
        (folder / "building.gpkg").touch()
        raise StoppedError


WRITERS = [
    (raster, "o.tif"),
    (cloud_optimised_raster, "o.tif"),
    *((vector, f"o{suffix}") for suffix in (".shp", ".gpkg", ".fgb", ".geojson", ".parquet")),
    (text, "o.json"),
    (text, "no_suffix"),
    (text, "glob[1]*.json"),
    (intermediate_files, "o.gpkg"),
]


@pytest.fixture
def dead():
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class TestTemporariesOfEveryWriter:
    @pytest.fixture
    def left(self, tmp_path, monkeypatch):
        """Return a function that lets a writer end as if it were killed, as another process if one is given."""

        def leave(writer, name, process=None):
            with monkeypatch.context() as patched:
                if process is not None:
                    patched.setattr(os, "getpid", lambda: process)
                for module in ("files", "vector_writer"):
                    patched.setattr(f"dubai_landcover_plugin.core.io.{module}.remove_quietly", lambda path: None)
                with pytest.raises(StoppedError):
                    writer(tmp_path / name)
            assert os.listdir(tmp_path)

        return leave

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_gone_after_an_error(self, writer, name, tmp_path):
        with pytest.raises(StoppedError):
            writer(tmp_path / name)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_swept_once_their_process_has_ended(self, writer, name, left, tmp_path, dead):
        left(writer, name, dead)
        sweep_partials(tmp_path / "other.tif")
        assert os.listdir(tmp_path)
        sweep_partials(tmp_path / name)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_removed_by_a_process_that_leaves_at_once(self, writer, name, left, tmp_path):
        left(writer, name)
        (tmp_path / "other.tif").touch()
        remove_partials()
        assert os.listdir(tmp_path) == ["other.tif"]

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_removed_by_the_plugin_that_killed_the_engine(self, writer, name, left, tmp_path, dead):
        left(writer, name, dead)
        remove_temporaries([tmp_path], dead + 1)
        assert os.listdir(tmp_path)
        remove_temporaries([tmp_path], dead)
        assert os.listdir(tmp_path) == []


def test_files_of_living_processes_and_other_computers_stay(tmp_path, monkeypatch, dead):
    living = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        own = partial_name("o.tif")
        names = {
            own,
            own.replace(f"-{os.getpid()}.", f"-{living.pid}."),
            f".o.tif.elsewhere-{dead}.partial.tif",
            own.replace(f"-{os.getpid()}.", f"-{dead}.").replace(".o.tif.", ".oo.tif."),
            "o.tif",
        }
        for name in names:
            (tmp_path / name).touch()
        sweep_partials(tmp_path / "o.tif")
        assert set(os.listdir(tmp_path)) == names
    finally:
        living.kill()
        living.wait()


def test_a_new_file_sweeps_up_what_is_left_of_earlier_ones(tmp_path, dead):
    left = partial_name("o.json").replace(f"-{os.getpid()}.", f"-{dead}.")
    (tmp_path / left).touch()
    write_text(tmp_path / "o.json", "{}")
    assert os.listdir(tmp_path) == ["o.json"]


@pytest.mark.parametrize(
    ("name", "target", "owner"),
    [
        (partial_name("a.tif"), None, os.getpid()),
        (partial_name("a.tif") + ".aux.xml", "a.tif", os.getpid()),
        (partial_name("a.tif", ".folder"), "a.tif", os.getpid()),
        (partial_name("a.tif"), "b.tif", None),
        (partial_name("a.tif"), ".tif", None),
        (partial_name("a.tif")[1:], None, None),
        ("a.tif", None, None),
        (".a.tif.unfinished", None, None),
    ],
)
def test_owners_of_names(name, target, owner):
    assert partial_owner(name, target) == owner


def test_text_is_written_whole(tmp_path):
    write_text(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    assert os.listdir(tmp_path) == ["a.json"]
    with pytest.raises(OutputError, match="could not be written"):
        write_text(tmp_path / "none" / "a.json", "{}")
    write_bytes(tmp_path / "new" / "folder" / "a.json", b"[]", make_folders=True)
    assert (tmp_path / "new" / "folder" / "a.json").read_bytes() == b"[]"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"folder .*file cannot be made"):
        write_bytes(tmp_path / "file" / "a.json", b"", make_folders=True)


def test_text_with_a_broken_file_name_is_escaped(tmp_path):
    write_text(tmp_path / "a.json", '"caf\udce9"')
    assert (tmp_path / "a.json").read_bytes() == b'"caf\\udce9"'


def test_an_earlier_file_survives_an_error(tmp_path, monkeypatch):
    write_text(tmp_path / "a.json", "before")

    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="could not be put into place: No space left"):
        write_text(tmp_path / "a.json", "after")
    assert (tmp_path / "a.json").read_text() == "before"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(os.name == "nt", reason="folders are not synced there")
def test_file_systems_that_cannot_sync_folders_will_do(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def refuse_folders(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(22, "Invalid argument")
        real(handle)

    (tmp_path / "partial").write_text("content")
    monkeypatch.setattr(files.os, "fsync", refuse_folders)
    replace_file(tmp_path / "partial", tmp_path / "a.txt")
    assert len(calls) == 2
    assert (tmp_path / "a.txt").read_text() == "content"


def test_names_too_long_for_a_temporary_file_are_refused(tmp_path):
    with pytest.raises(OutputError, match="more than 150 bytes"):
        partial_path(tmp_path / ("a" * 200 + ".tif"))
