"""Completeness and style of a GeoPackage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_HEADER = ("application_id", "user_version")
_APPLICATION, _OLDEST = 0x47504B47, 10_200  # "GPKG", version 1.2; OGC GeoPackage Encoding Standard, requirement 2


def missing_part(path: Path, layer: str, count: int, indexed: int | None = None) -> str:
    """Return which part of a GeoPackage is missing or wrong; empty if it is complete.

    GDAL writes these parts when it creates and closes a file, and ignores errors of the disk.

    Args:
        path: The file.
        layer: Name of the layer.
        count: Number of features of the layer.
        indexed: Number of features that are not empty; None: all.
    """
    index = f"rtree_{layer}_geom"
    quoted = index.replace('"', '""')
    expected = count if indexed is None else indexed
    triggers = {f"trigger_{action}_feature_count_{layer}" for action in ("insert", "delete")}
    with closing(sqlite3.connect(path)) as package:
        application, version = (package.execute(f"PRAGMA {name}").fetchone()[0] for name in _HEADER)
        if (application, version >= _OLDEST) != (_APPLICATION, True):
            return "another header than a GeoPackage"
        names = {name for (name,) in package.execute("SELECT name FROM sqlite_master")}
        in_index = f'SELECT count(*) FROM "{quoted}"'  # noqa: S608
        if index not in names or package.execute(in_index).fetchone() != (expected,):
            return "no complete spatial index"
        if not triggers <= names:
            return "no triggers of the feature count"
        stored = "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ?"
        return "" if package.execute(stored, (layer,)).fetchone() == (count,) else "another feature count in its table"


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
