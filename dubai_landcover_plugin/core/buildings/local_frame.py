"""Metres around each building, whatever the CRS."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from dubai_landcover_plugin.core.grid.grid import ellipsoid_pixel_size, plane_factor
from dubai_landcover_plugin.protocol.errors import GeoreferenceError

Array = npt.NDArray[np.float64]
_DEGREE_M = 111_320.0
_CELL = 0.01
"""Side of the cells within which one scale will do, degrees: it changes by less than 1 in 1,000 up to 70° latitude."""
_PIXEL = 1e-4
"""Distance over which it is measured, degrees."""
_DECIMALS = 6
"""Of coordinates, where the unit is the metre."""
_REMEDY = "Check its CRS, or clip it."


@dataclass(frozen=True)
class Frame:
    """A building's own axes: metres along and across its walls.

    Args:
        middle: (2,) origin, in the CRS.
        scale: (2,) metres for each unit of x and y there.
        angle: From the x axis to the walls, counter-clockwise, radians.
    """

    middle: Array
    scale: Array
    angle: float = 0.0

    def _turn(self) -> Array:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def into(self, points: Array) -> Array:
        """Return (N, 2) coordinates of the CRS along the building's axes, m."""
        turned: Array = (points - self.middle) * self.scale @ self._turn()
        return turned

    def back(self, points: Array) -> Array:
        """Return what :meth:`into` was given, to the micrometre.

        Rounding lets edges coincide that would miss each other by less; libraries err about such ones.
        """
        turned = points @ self._turn().T / self.scale + self.middle
        rounded: Array = np.round(turned, _DECIMALS + math.ceil(math.log10(self.scale.max())))
        return rounded


def frames(polygons: npt.NDArray[np.object_], crs: CRS | None) -> list[Frame]:
    """Return a frame for each polygon, along the axes of the CRS; without a CRS its units are kept."""
    middles = shapely.get_coordinates(shapely.centroid(polygons))
    return [Frame(middle, scale) for middle, scale in zip(middles, ground_scales(crs, middles), strict=True)]


def ground_scales(crs: CRS | None, points: Array) -> Array:
    """Return the metres on the ground for a unit of x and of y near each point, (N, 2); 1 without a CRS.

    Raises:
        GeoreferenceError: if a point has no place on the ground.
    """
    factor = 1.0 if crs is None else plane_factor(crs)
    if crs is None or factor is not None:
        return np.full(points.shape, factor, np.float64)
    unit = 1.0 if crs.is_geographic else _DEGREE_M
    cells, own = np.unique(np.round(points / (_CELL * unit)), axis=0, return_inverse=True)
    pixel = Affine.scale(_PIXEL * unit)
    try:
        sizes = [ellipsoid_pixel_size(crs, pixel, *(cell * _CELL / _PIXEL)) for cell in cells]
    except (RasterioError, CRSError) as error:
        raise GeoreferenceError(f"The layer has no place on the ground: {error}.", _REMEDY) from error
    scales = np.array(sizes) / (_PIXEL * unit)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise GeoreferenceError(f"The layer has points without a place in {crs}.", _REMEDY)
    spread: Array = scales[own.reshape(-1)]
    return spread
