"""Geometries as QGIS and GEOS accept them: no repeated vertices, valid polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS

Geometries = npt.NDArray[np.object_]

RESOLUTION = 2e-8
"""Vertices closer than this, in units of the CRS, count as repeated: QGIS compares coordinates with 1e-8."""
_DECIMALS = 7
"""Decimals of the degrees in GeoJSON files, about 1 cm."""


def rounded_resolution(crs: CRS, bounds: npt.NDArray[np.float64]) -> float:
    """Return the distance, in units of a CRS, from which vertices differ in degrees with the decimals of GeoJSON.

    Args:
        crs: CRS of the geometries.
        bounds: (4,) west, south, east, north of the geometries; NaN without any.
    """
    step = 1.1 * 10.0**-_DECIMALS
    if crs.is_geographic or not crs.is_projected:
        return step if crs.is_geographic else RESOLUTION
    # Degrees for one unit along x and y, at the corners and in the middle.
    west, south, east, north = bounds.tolist()
    x, y = (
        np.array([west, west, east, east, (west + east) / 2]),
        np.array([south, north, south, north, (south + north) / 2]),
    )
    try:
        lon, lat = warp_points(crs, CRS.from_epsg(4326), [*x, *x + 1, *x], [*y, *y, *y + 1])
    except GDAL_ERRORS:
        return RESOLUTION
    moved = np.diff(np.reshape([lon, lat], (2, 3, -1))[:, [1, 0, 2]], axis=1)  # (lon lat, x y, point)
    degrees = np.hypot(*moved)
    usable = degrees[np.isfinite(degrees) & (degrees > 0)]
    return float(np.sqrt(2) * step / usable.min()) if len(usable) else RESOLUTION


def sound_geometries(geometries: Geometries, resolution: float = RESOLUTION) -> Geometries:
    """Return geometries without repeated vertices; polygons are valid.

    Geometries that need no change are the same objects. Polygons that are smaller than the resolution stay as they are:
    no feature is lost.

    Args:
        geometries: (N,) geometries of any type.
        resolution: Smallest distance of consecutive vertices, units of the coordinates.
    """
    changed = _has_repeated(geometries, resolution)
    areal = (shapely.get_dimensions(geometries) == 2) & ~shapely.is_empty(geometries)
    unsound = np.flatnonzero(changed | (areal & ~shapely.is_valid(geometries)))
    if not len(unsound):
        return geometries
    sound = geometries.copy()
    for index in unsound.tolist():
        try:
            cleaned = shapely.remove_repeated_points(geometries[index], resolution)
        except shapely.errors.GEOSException:  # a ring smaller than the resolution
            cleaned = shapely.set_precision(geometries[index], resolution)
        if areal[index] and not shapely.is_valid(cleaned):
            cleaned = _repaired(cleaned, resolution)
        if not (shapely.is_empty(cleaned) or (areal[index] and shapely.area(cleaned) == 0)):
            sound[index] = cleaned
    return sound


def _has_repeated(geometries: Geometries, resolution: float) -> npt.NDArray[np.bool_]:
    """Return which geometries, (N,), have consecutive vertices closer than a resolution in x and in y."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    is_line = shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING
    rings, polygon = shapely.get_rings(parts, return_index=True)
    lines, line_owner = np.concatenate([rings, parts[is_line]]), np.concatenate([owner[polygon], owner[is_line]])
    points, line = shapely.get_coordinates(lines, return_index=True)
    close = (np.abs(np.diff(points, axis=0)) <= resolution).all(axis=1) & (line[1:] == line[:-1])
    repeated = np.zeros(len(geometries), bool)
    repeated[line_owner[line[1:][close]]] = True
    return repeated


def _repaired(polygon: shapely.Geometry, resolution: float) -> shapely.Geometry:
    """Return the valid polygons of a geometry, snapped to a grid; what collapses to lines and points is dropped."""
    snapped = shapely.set_precision(shapely.make_valid(polygon), resolution)
    parts = shapely.get_parts(shapely.get_parts(snapped))
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
