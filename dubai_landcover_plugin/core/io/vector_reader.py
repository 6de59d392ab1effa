"""Reads vector layers: geometries, attributes and CRS."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.layer_source import file_of, layer_of, layer_source
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RasterOpenError
from dubai_landcover_plugin.protocol.translation import joined, tr

Geometries = npt.NDArray[np.object_]

READ_ERRORS = (RuntimeError, ValueError, OSError, CRSError, sqlite3.Error)
"""Exceptions of pyogrio, rasterio and sqlite3 when a layer cannot be read."""

_GEOJSON, _WGS84, _POLE = (".geojson", ".json"), 4326, 90.001
_REMEDY = "Check the path and the file."
_SURFACES = {7: "collection of surfaces", 15: "polyhedral surface", 16: "TIN", 17: "triangle"}
"""WKB codes of geometries that GEOS cannot build; it builds other collections."""


@dataclass(frozen=True)
class VectorLayer:
    """A vector layer in memory.

    Args:
        geometries: (N,) shapely geometries; None for missing, empty and non-finite ones.
        fields: (N,) values of each attribute.
        crs: CRS of the coordinates; None if the file declares none.
    """

    geometries: Geometries
    fields: dict[str, npt.NDArray[Any]]
    crs: CRS | None

    def to_crs(self, crs: CRS | None) -> VectorLayer:
        """Return the layer in another CRS; unchanged if either CRS is None.

        Raises:
            GeoreferenceError: if a coordinate cannot be transformed.
        """
        if crs is None or self.crs is None or self.crs == crs:
            return self
        own = self.crs

        def move(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            try:
                moved = np.column_stack(warp_points(own, crs, points[:, 0], points[:, 1])[:2])
            except GDAL_ERRORS as error:
                raise GeoreferenceError(
                    tr("The layer cannot be reprojected to {crs}: {error}.", crs=crs, error=error), tr("Reproject it.")
                ) from error
            if not np.isfinite(moved).all():
                raise GeoreferenceError(
                    tr("The layer has points that {crs} cannot represent.", crs=crs), tr("Reproject or clip it.")
                )
            return moved

        return VectorLayer(shapely.transform(self.geometries, move), self.fields, crs)


def read_vector(source: str, may_be_empty: bool = False) -> VectorLayer:
    """Read a vector layer.

    Args:
        source: A path, or ``path|layername=NAME`` as in QGIS if the file has several layers.
        may_be_empty: Accept a layer without features.

    Raises:
        RasterOpenError: if it cannot be read or has no features.
    """
    path, layer = file_of(source), layer_of(source)
    if path.endswith(".parquet") and "Parquet" not in pyogrio.list_drivers():
        raise RasterOpenError(
            tr("{path} cannot be read: GDAL has no GeoParquet here.", path=path), tr("Give the layer as a GeoPackage.")
        )
    try:
        name = ogr.gdal_name(path)
        spatial = [name for name, kind in ogr.list_layers(name) if kind is not None]
        if not layer and len(spatial) > 1:
            raise RasterOpenError(
                tr("{path} has several layers: {names}.", path=path, names=joined(spatial)),
                tr("Name one: {example}", example=layer_source(path, spatial[0])),
            )
        layer = layer or next(iter(spatial), "")
        meta, _, wkb, values = ogr.read(name, layer=layer or None)
        if wkb is None or not (len(wkb) or may_be_empty):
            raise RasterOpenError(
                tr("{source} has no features with geometry.", source=source), tr("Choose another layer.")
            )
        geometries = geometries_of(wkb, source)
        crs = layer_crs(name, layer, meta["crs"], geometries)
    except RasterOpenError:
        raise
    except READ_ERRORS as error:
        if _is_raster(path):
            raise RasterOpenError(
                tr("{path} is a raster; a vector layer is needed.", path=path),
                tr("Classified rasters become polygons with Classified Raster to Polygons or landcover polygons."),
            ) from error
        raise RasterOpenError(
            tr("GDAL cannot read {source}: {error}.", source=source, error=error), tr(_REMEDY)
        ) from error
    return VectorLayer(geometries, dict(zip(meta["fields"].tolist(), values, strict=True)), crs)


def _is_raster(path: str) -> bool:
    try:
        with open_raster(path):
            return True
    except (*GDAL_ERRORS, RasterOpenError):
        return False


def geometries_of(wkb: npt.NDArray[np.object_], source: str) -> Geometries:
    """Return the geometries of WKB, (N,) bytes or None; None for missing and empty ones and those with NaN or infinity.

    Those that GEOS cannot build, such as polygons of two points, are None too.

    Raises:
        RasterOpenError: if one is or contains a TIN or polyhedral surface, which GEOS does not support.
    """
    geometries: Geometries = shapely.from_wkb(wkb, on_invalid="fix")
    for index in np.flatnonzero(shapely.is_missing(geometries)).tolist():
        if wkb[index] is None:
            continue
        code = int.from_bytes(wkb[index][1:5], "little" if wkb[index][:1] == b"\x01" else "big")
        kind = _SURFACES.get((code & 0xFFFFFFF) % 1000)  # thousands and high bits: with Z or M
        if kind:
            raise RasterOpenError(
                tr(
                    "{source}: feature {index} of {count} is a {kind}, which is not supported.",
                    source=source,
                    index=index + 1,
                    count=len(wkb),
                    kind=kind,
                ),
                tr("Convert the layer to polygons, for example: ogr2ogr -nlt MULTIPOLYGON polygons.gpkg FILE"),
            )
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    nowhere = shapely.is_empty(geometries)
    nowhere[owner[~np.isfinite(points).all(axis=1)]] = True
    geometries[nowhere] = None
    return geometries


def layer_crs(name: str, layer: str, declared: str | None, geometries: Geometries) -> CRS | None:
    """Return the CRS of a layer; None if it has none, see :func:`.declared_crs`.

    Args:
        name: Vector file, see :func:`.gdal_name`.
        layer: Its layer.
        declared: CRS as GDAL reads it; None too where the definition in a GeoPackage is damaged.
        geometries: (N,) its geometries. GDAL takes GeoJSON without a CRS for WGS 84; it has none where latitudes would
            be above 90°.

    Raises:
        RasterOpenError: if the layer of a GeoPackage refers to a CRS whose definition is missing.
    """
    crs = declared_crs(declared)
    if crs is None and name.lower().endswith(".gpkg") and os.path.isfile(name):
        with closing(sqlite3.connect(f"{Path(name).as_uri()}?mode=ro", uri=True)) as package:
            rows = package.execute(
                "SELECT c.srs_id, s.definition FROM gpkg_geometry_columns c LEFT JOIN gpkg_spatial_ref_sys s "
                "ON s.srs_id = c.srs_id WHERE lower(c.table_name) = lower(?)",
                (layer,),
            ).fetchall()
        if any(number not in (-1, 0) and "undefined" not in (text or "").lower() for number, text in rows):
            raise RasterOpenError(
                tr(
                    "{name} is damaged: it does not define the CRS {crs} of its layer {layer}.",
                    name=name,
                    crs=rows[0][0],
                    layer=layer,
                ),
                tr("Assign the CRS of the layer in QGIS and export it again."),
            )
    if crs is not None and name.lower().endswith(_GEOJSON) and crs.to_epsg() == _WGS84:
        south, north = shapely.total_bounds(geometries)[[1, 3]].tolist()
        if south < -_POLE or north > _POLE:
            return None
    return crs
