"""The pixel grid of a raster: shape, transform, CRS, and the size of its pixels on the ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import joined, tr

LonLat = tuple[float, float]


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
        if self.crs is None:
            return None
        thirds = [(col, row) for col in (0, 0.5, 1) for row in (0.5, 0, 1)]  # centre, edges and corners
        return plane_factor(self.crs, self.transform, [(col * self.width, row * self.height) for col, row in thirds])

    @property
    def has_constant_scale(self) -> bool:
        """Whether all pixels have the same ground size."""
        return self.crs is None or self._plane_factor is not None

    @property
    def measured_on(self) -> str | None:
        """Surface of areas and lengths: ``plane`` of the CRS or WGS 84 ``ellipsoid``; None without a CRS."""
        if self.crs is None:
            return None
        return "ellipsoid" if self._plane_factor is None else "plane"

    @cached_property
    def scale_note(self) -> str:
        """A message for the user where pixels of a row differ in size by more than 1 %; empty elsewhere."""
        if self.crs is None or self.measured_on == "plane":
            return ""
        eighths = [index / 8 for index in range(9)]
        worst = 0.0
        for row in (0.0, self.height / 2, float(self.height)):
            columns = [(self.width * part, row) for part in (0.5, *eighths)]
            middle, *sizes = ellipsoid_pixel_sizes(self.crs, self.transform, columns)
            for size in sizes if all(middle) else ():
                ratios = (size[0] / middle[0], size[1] / middle[1], math.prod(size) / math.prod(middle))
                worst = max([worst, *(abs(ratio - 1) for ratio in ratios if math.isfinite(ratio))])
        if worst <= _MAX_DISTORTION:
            return ""
        return tr(
            "Pixels of a row differ in size on the ground by up to {worst:.1%}; areas and lengths take the "
            "size in the middle. Reproject the raster for exact ones, for example to UTM.",
            worst=worst,
        )

    def pixel_size_m(self, row: float | None = None) -> tuple[float, float] | None:
        """Return the ground size of a pixel as (width, height), m, at ``row`` (default: the centre row).

        None without a CRS.
        """
        return None if self.crs is None else self.pixel_sizes_m([self.height / 2 if row is None else row])[0]

    def pixel_sizes_m(self, rows: Sequence[float]) -> list[tuple[float, float]]:
        """Return the ground sizes of the pixels in the middle of ``rows`` as (width, height), m; 1 without a CRS.

        Raises:
            GeoreferenceError: if the CRS is geographic and not on the Earth.
        """
        if self.crs is None:
            return [(1.0, 1.0)] * len(rows)
        if self._plane_factor is not None:
            return [plane_pixel_size(self.transform, self._plane_factor)] * len(rows)
        sizes = ellipsoid_pixel_sizes(self.crs, self.transform, [(self.width / 2, row) for row in rows])
        if all(math.isfinite(across * down) for across, down in sizes):
            return sizes
        if not self.crs.is_projected:
            raise GeoreferenceError(
                tr("Pixels cannot be measured on the Earth in {crs}.", crs=self.crs),
                tr("Check the CRS, or give the right one."),
            )
        flat = plane_pixel_size(self.transform, float(self.crs.linear_units_factor[1]))
        return [size if math.isfinite(size[0] * size[1]) else flat for size in sizes]  # rows outside the CRS's domain

    def pixel_cosines(self, rows: Sequence[float]) -> list[float]:
        """Return the cosines of the angle on the ground between the sides of the pixels in the middle of ``rows``.

        0 where they are at right angles, as always in the plane of the CRS.
        """
        if self.crs is None or self._plane_factor is not None:
            return [0.0] * len(rows)
        axes = _pixel_axes(self.crs, self.transform, [(self.width / 2, row) for row in rows])
        return [_cosine(*pair) for pair in axes]

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
                tr(
                    "The extent {extent} does not touch the raster, which covers {bounds}.",
                    extent=_listed(extent),
                    bounds=_listed(bounds),
                ),
                tr("Give xmin, ymin, xmax, ymax in the raster's CRS."),
            )
        return Window(top, left, bottom - top, right - left)


def _listed(numbers: tuple[float, ...] | list[float]) -> str:
    return joined(f"{number:.10g}" for number in numbers)


_SEMI_MAJOR_M = 6_378_137.0  # WGS 84
_ECCENTRICITY_SQUARED = 6.694379990141e-3  # WGS 84
_MAX_DISTORTION = 0.01  # of lengths and areas in the plane of a projected CRS
_RIGHT_ANGLE = 1e-9  # deviation of the sine from 1 that is rounding


def plane_factor(crs: CRS, transform: Affine, places: Sequence[tuple[float, float]]) -> float | None:
    """Return metres per unit of the CRS; None for CRS in which pixels are measured on the WGS 84 ellipsoid.

    Distances in projected CRS are planar, as in GIS, where lengths and areas differ from those on the ground by at most
    1 %, as in UTM. Geographic CRS, (Web) Mercator and projected CRS with a larger distortion at the data, such as an
    equidistant cylindrical projection far from its standard parallel, are measured on the ellipsoid.

    Args:
        crs: The CRS.
        transform: Affine transform from pixel coordinates to the CRS.
        places: (col, row) of the pixels at which the scale is compared.
    """
    if crs.is_geographic or crs.to_dict().get("proj") in ("merc", "webmerc"):
        return None
    if not crs.is_projected:
        return 1.0
    factor = float(crs.linear_units_factor[1])
    flat = plane_pixel_size(transform, factor)
    for size in ellipsoid_pixel_sizes(crs, transform, places):
        # Sizes outside the domain of the CRS, and of CRS that are not on Earth, are not finite and do not count.
        pairs = [*zip(size, flat), (math.prod(size), math.prod(flat))]
        if any(abs(ground - plane) > _MAX_DISTORTION * ground for ground, plane in pairs):
            return None
    return factor


def plane_pixel_size(transform: Affine, factor: float) -> tuple[float, float]:
    """Return the planar size of a pixel as (width, height), m; ``factor`` is metres per unit of the CRS."""
    return math.hypot(transform.a, transform.d) * factor, math.hypot(transform.b, transform.e) * factor


def ellipsoid_pixel_sizes(
    crs: CRS, transform: Affine, places: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the sizes of the pixels at ``places``, (col, row), on the WGS 84 ellipsoid as (width, height), m.

    Their product is the pixel's area: where its sides are not at right angles on the ground, both are shortened alike.
    NaN where the CRS is not defined.
    """
    return [_size(*axes) for axes in _pixel_axes(crs, transform, places)]


