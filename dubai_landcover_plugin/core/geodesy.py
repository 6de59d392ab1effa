"""How large a pixel is on the ground."""

from __future__ import annotations

import math

from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

_SEMI_MAJOR_M = 6_378_137.0  # WGS 84
_ECCENTRICITY_SQUARED = 6.694379990141e-3  # WGS 84


def plane_factor(crs: CRS) -> float | None:
    """Return how many metres a unit of the CRS has; None where its plane is no ground distance.

    Projected CRS count in their own plane, as GIS do. Geographic CRS and Mercator do not: there pixels are measured on
    the WGS 84 ellipsoid.
    """
    if crs.is_geographic or crs.to_dict().get("proj") in ("merc", "webmerc"):
        return None
    return float(crs.linear_units_factor[1]) if crs.is_projected else 1.0


def plane_pixel_size(transform: Affine, factor: float) -> tuple[float, float]:
    """Return the size of a pixel, m along columns and m along rows, in a plane with ``factor`` metres a unit."""
    return math.hypot(transform.a, transform.d) * factor, math.hypot(transform.b, transform.e) * factor


def ellipsoid_pixel_size(crs: CRS, transform: Affine, col: float, row: float) -> tuple[float, float]:
    """Return the size of the pixel at (col, row) on the ellipsoid, m along columns and m along rows."""
    corners = [transform @ (col + right, row + down) for right, down in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))]
    lons, lats = warp_points(crs, CRS.from_epsg(4326), [x for x, _ in corners], [y for _, y in corners])[:2]
    return (
        _distance(lons[0], lats[0], lons[1], lats[1]),
        _distance(lons[2], lats[2], lons[3], lats[3]),
    )


def _distance(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Return the distance of two near points (degrees), m, from the radii of curvature between them."""
    middle = math.radians((lat1 + lat2) / 2)
    squash = 1 - _ECCENTRICITY_SQUARED * math.sin(middle) ** 2
    along_meridian = _SEMI_MAJOR_M * (1 - _ECCENTRICITY_SQUARED) / squash**1.5
    along_parallel = _SEMI_MAJOR_M / math.sqrt(squash) * math.cos(middle)
    east = (lon2 - lon1 + 180) % 360 - 180  # across the antimeridian too
    return math.hypot(math.radians(lat2 - lat1) * along_meridian, math.radians(east) * along_parallel)
