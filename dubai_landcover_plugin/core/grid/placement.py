"""Rasters without georeferencing: where QGIS draws them, and how features find them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from dubai_landcover_plugin.core.grid.grid import Grid


def is_unreferenced(grid: Grid) -> bool:
    """Return whether a raster has neither a CRS nor a transform."""
    return grid.crs is None and bool(grid.transform.is_identity)


def drawn_transform(grid: Grid) -> Affine:
    """Return the transform from pixel corners to the map as GIS programs draw the raster.

    They draw one without georeferencing downwards from y = 0: row 10 has y = -10.
    """
    return Affine.scale(1, -1) if is_unreferenced(grid) else grid.transform


def feature_transform(grid: Grid, geometries: npt.NDArray[Any]) -> Affine:
    """Return the transform from pixel corners to the coordinates of features on the raster.

    On a raster without georeferencing, features have been drawn in a GIS program (rows count downwards, y <= 0) or in
    pixel coordinates, as GDAL reports them (y >= 0). The median of their middles decides, so that single features
    beyond the border do not.

    Args:
        grid: Grid of the raster.
        geometries: (N,) shapely geometries in the raster's CRS; None and empty ones do not count.
    """
    if not is_unreferenced(grid):
        return grid.transform
    bounds = shapely.bounds(geometries)  # (N, 4), NaN for None and empty ones
    middles = (bounds[:, 1] + bounds[:, 3]) / 2
    middles = middles[np.isfinite(middles)]
    return drawn_transform(grid) if len(middles) and np.median(middles) <= 0 else grid.transform


def to_pixels(geometry: BaseGeometry, transform: Affine) -> BaseGeometry:
    """Return a geometry in pixel coordinates (column, row).

    Args:
        geometry: The geometry in map coordinates.
        transform: From pixel corners to map coordinates.
    """
    inverse = ~transform
    matrix = np.array([[inverse.a, inverse.d], [inverse.b, inverse.e]])
    moved: BaseGeometry = shapely.transform(geometry, lambda xy: xy @ matrix + (inverse.c, inverse.f))
    return moved
