"""The pixel grid of a raster: shape, transform, CRS, and the size of its pixels on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.errors import GeoreferenceError


@dataclass(frozen=True)
class Grid:
    """Georeferenced pixel grid.

    Args:
        height: Number of rows.
        width: Number of columns.
        transform: Affine transform from pixel coordinates (corners) to the CRS.
        crs: Coordinate reference system, or None.
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @cached_property
    def _plane_factor(self) -> float | None:
        return None if self.crs is None else plane_factor(self.crs)

    @property
    def has_constant_scale(self) -> bool:
        """Whether all pixels have the same ground size."""
        return self.crs is None or self._plane_factor is not None

    def pixel_size_m(self, row: float | None = None) -> tuple[float, float] | None:
        """Return the ground size of a pixel as (width, height), m, at ``row`` (default: the centre row).

        None without a CRS.
        """
        if self.crs is None:
            return None
        if self._plane_factor is not None:
            return plane_pixel_size(self.transform, self._plane_factor)
        middle = self.height / 2 if row is None else row
        return ellipsoid_pixel_size(self.crs, self.transform, self.width / 2, middle)

    def gsd(self) -> float | None:
        """Return the ground sampling distance at the centre, m/px; None without a CRS."""
        size = self.pixel_size_m()
        return None if size is None else math.sqrt(size[0] * size[1])

    def window(self, extent: tuple[float, float, float, float]) -> Window:
        """Return the window of the pixels that ``extent`` touches.

        Args:
            extent: (xmin, ymin, xmax, ymax) in the CRS.

        Raises:
            GeoreferenceError: if the extent does not intersect the raster.
        """
        west, south, east, north = extent
        inverse = ~self.transform
        corners = [inverse @ (x, y) for x in (west, east) for y in (south, north)]
        slack = 1e-6  # px: rounded coordinates must not add a row or column
        left = max(math.floor(min(x for x, _ in corners) + slack), 0)
        right = min(math.ceil(max(x for x, _ in corners) - slack), self.width)
        top = max(math.floor(min(y for _, y in corners) + slack), 0)
        bottom = min(math.ceil(max(y for _, y in corners) - slack), self.height)
        if left >= right or top >= bottom:
            own = [self.transform @ (x, y) for x in (0, self.width) for y in (0, self.height)]
            bounds = [min(x for x, _ in own), min(y for _, y in own), max(x for x, _ in own), max(y for _, y in own)]
            raise GeoreferenceError(
                f"The extent {_listed(extent)} does not touch the raster, which covers {_listed(bounds)}.",
                "Give xmin, ymin, xmax, ymax in the raster's CRS.",
            )
        return Window(top, left, bottom - top, right - left)


def _listed(numbers: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{number:.10g}" for number in numbers)


_SEMI_MAJOR_M = 6_378_137.0  # WGS 84
_ECCENTRICITY_SQUARED = 6.694379990141e-3  # WGS 84


def plane_factor(crs: CRS) -> float | None:
    """Return metres per unit of the CRS; None for CRS in which pixels are measured on the WGS 84 ellipsoid.

    Distances in projected CRS are planar, as in GIS. Geographic CRS and (Web) Mercator are measured on the ellipsoid.
    """
    if crs.is_geographic or crs.to_dict().get("proj") in ("merc", "webmerc"):
        return None
    return float(crs.linear_units_factor[1]) if crs.is_projected else 1.0


def plane_pixel_size(transform: Affine, factor: float) -> tuple[float, float]:
    """Return the planar size of a pixel as (width, height), m; ``factor`` is metres per unit of the CRS."""
    return math.hypot(transform.a, transform.d) * factor, math.hypot(transform.b, transform.e) * factor


def ellipsoid_pixel_size(crs: CRS, transform: Affine, col: float, row: float) -> tuple[float, float]:
    """Return the size of the pixel at (col, row) on the WGS 84 ellipsoid as (width, height), m."""
    corners = [transform @ (col + right, row + down) for right, down in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))]
    lons, lats = warp_points(crs, CRS.from_epsg(4326), [x for x, _ in corners], [y for _, y in corners])[:2]
    return (
        _distance(lons[0], lats[0], lons[1], lats[1]),
        _distance(lons[2], lats[2], lons[3], lats[3]),
    )


def _distance(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Return the distance of two nearby points (degrees) on WGS 84, m, from the radii of curvature at mid-latitude."""
    middle = math.radians((lat1 + lat2) / 2)
    squash = 1 - _ECCENTRICITY_SQUARED * math.sin(middle) ** 2
    along_meridian = _SEMI_MAJOR_M * (1 - _ECCENTRICITY_SQUARED) / squash**1.5
    along_parallel = _SEMI_MAJOR_M / math.sqrt(squash) * math.cos(middle)
    east = (lon2 - lon1 + 180) % 360 - 180  # also across the antimeridian
    return math.hypot(math.radians(lat2 - lat1) * along_meridian, math.radians(east) * along_parallel)
