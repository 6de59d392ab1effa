"""Local metric coordinates around each building, in any CRS."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import ellipsoid_pixel_sizes, plane_factor
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import tr

Array = npt.NDArray[np.float64]
_DEGREE_M = 111_320.0
_CELL = 0.01
"""Side of the cells that share one scale, degrees; within a cell it changes by less than 0.1 % up to 70° latitude."""
_PIXEL = 1e-4
"""Distance over which the scale is measured, degrees."""
_DECIMALS = 6
"""Decimals of coordinates in metres; other units get as many as keep the same precision."""
_REMEDY = "Check the CRS of the layer, or clip it to the area in which the CRS is defined."


@dataclass(frozen=True)
class LocalFrame:
    """Similarity transform between the CRS and metres along and across the walls of a building.

    Args:
        origin: (2,) origin of the frame, in the CRS.
        scale: (2,) metres on the ground per unit of x and y at the origin.
        angle: Direction of the walls from the x axis, counter-clockwise, radians.
    """

    origin: Array
    scale: Array
    angle: float = 0.0

    def _rotation(self) -> Array:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def to_local(self, points: Array) -> Array:
        """Transform coordinates of the CRS, (N, 2), to the frame, m."""
        local: Array = (points - self.origin) * self.scale @ self._rotation()
        return local

    def to_crs(self, points: Array) -> Array:
        """Transform coordinates of the frame, (N, 2) m, to the CRS; the inverse of :meth:`to_local`.

        Coordinates are rounded to a micrometre, so that edges which coincide but for rounding errors coincide exactly,
        which overlay operations need.
        """
        coordinates = points @ self._rotation().T / self.scale + self.origin
        rounded: Array = np.round(coordinates, _DECIMALS + math.ceil(math.log10(self.scale.max())))
        return rounded


def local_frames(polygons: npt.NDArray[np.object_], crs: CRS | None) -> list[LocalFrame]:
    """Return a frame at the centroid of each polygon, along the axes of the CRS; without a CRS in the layer's units."""
    origins = shapely.get_coordinates(shapely.centroid(polygons))
    return [LocalFrame(origin, scale) for origin, scale in zip(origins, ground_scales(crs, origins), strict=True)]


def ground_scales(crs: CRS | None, points: Array) -> Array:
    """Return the metres on the ground per unit of x and of y at each point, (N, 2); 1 without a CRS.

    Args:
        crs: CRS of the points, or None.
        points: (N, 2) in the CRS.

    Raises:
        GeoreferenceError: if a point is outside the area in which the CRS is defined.
    """
    if crs is None or not len(points):
        return np.ones(points.shape)
    unit = 1.0 if crs.is_geographic else _DEGREE_M
    pixel = Affine.scale(_PIXEL * unit)
    # Where lengths in the plane of the CRS are nearly those on the ground, one factor holds for all points.
    col, row = np.median(points, axis=0) / (_PIXEL * unit)
    factor = plane_factor(crs, pixel, [(col, row)])
    if factor is not None:
        return np.full(points.shape, factor, np.float64)
    # Else the scale is measured on the ellipsoid, once for each cell of a coarse grid.
    cells, cell_of_point = np.unique(np.round(points / (_CELL * unit)), axis=0, return_inverse=True)
    sizes = ellipsoid_pixel_sizes(crs, pixel, [tuple(cell * _CELL / _PIXEL) for cell in cells])
    scales = np.array(sizes) / (_PIXEL * unit)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise GeoreferenceError(tr("The layer has points outside the area of {crs}.", crs=crs), tr(_REMEDY))
    point_scales: Array = scales[cell_of_point.reshape(-1)]
    return point_scales
