"""CRS and transform of a raster, checked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import joined, tr

_LARGEST_COORDINATE = 1e12  # of a corner, in the unit of the CRS
_LARGEST_ANGLE = 1000.0  # of a corner in a geographic CRS; 360° beyond the antimeridian occur
_SAME_PX = 0.01  # largest distance of equal places
_WARP_REMEDY = "Warp it first (Raster > Projections > Warp in QGIS), or ask for pixel space to work without a position."


def is_same_place(grid: Grid, other: Grid) -> bool:
    """Return whether two grids of one shape have their pixels at the same places on the ground.

    CRS with different texts are compared by the places of nine points.
    """
    # Corners, middles of the edges and the centre, in pixels.
    points = [(x * grid.width / 2, y * grid.height / 2) for x in range(3) for y in range(3)]
    places = [grid.transform @ point for point in points]
    if grid.crs != other.crs:
        if grid.crs is None or other.crs is None:
            return False
        try:
            xs, ys = warp_points(grid.crs, other.crs, [x for x, _ in places], [y for _, y in places])[:2]
        except GDAL_ERRORS:  # no transformation between them
            return False
        places = list(zip(xs, ys))
    back = ~other.transform
    found = np.array([back @ place for place in places])
    return bool(np.abs(found - np.array(points)).max() <= _SAME_PX)  # NaN is not


def grid_of(dataset: rasterio.DatasetReader, crs: str | None, pixel_space: bool) -> Grid:
    """Return the grid of a raster.

    Args:
        dataset: The raster.
        crs: CRS that replaces the file's; None keeps it.
        pixel_space: Whether a raster with ground control points only is placed in pixel coordinates.

    Raises:
        GeoreferenceError: if CRS or transform are unusable.
    """
    name = Path(dataset.name).name
    own = _crs_of(dataset, crs)
    if dataset.transform.is_identity and (dataset.gcps[0] or dataset.rpcs):
        points = len(dataset.gcps[0])
        what = tr("{points} ground control points", points=points) if points else tr("rational polynomials (RPC)")
        if not pixel_space:
            raise GeoreferenceError(
                tr("{name} has {what} but no transform to a CRS.", name=name, what=what), tr(_WARP_REMEDY)
            )
        own = None
    grid = Grid(dataset.height, dataset.width, dataset.transform, own)
    _check_transform(name, grid)
    return grid


def _crs_of(dataset: rasterio.DatasetReader, given: str | None) -> CRS | None:
    """Return the CRS of a raster, or the one that replaces it.

    Raises:
        GeoreferenceError: if it cannot be understood.
    """
    if given:
        try:
            return CRS.from_user_input(given)
        except CRSError as error:
            raise GeoreferenceError(
                tr("The CRS '{given}' is unknown: {error}.", given=given, error=error),
                tr("Give one such as EPSG:32640."),
            ) from error
    try:
        return declared_crs(dataset.crs)
    except (*GDAL_ERRORS, ValueError) as error:
        raise GeoreferenceError(
            tr("The CRS of {name} cannot be understood: {error}.", name=Path(dataset.name).name, error=error),
            tr("Assign it again, or remove the .aux.xml file beside the raster if the CRS is stored there."),
        ) from error


def _check_transform(name: str, grid: Grid) -> None:
    """Refuse a transform without area, or that leads to places or sizes that no map has.

    Raises:
        GeoreferenceError: with the transform.
    """
    numbers = tuple(grid.transform)[:6]
    corners = [grid.transform @ (x, y) for x in (0, grid.width) for y in (0, grid.height)]
    shown = joined(f"{value:g}" for value in numbers)
    remedy = tr("Georeference the raster again, or remove a damaged world file (.tfw, .wld) beside it.")
    if not all(math.isfinite(value) for value in numbers):
        raise GeoreferenceError(
            tr("{name} has a transform that is not finite: {shown}.", name=name, shown=shown), remedy
        )
    if grid.transform.determinant == 0:
        raise GeoreferenceError(tr("{name} has a transform without area: {shown}.", name=name, shown=shown), remedy)
    if not all(abs(value) < _LARGEST_COORDINATE for corner in corners for value in corner):
        raise GeoreferenceError(
            tr(
                "{name} has coordinates above {limit:g}: transform {shown}.",
                name=name,
                limit=_LARGEST_COORDINATE,
                shown=shown,
            ),
            remedy,
        )
    found = max(abs(value) for corner in corners for value in corner)
    if grid.crs is not None and grid.crs.is_geographic and found > _LARGEST_ANGLE:
        raise GeoreferenceError(
            tr(
                "{name} has coordinates up to {found:,.0f}, which are not degrees, in the geographic CRS {crs}.",
                name=name,
                found=found,
                crs=grid.crs.to_string()[:80],
            ),
            tr("Assign the CRS of its coordinates (--crs, or Raster > Projections > Assign Projection in QGIS)."),
        )
