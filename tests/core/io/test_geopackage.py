"""Spatial index and style of GeoPackages."""

import sqlite3
from contextlib import closing

import shapely

from dubai_landcover_plugin.core.io.geopackage import count_indexed, store_style
from tests.factories import write_layer


def test_features_in_the_index_are_counted(tmp_path):
    path = tmp_path / 'a "b".gpkg'
    write_layer(path, [shapely.Point(1, 2), shapely.Point(3, 4)], layer='a "b"')
    assert count_indexed(path, 'a "b"') == 2
    assert count_indexed(path, "other") is None


def test_the_style_is_the_default_of_its_layer(tmp_path):
    path = tmp_path / "a.gpkg"
    write_layer(path, [shapely.Point(1, 2)], layer="a")
    store_style(path, "a", "<qgis/>")
    with closing(sqlite3.connect(path)) as package:
        rows = package.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles").fetchall()
    assert rows == [("a", "<qgis/>", 1)]
