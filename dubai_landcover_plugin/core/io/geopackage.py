"""Spatial index and style of a GeoPackage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def count_indexed(path: Path, layer: str) -> int | None:
    """Return the number of features in the spatial index of a layer; None without an index."""
    index = f"rtree_{layer}_geom"
    with closing(sqlite3.connect(path)) as package:
        if not package.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (index,)).fetchone():
            return None
        quoted = index.replace('"', '""')
        return int(package.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0])  # noqa: S608


def store_style(path: Path, layer: str, qml: str) -> None:
    """Add a style to a GeoPackage as the default one: in the table ``layer_styles``, which QGIS reads."""
    with closing(sqlite3.connect(path)) as package, package:
        package.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), "
            "f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), "
            "styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
            "update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        package.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
            "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '')",
            (layer, layer[:30], qml),
        )
        package.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES "
            "('layer_styles', 'attributes', 'layer_styles')"
        )
