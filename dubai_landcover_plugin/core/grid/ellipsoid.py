"""Areas of polygons on the WGS 84 ellipsoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY = math.sqrt(6.694379990141e-3)
_TURN = 2 * math.pi

Floats = npt.NDArray[np.float64]


def ellipsoid_areas(geometries: npt.NDArray[Any], crs: CRS) -> Floats:
    """Return the areas of polygons, multipolygons and collections, (N,) m², on the WGS 84 ellipsoid.

    Edges are straight in a cylindrical equal-area projection; long ones must be segmented before. Polygons may cross
    the antimeridian and contain a pole.

    Args:
        geometries: (N,) shapely geometries; others than polygons have no area.
        crs: CRS of the coordinates.

    Raises:
        rasterio.errors.RasterioError: if coordinates cannot be transformed to longitude and latitude.

    Source: Snyder, Map Projections: A Working Manual, 1987, equation 3-12.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    rings, polygon = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lons, lats = warp_points(crs, CRS.from_epsg(4326), points[:, 0], points[:, 1])[:2]
    lon, below = np.radians(lons), _area_below(np.radians(lats))

    # Area between each edge and the parallel of the ring's first point, which keeps small areas exact; a step in
    # longitude is the shorter way around.
    base = below[np.searchsorted(ring, np.arange(len(rings)))]
    height = below - base[ring]
    step = (np.diff(lon) + math.pi) % _TURN - math.pi
    in_ring = ring[1:] == ring[:-1]
    step, of = step[in_ring], ring[1:][in_ring]
    total = np.bincount(of, step * ((height[1:] + height[:-1]) / 2)[in_ring], len(rings))

    # A ring around a pole encloses what is between it and the pole.
    turns = np.bincount(of, step, len(rings))
    pole = np.sign(np.bincount(ring, below, len(rings)))
    cap = _TURN * _area_below(np.array(math.pi / 2)) - pole * np.sign(turns) * (total + base * turns)
    areas = np.where(np.abs(turns) > math.pi, cap, np.abs(total))
    areas[1:][polygon[1:] == polygon[:-1]] *= -1  # holes follow the outline of their polygon
    result: Floats = np.bincount(owner[polygon], areas * _SEMI_MAJOR_M**2, len(geometries)).astype(np.float64)
    return result


def _area_below(latitudes: Floats) -> Floats:
    """Return areas between the equator and latitudes (radians) for a radian of longitude, semi-major axis 1."""
    sine, e = np.sin(latitudes), _ECCENTRICITY
    area: Floats = (1 - e * e) / 2 * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)
    return area
