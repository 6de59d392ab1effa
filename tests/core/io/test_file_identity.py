"""Files with other content have another identity, whatever their size and time; rewritten ones keep theirs."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from dubai_landcover_plugin.core.io import file_identity
from dubai_landcover_plugin.core.io.file_identity import (
    FileIdentity,
    combined_digest,
    holds_only_statistics,
    identify_file,
    identify_files,
)

STATISTICS = '<PAMRasterBand band="1"><Histograms><HistItem/></Histograms><Metadata><MDI key="STATISTICS_MEAN">3</MDI>'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 40)
    return path


def overwrite(path, position, in_place):
    """Change one byte, by writing into the file or by replacing it; size and modification time stay."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 1
    target = path if in_place else path.with_suffix(".new")
    target.write_bytes(content)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(target, path)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("position", [0, 5000, -1])
def test_one_byte_of_the_same_size_and_time_is_another_file(path, position, in_place):
    before = identify_file(path)
    assert before.is_unchanged()
    assert before.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    overwrite(path, position, in_place)
    assert path.stat().st_mtime_ns == before.modified
    assert not before.is_unchanged()


def test_a_copy_and_a_touched_file_are_the_same(path):
    before = identify_file(path)
    os.utime(path, (1e9, 1e9))
    assert before.is_unchanged()
    content = path.read_bytes()
    path.unlink()
    assert not before.is_unchanged()
    path.write_bytes(content)
    assert before.is_unchanged()


def test_an_untouched_file_is_not_read(path, monkeypatch):
    before = identify_file(path)
    monkeypatch.setattr(file_identity, "identify_file", None)
    assert before.is_unchanged()


@pytest.mark.parametrize("blocks", [1, 64])
@pytest.mark.parametrize("position", [0, -1])
def test_of_large_files_head_tail_blocks_and_time_count(tmp_path, position, blocks):
    path = tmp_path / "large.bin"
    with path.open("wb") as stream:
        stream.truncate(1 << 26)  # sparse
    before = identify_file(path, blocks)
    assert before.blocks == blocks
    assert FileIdentity.from_json(before.to_json()) == before
    copy = replace(before, status=())
    assert copy.is_unchanged()
    with path.open("r+b") as stream:
        stream.seek(position if position >= 0 else (1 << 26) - 1)
        stream.write(b"x")
    os.utime(path, ns=(0, before.modified))
    assert not before.is_unchanged()
    with path.open("r+b") as stream:
        stream.seek(position if position >= 0 else (1 << 26) - 1)
        stream.write(b"\0")
    assert not before.is_unchanged()  # it has another time, and not all of it was read
    os.utime(path, ns=(0, before.modified))
    assert before.is_unchanged()


def test_many_files_are_sampled_together(tmp_path, monkeypatch):
    monkeypatch.setattr(file_identity, "WHOLE", 1000)
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(3 << 20))
    (tmp_path / "small").write_bytes(bytes(100))
    found = identify_files(str(tmp_path / name) for name in ("b", "a", "c", "small", "a"))
    assert [(os.path.basename(file.path), file.blocks) for file in found] == [
        ("a", 16), ("b", 16), ("c", 16), ("small", 0),
    ]  # fmt: skip
    assert combined_digest(found) != combined_digest(found[1:])
    assert combined_digest(found[:1]) == found[0].sha256


def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a file"):
        identify_file(tmp_path / "pipe")


def test_a_geopackage_that_was_opened_and_closed_is_the_same(tmp_path):
    path = tmp_path / "a.gpkg"
    with closing(sqlite3.connect(path)) as package, package:
        package.execute("CREATE TABLE polygons (area REAL)")
    before, content = identify_file(path), path.read_bytes()
    with closing(sqlite3.connect(path)) as package:  # as QGIS opens layers
        package.execute("PRAGMA journal_mode = wal")
        package.execute("PRAGMA journal_mode = delete")
    assert path.read_bytes() != content
    assert before.is_unchanged()
    with closing(sqlite3.connect(path)) as package, package:
        package.execute("INSERT INTO polygons VALUES (3)")
    assert not before.is_unchanged()


def test_statistics_beside_a_raster_do_not_count(tmp_path):
    path = tmp_path / "a.tif.aux.xml"
    path.write_text(f"<PAMDataset>\n  {STATISTICS}</Metadata>\n  </PAMRasterBand>\n</PAMDataset>\n")
    assert holds_only_statistics(str(path))
    assert identify_files([str(path)]) == []
    path.write_text("<PAMDataset><SRS>a</SRS></PAMDataset>")
    before = identify_file(path)
    path.write_text(f"<PAMDataset>\n <SRS>a</SRS>\n {STATISTICS}</Metadata></PAMRasterBand></PAMDataset>")
    assert before.is_unchanged()
    path.write_text(f"<PAMDataset><SRS>b</SRS>{STATISTICS}</Metadata></PAMRasterBand></PAMDataset>")
    assert not before.is_unchanged()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<PAMDataset><Metadata><MDI key='nodata'>0</MDI></Metadata></PAMDataset>",
        '<!DOCTYPE a [<!ENTITY b "c">]><PAMDataset>&b;</PAMDataset>',
        "<PAMDataset>" * 100_000,
        "<PAMDataset>" * 20_000 + "</PAMDataset>" * 20_000,
        '<PAMDataset><!DOCTYPE a [<!ENTITY b "c">]>&b;</PAMDataset>',
    ],
)
def test_other_files_of_that_name_count(tmp_path, text):
    path = tmp_path / "a.aux.xml"
    path.write_text(text)
    assert not holds_only_statistics(str(path)) or not text
    assert identify_file(path).is_unchanged()


@pytest.mark.parametrize(
    "damage", [{"size": "3"}, {"path": 3}, {"status": None}, {"status": ["a"]}, {"color": 1}, {"sha256": None}]
)
def test_damaged_descriptions_are_refused(path, damage):
    with pytest.raises(TypeError):
        FileIdentity.from_json({**identify_file(path).to_json(), **damage})
