"""Completeness and style of GeoPackages."""

import sqlite3
from contextlib import closing

import pytest
import shapely

from dubai_landcover_plugin.core.io.geopackage import missing_part, store_style
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
    store_style(path, "a", "<qgis/>")
    with closing(sqlite3.connect(path)) as package:
        rows = package.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles").fetchall()
    assert rows == [("a", "<qgis/>", 1)]