def _pixel_axes(
    crs: CRS, transform: Affine, places: Sequence[tuple[float, float]]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return the ways (north, east), m, across and down the pixels at ``places``; NaN where the CRS is not defined."""
    steps = ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
    ends = [transform @ (col + right, row + down) for col, row in places for right, down in steps]
    try:
        lons, lats = warp_points(crs, CRS.from_epsg(4326), [x for x, _ in ends], [y for _, y in ends])[:2]
    except (RasterioError, CRSError, CPLE_BaseError):
        if len(places) == 1:
            return [((math.nan, math.nan), (math.nan, math.nan))]
        return [axes for place in places for axes in _pixel_axes(crs, transform, [place])]
    points = list(zip(lons, lats))
    return [
        (_offset(*points[first : first + 2]), _offset(*points[first + 2 : first + 4]))
        for first in range(0, len(points), 4)
    ]


def _cosine(across: tuple[float, float], down: tuple[float, float]) -> float:
    """Return the cosine of the angle between the sides of a pixel; 0 for a right angle up to rounding."""
    lengths = math.hypot(*across) * math.hypot(*down)
    area = abs(across[0] * down[1] - across[1] * down[0])
    if not area < (1 - _RIGHT_ANGLE) * lengths:  # NaN too
        return 0.0
    return (across[0] * down[0] + across[1] * down[1]) / lengths


def _size(across: tuple[float, float], down: tuple[float, float]) -> tuple[float, float]:
    """Return width and height, m, of a pixel from the ways across and down."""
    if not all(map(math.isfinite, (*across, *down))):
        return math.nan, math.nan
    width, height = math.hypot(*across), math.hypot(*down)
    area = abs(across[0] * down[1] - across[1] * down[0])
    squeeze = math.sqrt(area / (width * height)) if area < (1 - _RIGHT_ANGLE) * width * height else 1.0
    return width * squeeze, height * squeeze


def _offset(start: LonLat, end: LonLat) -> tuple[float, float]:
    """Return the way north and east between two nearby points, m, from WGS 84's radii at mid-latitude."""
    if not all(map(math.isfinite, (*start, *end))):
        return math.nan, math.nan
    (lon1, lat1), (lon2, lat2) = start, end
    middle = math.radians((lat1 + lat2) / 2)
    squash = 1 - _ECCENTRICITY_SQUARED * math.sin(middle) ** 2
    along_meridian = _SEMI_MAJOR_M * (1 - _ECCENTRICITY_SQUARED) / squash**1.5
    along_parallel = _SEMI_MAJOR_M / math.sqrt(squash) * math.cos(middle)
    east = (lon2 - lon1 + 180) % 360 - 180  # also across the antimeridian
    return math.radians(lat2 - lat1) * along_meridian, math.radians(east) * along_parallel
