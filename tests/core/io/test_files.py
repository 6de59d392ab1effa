import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io import files
from dubai_landcover_plugin.core.io.files import (
    atomic_path,
    partial_folder,
    place_files,
    temporary_folder,
    write_bytes,
    write_text,
)
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.protocol import placement
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import remove_own_partials, remove_partial, sweep_partials
from tests.factories import ONE_METRE
from tests.partials import abandon, leave_partial


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
        (writer._folder / "o.cog.tif").touch()
        (writer._folder / "o.cog.tif.ovr.tmp").touch()  # as GDAL does
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


class TestTemporariesOfEveryWriter:
    @pytest.fixture
    def left(self, tmp_path, monkeypatch):
        """Return a function that lets a writer end as if it were killed."""

        def leave(writer, name):
            with monkeypatch.context() as patched:
                for module in ("files", "raster_writer", "vector_writer"):
                    patched.setattr(f"dubai_landcover_plugin.core.io.{module}.remove_partial", lambda folder: None)
                with pytest.raises(StoppedError):
                    writer(tmp_path / name)
            (folder,) = tmp_path.iterdir()
            return folder

        return leave

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_gone_after_an_error(self, writer, name, tmp_path):
        with pytest.raises(StoppedError):
            writer(tmp_path / name)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_swept_once_their_process_has_ended(self, writer, name, left, tmp_path):
        folder = left(writer, name)
        assert sweep_partials(tmp_path) == []
        abandon(folder)
        assert sweep_partials(tmp_path) == [folder]
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(("writer", "name"), WRITERS)
    def test_are_removed_by_a_process_that_leaves_at_once(self, writer, name, left, tmp_path):
        left(writer, name)
        (tmp_path / "other.tif").touch()
        remove_own_partials()
        assert os.listdir(tmp_path) == ["other.tif"]


def test_a_new_file_sweeps_up_what_is_left_of_others(tmp_path):
    leave_partial(tmp_path / "other.tif.aux.xml")
    write_text(tmp_path / "o.json", "{}")
    assert os.listdir(tmp_path) == ["o.json"]


def test_a_large_folder_is_not_searched_for_every_file(tmp_path, monkeypatch):
    searched = []

    def search(folder):
        searched.append(folder)
        clock[0] += 0.5

    clock = [0.0]
    monkeypatch.setattr(files, "sweep_partials", search)
    monkeypatch.setattr(files.time, "monotonic", lambda: clock[0])
    for _ in range(100):
        files.sweep(tmp_path)
    assert len(searched) == 1
    clock[0] += 60
    files.sweep(tmp_path)
    assert len(searched) == 2


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


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("EIO", "Check the disk"),
        ("ENOSPC", "Free some space"),
        ("EDQUOT", "Free some space"),
        ("EACCES", "Close programs"),
    ],
)
def test_the_remedy_is_that_of_the_error(tmp_path, monkeypatch, number, remedy):
    def fail(descriptor):
        raise OSError(getattr(errno, number), "failed")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / "a.json", "text")
    assert remedy in caught.value.remedy


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

    folder = partial_folder(tmp_path / "a.txt")
    (folder / "a.txt").write_text("content")
    monkeypatch.setattr(placement.os, "fsync", refuse_folders)
    place_files(folder, tmp_path / "a.txt")
    remove_partial(folder)
    assert len(calls) == 2
    assert (tmp_path / "a.txt").read_text() == "content"


def test_names_too_long_for_a_temporary_file_are_refused(tmp_path):
    with pytest.raises(OutputError, match="more than 150 bytes"):
        partial_folder(tmp_path / ("a" * 200 + ".tif"))


