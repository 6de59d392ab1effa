"""Reads vector layers: geometries, attributes and CRS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import pyogrio.raw
import shapely
from pyogrio.errors import DataSourceError
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.io.layer_source import file_of, layer_of, layer_source
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RasterOpenError

_REMEDY = "Check the path and the file."


@dataclass(frozen=True)
class VectorLayer:
    """A vector layer in memory.

    Args:
        geometries: (N,) shapely geometries; None for missing, empty and non-finite ones.
        fields: (N,) values of each attribute.
        crs: CRS of the coordinates; None if the file declares none.
    """

    geometries: npt.NDArray[np.object_]
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
            except (RasterioError, CRSError, CPLE_BaseError) as error:
                raise GeoreferenceError(
                    f"The layer cannot be reprojected to {crs}: {error}.", "Reproject it."
                ) from error
            if not np.isfinite(moved).all():
                raise GeoreferenceError(f"The layer has points that {crs} cannot represent.", "Reproject or clip it.")
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
        raise RasterOpenError(f"{path} cannot be read: GDAL has no GeoParquet here.", "Give the layer as a GeoPackage.")
    try:
        spatial = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
        if not layer and len(spatial) > 1:
            raise RasterOpenError(
                f"{path} has several layers: {', '.join(spatial)}.", f"Name one: {layer_source(path, spatial[0])}"
            )
        meta, _, geometry, values = pyogrio.raw.read(path, layer=layer or next(iter(spatial), None))
    except (DataSourceError, RuntimeError, ValueError, OSError) as error:
        raise RasterOpenError(f"GDAL cannot read {source}: {error}.", _REMEDY) from error
    if geometry is None or not (len(geometry) or may_be_empty):
        raise RasterOpenError(f"{source} has no features with geometry.", "Choose another layer.")
    fields = dict(zip(meta["fields"].tolist(), values, strict=True))
    crs = CRS.from_user_input(meta["crs"]) if meta["crs"] else None
    return VectorLayer(_placed(shapely.from_wkb(geometry)), fields, crs)


def _placed(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return geometries with None for empty ones and those with NaN or infinity, at which GEOS fails."""
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    nowhere = shapely.is_empty(geometries)
    nowhere[owner[~np.isfinite(points).all(axis=1)]] = True
    placed = geometries.copy()
    placed[nowhere] = None
    return placed
