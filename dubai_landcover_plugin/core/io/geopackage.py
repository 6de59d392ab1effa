"""Layers, completeness and styles of a GeoPackage."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.qml import is_generated, with_mark
from dubai_landcover_plugin.protocol.translation import tr

_HEADER = ("application_id", "user_version")
_APPLICATION, _OLDEST = 0x47504B47, 10_200  # "GPKG", version 1.2; OGC GeoPackage Encoding Standard, requirement 2


_RESERVED = ("gpkg", "sqlite_", "layer_styles", "rtree_")
_SPECIAL = "`~!@#$%^&*()+-={}|[]\\:\";'<>?,./"
_JOURNAL = 18  # offset of the byte in the header that is 2 with a write-ahead log
_STYLE_FIELDS = "styleName, styleQML, styleSLD, useAsDefault, description, owner, ui, update_time"


def layer_name(stem: str) -> str:
    """Return the name of the layer in a file: the stem of the file's name, where GeoPackages allow it.

    Control characters become ``_``. A ``_`` goes before the special characters that GDAL refuses at the beginning, and
    before names that are reserved for SQLite, GDAL and QGIS.
    """
    name = re.sub(r"[\x00-\x1f\x7f-\x9f]", "_", stem)
    return f"_{name}" if name.lower().startswith(_RESERVED) or name[:1] in _SPECIAL else name


def other_tables(path: Path, layer: str) -> list[str]:
    """Return the tables and views of a GeoPackage beside a layer and what describes it; none if it is not SQLite.

    Raises:
        sqlite3.OperationalError: if another program is writing to it.
    """
    try:
        with closing(_open_read_only(path)) as package:
            found = package.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            names = [name for (name,) in found]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return []
    return [name for name in names if name != layer and not name.lower().startswith((*_RESERVED, "ogr_empty_table"))]


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
            return tr("another header than a GeoPackage")
        names = {name for (name,) in package.execute("SELECT name FROM sqlite_master")}
        in_index = f'SELECT count(*) FROM "{quoted}"'  # noqa: S608  # nosec B608
        if index not in names or package.execute(in_index).fetchone() != (expected,):
            return tr("no complete spatial index")
        if not triggers <= names:
            return tr("no triggers of the feature count")
        stored = "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ?"
        return (
            "" if package.execute(stored, (layer,)).fetchone() == (count,) else tr("another feature count in its table")
        )


def has_styles(path: Path) -> bool:
    """Return whether a GeoPackage has styles, which QGIS prefers to a style beside the file."""
    with suppress(sqlite3.Error, OSError), closing(_open_read_only(path)) as package:
        return package.execute("SELECT 1 FROM layer_styles").fetchone() is not None
    return False


def kept_styles(path: Path, layer: str) -> list[Sequence[Any]]:
    """Return the styles of a layer that the user saved or edited, as :func:`store_style` takes them."""
    with suppress(sqlite3.Error, OSError), closing(_open_read_only(path)) as package:
        query = f"SELECT {_STYLE_FIELDS} FROM layer_styles WHERE f_table_name = ?"  # noqa: S608  # nosec B608
        rows = package.execute(query, (layer,))
        return [row for row in rows if not is_generated(str(row[1]))]
    return []


def store_style(path: Path, layer: str, qml: str | None, kept: Sequence[Sequence[Any]] = ()) -> None:
    """Add styles to a GeoPackage: to the table ``layer_styles``, which QGIS reads.

    Args:
        path: The file.
        layer: Name of the layer.
        qml: The style; the default one unless a kept one is.
        kept: Styles of an earlier layer, see :func:`kept_styles`.
    """
    default = not any(row[3] for row in kept)
    rows = [*kept, *([(layer[:30], with_mark(qml), "", default, "", "", None, None)] if qml is not None else [])]
    with closing(sqlite3.connect(path)) as package, package:
        package.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), "
            "f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), "
            "styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
            "update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        package.executemany(
            "INSERT INTO layer_styles "  # noqa: S608  # nosec B608
            "(f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
            f"{_STYLE_FIELDS}) VALUES ('', '', ?, 'geom', ?, ?, ?, ?, ?, ?, ?, "
            "coalesce(?, strftime('%Y-%m-%dT%H:%M:%fZ','now')))",
            [(layer, *row) for row in rows],
        )
        package.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES "
            "('layer_styles', 'attributes', 'layer_styles')"
        )


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open a GeoPackage so that no file appears beside it, as SQLite makes with a write-ahead log."""
    with path.open("rb") as stream:
        header = stream.read(_JOURNAL + 1)
    mode = "immutable=1" if header[_JOURNAL:] == b"\2" else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0)