class TestWithoutOverwriting:
    def test_a_file_that_appears_during_the_run_is_kept(self, tmp_path):
        def write():
            with atomic_path(tmp_path / "a.json", overwrite=False) as partial:
                partial.write_text("new")
                (tmp_path / "a.json").write_text("the user's")

        with pytest.raises(OutputError, match=r"a\.json exists"):
            write()
        assert (tmp_path / "a.json").read_text() == "the user's"
        assert os.listdir(tmp_path) == ["a.json"]

    @pytest.mark.parametrize(
        ("output", "appearing"),
        [("o.shp", "o.shp"), ("o.shp", "o.dbf"), ("o.shp", "o.qix"), ("o.gpkg", "o.gpkg"), ("o.fgb", "o.fgb")],
    )
    def test_a_vector_file_that_appears_during_the_run_is_kept(self, tmp_path, output, appearing):
        with VectorWriter(tmp_path / output, "Polygon", None, {"number": np.int32}, overwrite=False) as writer:
            writer.write(np.array([shapely.box(0, 0, 1, 1)], object), {"number": np.array([1])})
            (tmp_path / appearing).write_text("the user's")
            with pytest.raises(OutputError, match=rf"{re.escape(appearing)} exists"):
                writer.finish()
        assert (tmp_path / appearing).read_text() == "the user's"
        assert os.listdir(tmp_path) == [appearing]

    def test_a_raster_that_appears_during_the_run_is_kept(self, tmp_path):
        grid = Grid(8, 8, ONE_METRE, None)
        with LandCoverWriter(tmp_path / "o.tif", grid, RasterStyle(0, "Land cover"), overwrite=False) as writer:
            writer.write_rows(np.ones((8, 8), np.uint8))
            writer.finish({})
            (tmp_path / "o.tif").write_text("the user's")
            with pytest.raises(OutputError, match=r"o\.tif exists"):
                writer.place()
        assert (tmp_path / "o.tif").read_text() == "the user's"
        assert os.listdir(tmp_path) == ["o.tif"]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
class TestLinks:
    @pytest.fixture
    def link(self, tmp_path):
        """Return a function that makes a link to a file, which need not exist, in another folder."""
        (tmp_path / "data").mkdir()
        (tmp_path / "links").mkdir()

        def make(name, target):
            (tmp_path / "links" / name).symlink_to(tmp_path / "data" / target)
            return tmp_path / "links" / name

        return make

    @pytest.mark.parametrize("exists", [True, False])
    def test_the_file_that_a_link_leads_to_is_written(self, tmp_path, link, exists):
        path = link("o.json", "v3.json")
        if exists:
            (tmp_path / "data" / "v3.json").write_text("old")
        write_text(path, "new")
        assert path.is_symlink()
        assert (tmp_path / "data" / "v3.json").read_text() == "new"
        assert os.listdir(tmp_path / "data") == ["v3.json"]
        assert os.listdir(tmp_path / "links") == ["o.json"]

    def test_the_parts_of_a_shapefile_are_beside_the_file_that_a_link_leads_to(self, tmp_path, link):
        with VectorWriter(link("o.shp", "v3.shp"), "Polygon", None, {"number": np.int32}) as writer:
            writer.finish()
        assert sorted(os.listdir(tmp_path / "data")) == ["v3.cpg", "v3.dbf", "v3.shp", "v3.shx"]
        assert os.listdir(tmp_path / "links") == ["o.shp"]

    def test_side_files_of_both_names_of_a_raster_are_removed(self, tmp_path, link):
        path = link("o.tif", "v3.tif")
        (tmp_path / "data" / "v3.tif.ovr").touch()
        Path(f"{path}.ovr").touch()
        with LandCoverWriter(path, Grid(8, 8, ONE_METRE, None), RasterStyle(0, "Land cover")) as writer:
            writer.write_rows(np.ones((8, 8), np.uint8))
            writer.finish({})
            writer.place()
        assert os.listdir(tmp_path / "data") == ["v3.tif"]
        assert os.listdir(tmp_path / "links") == ["o.tif"]
        assert path.is_symlink()

    def test_links_that_lead_to_themselves_are_refused(self, tmp_path):
        (tmp_path / "a").symlink_to(tmp_path / "b")
        (tmp_path / "b").symlink_to(tmp_path / "a")
        with pytest.raises(OutputError, match="leads back to itself"):
            write_text(tmp_path / "a", "new")
