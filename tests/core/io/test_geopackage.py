"""Completeness and style of GeoPackages."""

import sqlite3
from contextlib import closing

import pytest
import shapely

from dubai_landcover_plugin.core.io.geopackage import has_styles, kept_styles, missing_part, other_tables, store_style
from dubai_landcover_plugin.core.io.qml import with_mark
from tests.factories import write_layer


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        ("PRAGMA application_id = 0", "another header"),
        ("PRAGMA user_version = 0", "another header"),
        ('DROP TRIGGER "trigger_delete_feature_count_a ""b"""', "no triggers"),
        ("UPDATE gpkg_ogr_contents SET feature_count = 0", "another feature count"),
        ('DELETE FROM "rtree_a ""b""_geom" WHERE id = 1', "no complete spatial index"),
        ("SELECT 1", ""),
    ],
)
def test_parts_that_gdal_did_not_write_are_found(tmp_path, harm, problem):
    path = tmp_path / 'a "b".gpkg'
    write_layer(path, [shapely.Point(1, 2), shapely.Point(3, 4)], layer='a "b"')
    with closing(sqlite3.connect(path)) as package, package:
        package.execute(harm)
    found = missing_part(path, 'a "b"', 2)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)
    assert missing_part(path, "other", 2)


def test_the_style_is_the_default_of_its_layer(tmp_path):
    path = tmp_path / "a.gpkg"
    write_layer(path, [shapely.Point(1, 2)], layer="a")
    assert not has_styles(path)
    store_style(path, "a", "<qgis/>")
    assert has_styles(path)
    with closing(sqlite3.connect(path)) as package:
        rows = package.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles").fetchall()
    assert rows == [("a", with_mark("<qgis/>"), 1)]


@pytest.mark.parametrize(("default", "ours"), [(1, 0), (0, 1)])
def test_styles_that_a_user_saved_are_kept(tmp_path, default, ours):
    earlier, path = tmp_path / "earlier.gpkg", tmp_path / "a.gpkg"
    for one in (earlier, path):
        write_layer(one, [shapely.Point(1, 2)], layer="a")
    store_style(earlier, "a", "<qgis/>")
    with closing(sqlite3.connect(earlier)) as package, package:
        package.execute(
            "INSERT INTO layer_styles (f_table_name, styleName, styleQML, useAsDefault, update_time) "
            "VALUES ('a', 'mine', '<qgis version=\"3.34.1-Prizren\"/>', ?, '2026-01-02')",
            (default,),
        )
    kept = kept_styles(earlier, "a")
    store_style(path, "a", "<qgis/>", kept)
    with closing(sqlite3.connect(path)) as package:
        rows = package.execute("SELECT styleName, useAsDefault, update_time FROM layer_styles").fetchall()
    assert rows[0] == ("mine", default, "2026-01-02")
    assert rows[1][:2] == ("a", ours)
    assert kept_styles(path, "a") == kept
    assert kept_styles(path, "b") == kept_styles(tmp_path / "none.gpkg", "a") == []


def test_other_content_of_a_geopackage_is_found(tmp_path):
    path = tmp_path / "a.gpkg"
    write_layer(path, [shapely.Point(1, 2)], layer="a")
    store_style(path, "a", "<qgis/>")
    assert other_tables(path, "a") == []
    assert other_tables(path, "b") == ["a"]
    with closing(sqlite3.connect(path)) as package, package:
        package.execute("CREATE TABLE qgis_projects (name TEXT)")
        package.execute("CREATE VIEW large AS SELECT * FROM a")
        package.execute("PRAGMA journal_mode = WAL")
    assert sorted(other_tables(path, "a")) == ["large", "qgis_projects"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]
    path.write_text("not a data base")
    assert other_tables(path, "a") == []
