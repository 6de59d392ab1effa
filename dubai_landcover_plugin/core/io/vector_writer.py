"""Writes vector files atomically: into a temporary folder, verified, then moved into place with their parts."""

from __future__ import annotations

import re
import sqlite3
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.files import check_name, link_target, partial_folder, place_files
from dubai_landcover_plugin.core.io.geoparquet import GeoParquetFile, count_rows
from dubai_landcover_plugin.core.io.outputs import stale_vector_files
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import remove_partial
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES

Geometries = npt.NDArray[np.object_]
Fields = Mapping[str, npt.NDArray[Any]]

_SHAPEFILE_BYTES = (1 << 31) - 1  # many programs read no larger part
_SHORT = 10  # longest field name of a shapefile
_UNNAMED = "layer"  # name of the file in the temporary folder, whatever characters the final one has
_RESERVED = ("gpkg", "sqlite_", "layer_styles", "rtree_")
_SPECIAL = "`~!@#$%^&*()+-={}|[]\\:\";'<>?,./"
_REMEDY = "Free some space or choose another folder."


class VectorWriter:
    """Writes one layer in batches of features; a context manager. Without :meth:`finish` no file is left.

    GeoPackage, shapefile and GeoParquet are appended to. GeoJSON and FlatGeobuf cannot grow: their features stay in
    memory until the end.

    Args:
        path: The file; its suffix is one of ``VECTOR_SUFFIXES``.
        geometry_type: ``Polygon``, ``MultiPolygon``, ``LineString`` or ``Point``.
        crs: CRS of the coordinates, or None.
        fields: Name and type (``int32``, ``float64``, ``object`` for text) of each attribute.
        style: A QML document, or None.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: if the name of the file, or of a field in a shapefile, is too long.
    """

    def __init__(
        self,
        path: str | Path,
        geometry_type: str,
        crs: CRS | None,
        fields: Mapping[str, Any],
        style: str | None = None,
        overwrite: bool = True,
    ) -> None:
        self._path = link_target(path)
        self._driver = VECTOR_SUFFIXES[self._path.suffix.lower()]
        self._type, self._crs, self._style, self._overwrite = geometry_type, crs, style, overwrite
        self._layer = _UNNAMED if self._driver == "ESRI Shapefile" else layer_name(self._path.stem)
        self._fields = {name: np.dtype(kind) for name, kind in fields.items()}
        long = [name for name in self._fields if len(name) > _SHORT]
        if self._driver == "ESRI Shapefile" and long:
            raise OutputError(f"A shapefile's field names have at most {_SHORT} letters, not {long[0]}.")
        check_name(self._path)
        self._folder = Path()  # temporary, until the block ends
        self._waiting: list[tuple[Geometries, Fields]] = []
        self._parquet: GeoParquetFile | None = None
        self._made = False
        self._shapes = 0  # bytes of the .shp
        self.count = 0

    def __enter__(self) -> VectorWriter:
        self._folder = partial_folder(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parquet is not None:
            self._parquet.close()
        remove_partial(self._folder)

    def write(self, geometries: Geometries, fields: Fields) -> None:
        """Append features.

        Args:
            geometries: (N,) shapely geometries.
            fields: (N,) values of each attribute.

        Raises:
            OutputError: if they cannot be written, or a shapefile would exceed 2 GB.
        """
        if not len(geometries):
            return
        self.count += len(geometries)
        if self._driver == "ESRI Shapefile":
            self._check_size(geometries)
        if self._driver in ("GeoJSON", "FlatGeobuf"):
            self._waiting.append((geometries, fields))
        else:
            self._put(geometries, fields)

    def finish(self) -> None:
        """Write the remaining features, verify the file, add the style and move all parts into place.

        Raises:
            OutputError: if features or the spatial index are missing, or the file system refuses.
        """
        empty: Geometries = np.empty(0, object)
        if self._waiting:
            names = list(self._fields)
            joined = {name: np.concatenate([fields[name] for _, fields in self._waiting]) for name in names}
            self._put(np.concatenate([geometries for geometries, _ in self._waiting]), joined)
        elif not self._made:
            self._put(empty, {name: np.empty(0, kind) for name, kind in self._fields.items()})
        with _plain_errors(self._path):
            if self._parquet is not None:
                self._parquet.close()
            self._count_again()
            self._add_style()
            self._place()

    @property
    def _target(self) -> Path:
        return self._folder.absolute() / f"{_UNNAMED}{self._path.suffix}"

    def _put(self, geometries: Geometries, fields: Fields) -> None:
        with _plain_errors(self._path):
            if self._driver == "Parquet":
                self._parquet = self._parquet or GeoParquetFile(self._target, self._type, self._crs, self._fields)
                self._parquet.write(geometries, fields)
            else:
                self._put_by_gdal(geometries, fields)
        self._made = True

    def _put_by_gdal(self, geometries: Geometries, fields: Fields) -> None:
        options: dict[str, str] = {}
        if self._driver == "ESRI Shapefile":
            options = {"ENCODING": "UTF-8"}
        elif (
            self._driver == "GeoJSON" and self._crs is not None and (self._crs.is_geographic or self._crs.is_projected)
        ):
            options = {"RFC7946": "YES"}  # longitude and latitude, as the standard requires
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyogrio warns if there is no CRS; the run has logged it
            ogr.write(
                str(self._target),
                geometry=shapely.to_wkb(geometries),
                field_data=[np.asarray(fields[name], kind) for name, kind in self._fields.items()],
                fields=list(self._fields),
                geometry_type=self._type,
                crs=None if self._crs is None else self._crs.to_wkt(),
                driver=self._driver,
                layer=self._layer,
                promote_to_multi=self._type.startswith("Multi"),
                append=self._made,
                layer_options={} if self._made else options,
                # newer versions make older QGIS warn
                dataset_options={"VERSION": "1.2"} if self._driver == "GPKG" and not self._made else {},
            )

    def _check_size(self, geometries: Geometries) -> None:
        points = int(shapely.get_num_coordinates(geometries).sum())
        rings = len(shapely.get_rings(geometries)) if "Polygon" in self._type else len(geometries)
        self._shapes += 16 * points + 4 * rings + 52 * len(geometries)
        table = self._target.with_suffix(".dbf")
        largest = max(self._shapes, table.stat().st_size if table.exists() else 0)
        if largest > _SHAPEFILE_BYTES:
            raise OutputError(
                f"{self._path} would be larger than 2 GB, the limit of shapefiles.",
                "Write a GeoPackage (.gpkg), or raise the smallest area and the tolerance.",
            )

    def _count_again(self) -> None:
        if self._driver == "Parquet":
            arrived = count_rows(self._target)
        else:
            arrived = ogr.read_info(str(self._target), force_feature_count=True)["features"]
        if arrived != self.count:
            raise OutputError(f"{self._path.name} has {arrived} of {self.count} features.", _REMEDY)
        if self._driver == "GPKG" and not _has_index(self._target, self._layer):
            raise OutputError(
                f"{self._path.name} has no spatial index.", _REMEDY
            )  # GDAL writes it last, and ignores a full disk

    def _add_style(self) -> None:
        if self._style is None:
            return
        if self._driver == "GPKG":
            _store_style(self._target, self._layer, self._style)
        else:
            self._target.with_suffix(".qml").write_text(self._style, encoding="utf-8")

    def _place(self) -> None:
        name, folder = self._path.name, self._folder
        sides = []
        for part in sorted(folder.glob(f"{_UNNAMED}.*")):
            named = self._path.stem + part.name[len(_UNNAMED) :]
            part.rename(folder / named)
            sides += [named] if named != name else []
        is_shapefile = self._driver == "ESRI Shapefile"
        place_files(folder, self._path, sides, stale_vector_files(self._path), self._overwrite, main_last=is_shapefile)


def layer_name(stem: str) -> str:
    """Return the name of the layer in a file: the stem of the file's name, where GeoPackages allow it.

    Control characters become ``_``. A ``_`` goes before the special characters that GDAL refuses at the beginning, and
    before names that are reserved for SQLite, GDAL and QGIS.
    """
    name = re.sub(r"[\x00-\x1f\x7f-\x9f]", "_", stem)
    return f"_{name}" if name.lower().startswith(_RESERVED) or name[:1] in _SPECIAL else name


class _plain_errors:  # noqa: N801
    """Turns exceptions of libraries into :class:`.OutputError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (OSError, RuntimeError, ValueError, sqlite3.Error)) and not isinstance(error, OutputError):
            raise OutputError(f"{self._path} could not be written: {error}.", _REMEDY) from error


def _has_index(path: Path, layer: str) -> bool:
    """Return whether a layer of a GeoPackage has its spatial index."""
    with closing(sqlite3.connect(path)) as package:
        tables = package.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (f"rtree_{layer}_geom",))
        return bool(tables.fetchone()[0])


def _store_style(path: Path, layer: str, qml: str) -> None:
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
