"""New GeoPackages; full disks are in ``test_samples.py``."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from dubai_landcover_plugin.gui.panel.geopackage import cause_of, new_geopackage
from dubai_landcover_plugin.protocol.errors import OutputError

pytestmark = pytest.mark.qgis


def _write(path, rows=3000, size=None):
    with closing(sqlite3.connect(path)) as package:
        package.execute("create table t (a text)")
        package.executemany("insert into t values (?)", [("x" * 50,)] * rows)
        package.commit()
    if size is not None:
        path.write_bytes(path.read_bytes()[:size])


def test_a_complete_file_is_moved_into_place(qgis_app, tmp_path):
    with new_geopackage(tmp_path / "a.gpkg") as made:
        _write(made)
        assert not (tmp_path / "a.gpkg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]


def test_a_damaged_or_missing_file_is_refused(qgis_app, tmp_path):
    with pytest.raises(OutputError, match=r"a\.gpkg cannot be written"), new_geopackage(tmp_path / "a.gpkg") as made:
        _write(made, size=40_000)
    with pytest.raises(OutputError, match="cannot be written"), new_geopackage(tmp_path / "a.gpkg"):
        pass
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_not_replaced(qgis_app, tmp_path):
    _write(tmp_path / "a.gpkg", 1)
    with pytest.raises(OutputError, match="exists"), new_geopackage(tmp_path / "a.gpkg") as made:
        _write(made)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("sqlite3_exec(CREATE TABLE …) failed: database or disk is full",), "the disk is full"),
        (("cannot rollback", "x: disk is full"), "the disk is full"),
        (("", "disk I/O error"), "the disk reports an error"),
        (("", "no such table"), "no such table"),
        (("a" * 1000 + "the end",), "a" * 150 + " … " + "a" * 143 + "the end"),
    ],
)
def test_causes_are_short(texts, found):
    assert cause_of(*texts) == found
