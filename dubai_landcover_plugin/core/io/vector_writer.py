"""Writes vector files atomically: into a temporary folder, verified, then moved into place with their parts."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.enums import WktVersion
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.files import check_name, link_target, partial_folder, place_files
from dubai_landcover_plugin.core.io.flatgeobuf import features_of_parquet, has_valid_index
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.geojson import GeoJSONFile
from dubai_landcover_plugin.core.io.geopackage import has_styles, kept_styles, layer_name, missing_part, store_style
from dubai_landcover_plugin.core.io.geoparquet import GeoParquetFile
from dubai_landcover_plugin.core.io.layer_checksum import LayerChecksum, checksum_of_file
from dubai_landcover_plugin.core.io.outputs import data_sets_with, stale_vector_files
from dubai_landcover_plugin.core.io.qml import is_raster_style, is_user_style, with_mark
from dubai_landcover_plugin.core.io.sound_geometries import RESOLUTION, rounded_resolution, sound_geometries
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.partial_files import remove_partial
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES
from dubai_landcover_plugin.protocol.translation import tr

Geometries = npt.NDArray[np.object_]
Fields = Mapping[str, npt.NDArray[Any]]

_SHAPEFILE_BYTES = (1 << 31) - 1  # many programs read no larger part
_COLLECTED = ("GPKG", "GeoJSON", "FlatGeobuf")  # small batches are joined before they are written
_COLLECTED_BYTES = 1 << 22
_SHAPEFILE_TEXT = 254  # bytes
_SHAPEFILE_BOUNDS = 36  # offset of the extent in the header, bytes
_SHORT = 10  # longest field name of a shapefile
_UNNAMED = "layer"  # name of the file in the temporary folder, whatever characters the final one has
_REMEDY = "Free some space, or choose another folder or format."


class VectorWriter:
    """Writes one layer in batches of features; a context manager. Without :meth:`finish` no file is left.

    Geometries are written without repeated vertices, and polygons valid, see :func:`.sound_geometries`. Memory is that
    of a batch. FlatGeobuf files cannot grow: their features are in a GeoParquet file until the end, when
    GDAL sorts them with some 100 bytes for each.

    Args:
        path: The file; its suffix is one of ``VECTOR_SUFFIXES``.
        geometry_type: ``Polygon``, ``MultiPolygon``, ``LineString`` or ``Point``.
        crs: CRS of the coordinates, or None.
        fields: Name and type (``int32``, ``float64``, ``object`` for text) of each attribute.
        style: A QML document, or None.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: if the name of the file, or of a field in a shapefile, is too long, or the format cannot store the
            CRS.
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
            raise OutputError(
                tr("A shapefile's field names have at most {limit} letters, not {name}.", limit=_SHORT, name=long[0])
            )
        check_name(self._path)
        self._check_crs()
        self._folder = Path()  # temporary, until the block ends
        self._waiting: list[tuple[Geometries, Fields]] = []  # as WKB
        self._waiting_bytes = 0
        self._pieces: GeoParquetFile | GeoJSONFile | None = None
        self._made = False
        self._shapes = 0  # bytes of the .shp
        self._as_points = self._driver == "ESRI Shapefile"
        self._written = LayerChecksum(self._fields, self._as_points)
        self._bounds = np.full(4, np.nan)
        self._extended = 0  # features that are not empty: those in a spatial index
        self._notes: list[str] = []

    def __enter__(self) -> VectorWriter:
        self._folder = partial_folder(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pieces is not None:
            self._pieces.close()
        remove_partial(self._folder)

    def write(self, geometries: Geometries, fields: Fields) -> None:
        """Append features.

        Args:
            geometries: (N,) shapely geometries.
            fields: (N,) values of each attribute.

        Raises:
            OutputError: if they cannot be written, or a shapefile would exceed 2 GB or cannot hold a text.
        """
        if not len(geometries):
            return
        rounded = self._driver == "GeoJSON" and self._crs is not None
        resolution = rounded_resolution(self._crs, shapely.total_bounds(geometries)) if rounded else RESOLUTION
        geometries = sound_geometries(geometries, resolution)
        if self._driver == "ESRI Shapefile":
            self._check_size(geometries)
            self._check_texts(fields)
        wkb = shapely.to_wkb(self._stored(geometries), flavor="iso")
        values = {name: np.asarray(fields[name], kind) for name, kind in self._fields.items()}
        self._written.add(wkb, values)
        self._extended += int((~shapely.is_empty(geometries)).sum())
        bounds = shapely.total_bounds(geometries)
        self._bounds = np.array([*np.fmin(self._bounds[:2], bounds[:2]), *np.fmax(self._bounds[2:], bounds[2:])])
        if self._driver in _COLLECTED:
            self._waiting.append((wkb, values))
            self._waiting_bytes += sum(map(len, wkb.tolist()))
            if self._waiting_bytes >= _COLLECTED_BYTES:
                self._put_waiting()
        else:
            self._put(wkb, values)

    @property
    def count(self) -> int:
        """Number of features written."""
        return self._written.count

    def finish(self, monitor: Monitor | None = None) -> None:
        """Write the remaining features, add the style, verify the file and move all parts into place.

        Args:
            monitor: Receives a message if the user's own style of an earlier layer is kept.

        Raises:
            OutputError: if the file differs from what was written, or the file system refuses.
        """
        if self._waiting:
            self._put_waiting()
        elif not self._made:
            self._put(*self._no_features())
        with _plain_errors(self._path):
            if self._pieces is not None:
                self._pieces.finish()
            if self._driver == "FlatGeobuf":
                self._put_by_gdal(str(self._target), features_of_parquet(self._store))
                self._store.unlink()
            self._add_style()
            self._verify()
            self._place()
        if monitor is not None:
            for note in self._notes:
                monitor.log("info", note)

    def _no_features(self) -> tuple[Geometries, Fields]:
        return np.empty(0, object), {name: np.empty(0, kind) for name, kind in self._fields.items()}

    @property
    def _target(self) -> Path:
        return self._folder.absolute() / f"{_UNNAMED}{self._path.suffix}"

    @property
    def _store(self) -> Path:
        """File of the features until they are written."""
        return self._folder.absolute() / "features.parquet"

    def _stored(self, geometries: Geometries) -> Geometries:
        """Return geometries as the format stores them, so that they can be compared with those that are read back."""
        if self._driver in ("GPKG", "FlatGeobuf") and self._type == "MultiPolygon":
            single = shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON
            multi = geometries.copy()
            multi[single] = shapely.multipolygons(geometries[single], indices=np.arange(single.sum()))
            return multi
        return geometries

    def _put_waiting(self) -> None:
        joined = {name: np.concatenate([fields[name] for _, fields in self._waiting]) for name in self._fields}
        self._put(np.concatenate([wkb for wkb, _ in self._waiting]), joined)
        self._waiting, self._waiting_bytes = [], 0

    def _put(self, wkb: Geometries, fields: Fields) -> None:
        with _plain_errors(self._path):
            if self._driver in ("Parquet", "FlatGeobuf"):
                if not isinstance(self._pieces, GeoParquetFile):
                    path = self._target if self._driver == "Parquet" else self._store
                    self._pieces = GeoParquetFile(path, self._type, self._crs, self._fields)
                self._pieces.write(wkb, fields)
            elif self._driver == "GeoJSON":
                if not isinstance(self._pieces, GeoJSONFile):
                    self._pieces = GeoJSONFile(self._target)
                content = BytesIO()
                self._put_by_gdal(content, (wkb, fields))
                self._pieces.add(content.getvalue())
            else:
                self._put_by_gdal(str(self._target), (wkb, fields), append=self._made)
        self._made = True

    def _put_by_gdal(self, target: str | BytesIO, features: Any, append: bool = False) -> None:
        """Write features: WKB and values of the attributes, or a reader of Arrow batches."""
        options: dict[str, str] = {}
        if self._driver == "ESRI Shapefile":
            options = {"ENCODING": "UTF-8"}
        elif (
            self._driver == "GeoJSON" and self._crs is not None and (self._crs.is_geographic or self._crs.is_projected)
        ):
            options = {"RFC7946": "YES"}  # longitude and latitude, as the standard requires
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyogrio warns if there is no CRS; the run has logged it
            common: dict[str, Any] = {
                "geometry_type": self._type,
                "crs": None if self._crs is None else self._crs.to_wkt(),
                "driver": self._driver,
                "layer": self._layer,
            }
            if not isinstance(features, tuple):
                ogr.write_arrow(features, target, geometry_name="geometry", **common)
                return
            wkb, fields = features
            ogr.write(
                target,
                geometry=wkb,
                field_data=list(fields.values()),
                fields=list(fields),
                promote_to_multi=self._type.startswith("Multi"),
                append=append,
                layer_options={} if append else options,
                # newer versions make older QGIS warn
                dataset_options={"VERSION": "1.2"} if self._driver == "GPKG" and not append else {},
                **common,
            )

    def _check_crs(self) -> None:
        crs = self._crs
        if crs is None:
            return
        remedy = tr("Write a GeoPackage (.gpkg), or reproject the input.")
        try:
            if self._driver == "ESRI Shapefile":
                crs.to_wkt(version=WktVersion.WKT1_ESRI)
            elif self._driver == "GeoJSON" and (crs.is_geographic or crs.is_projected):
                warp_points(crs, CRS.from_epsg(4326), [0.0], [0.0])
        except GDAL_ERRORS as error:
            name = tr("A shapefile") if self._driver == "ESRI Shapefile" else tr("GeoJSON, which is in WGS 84,")
            raise OutputError(tr("{name} cannot store data in {crs}.", name=name, crs=crs), remedy) from error

    def _check_texts(self, fields: Fields) -> None:
        for name in (name for name, kind in self._fields.items() if kind.kind == "O"):
            for text in fields[name]:
                size = len((text or "").encode("utf-8", "surrogateescape"))
                if size > _SHAPEFILE_TEXT:
                    raise OutputError(
                        tr(
                            "A shapefile's texts have at most {limit} bytes; '{text}…' in {name} has {size}.",
                            limit=_SHAPEFILE_TEXT,
                            text=text[:40],
                            name=name,
                            size=size,
                        ),
                        tr("Write a GeoPackage (.gpkg), or shorten the text."),
                    )

    def _check_size(self, geometries: Geometries) -> None:
        points = int(shapely.get_num_coordinates(geometries).sum())
        rings = len(shapely.get_rings(geometries)) if "Polygon" in self._type else len(geometries)
        self._shapes += 16 * points + 4 * rings + 52 * len(geometries)
        table = self._target.with_suffix(".dbf")
        largest = max(self._shapes, table.stat().st_size if table.exists() else 0)
        if largest > _SHAPEFILE_BYTES:
            raise OutputError(
                tr("{path} would be larger than 2 GB, the limit of shapefiles.", path=self._path),
                tr("Write a GeoPackage (.gpkg), or raise the smallest area and the tolerance."),
            )

    def _verify(self) -> None:
        """Compare what GDAL wrote piece by piece; files that were written as a whole are compared byte by byte."""
        if self._driver in ("Parquet", "GeoJSON"):
            return
        problem = self._written.difference(checksum_of_file(self._target, self._layer, self._fields, self._as_points))
        info = ogr.read_info(str(self._target), layer=self._layer)
        if not problem and not self._is_crs(info["crs"]):
            problem = tr("another CRS than was written")
        bounds = info["total_bounds"]
        if self._driver == "ESRI Shapefile":
            bounds = np.fromfile(self._target, "<f8", 4, offset=_SHAPEFILE_BOUNDS)
            problem = problem or ("" if self._target.with_suffix(".cpg").read_text() == "UTF-8" else tr("no encoding"))
        elif self._driver == "FlatGeobuf":
            valid = problem or has_valid_index(self._target, self.count)
            problem = problem or ("" if valid else tr("no valid spatial index"))
        elif not problem:
            problem = missing_part(self._target, self._layer, self.count, self._extended)
        if not problem and self._extended and not _contains(bounds, self._bounds):
            problem = tr("another extent than was written")
        if problem:
            raise OutputError(
                tr("{name} has {problem}: a write failed.", name=self._path.name, problem=problem), tr(_REMEDY)
            )

    def _is_crs(self, found: str | None) -> bool:
        """Return whether a CRS that is read back is the layer's, as the format stores it."""
        if declared_crs(found) == self._crs:
            return True
        probe = str(self._target.with_stem("crs"))  # some CRS change when they are stored, in any file in the same way
        self._put_by_gdal(probe, self._no_features())
        return bool(
            found == ogr.read_info(probe, layer=None if self._driver == "ESRI Shapefile" else self._layer)["crs"]
        )

    def _add_style(self) -> None:
        """Add the style; one that the user saved for an earlier layer is kept."""
        if self._driver == "GPKG":
            kept = kept_styles(self._path, self._layer)
            if self._style is not None or kept:
                store_style(self._target, self._layer, self._style, kept)
            if kept:
                self._notes.append(tr("The styles in {name} that were saved in QGIS are kept.", name=self._path.name))
        elif self._style is not None:
            beside = self._path.with_suffix(".qml")
            others = [path for path in data_sets_with(beside) if path != self._path and not has_styles(path)]
            shared = [] if beside.exists() else others
            if beside.exists() and is_raster_style(beside.read_text(encoding="utf-8", errors="replace")):
                self._notes.append(tr("No style is written: {style} is that of a raster.", style=beside.name))
            elif shared:
                self._notes.append(
                    tr(
                        "No style is written: {other} would be shown with {style}, too.",
                        other=shared[0].name,
                        style=beside.name,
                    )
                )
            elif is_user_style(beside):
                self._notes.append(tr("The style {style} is kept: it was saved in QGIS or edited.", style=beside.name))
            else:
                self._target.with_suffix(".qml").write_text(with_mark(self._style), encoding="utf-8")

    def _place(self) -> None:
        name, folder = self._path.name, self._folder
        sides = []
        for part in sorted(folder.glob(f"{_UNNAMED}.*")):
            named = self._path.stem + part.name[len(_UNNAMED) :]
            part.rename(folder / named)
            sides += [named] if named != name else []
        place_files(folder, self._path, sides, stale_vector_files(self._path), self._overwrite)


def _contains(outer: npt.ArrayLike | None, inner: npt.NDArray[np.float64]) -> bool:
    """Return whether bounds (west, south, east, north) contain others, up to rounding."""
    if outer is None:
        return False
    slack = 1e-6 * np.abs(inner).max()
    return bool(((np.asarray(outer) - inner) * (1, 1, -1, -1) <= slack).all())


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
            raise OutputError(
                tr("{path} could not be written: {error}.", path=self._path, error=error), tr(_REMEDY)
            ) from error
