"""Common grid of two classified rasters: the later is resampled to the earlier one's pixels by nearest neighbour."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.grid_reader import whole_offset
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import tr

_EDGE_POINTS = 65

Coordinates = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """Common area of two rasters.

    Args:
        window: The common area, pixels of the earlier raster.
        grid: Grid of the common area, that of the result.
        sampling: Grid on which the later raster is read: ``grid``, shifted by the correction of the shift.
        notes: Differences of the grids, for the user.
    """

    window: Window
    grid: Grid
    sampling: Grid
    notes: tuple[str, ...]


def share_crs(earlier: Grid, later: Grid) -> tuple[Grid, Grid]:
    """Return the grids with the same CRS if only one has a CRS and their shapes and transforms are equal."""
    if replace(earlier, crs=None) != replace(later, crs=None):
        return earlier, later
    return replace(earlier, crs=earlier.crs or later.crs), replace(later, crs=later.crs or earlier.crs)


def align(earlier: Grid, later: Grid, shift: tuple[int, int] = (0, 0)) -> Alignment:
    """Find the common area of two grids.

    Args:
        earlier: Its pixels are kept.
        later: Grid of the later raster.
        shift: Columns and rows by which the content of the later raster is shifted; corrected when it is read.

    Raises:
        GeoreferenceError: if only one has a CRS, or they do not overlap.
    """
    if (earlier.crs is None) != (later.crs is None):
        raise GeoreferenceError(
            tr("The earlier raster has no CRS and the other one has: they cannot be aligned.")
            if earlier.crs is None
            else tr("The later raster has no CRS and the other one has: they cannot be aligned."),
            tr("Assign the CRS first (Raster > Projections > Assign Projection in QGIS)."),
        )
    shifted = Grid(earlier.height, earlier.width, earlier.transform @ Affine.translation(*shift), earlier.crs)
    offset = whole_offset(later, shifted)
    if offset is None:
        left, top, right, bottom = _bounds_in(later, shifted)
    else:
        left, top = -offset[0], -offset[1]
        right, bottom = left + later.width, top + later.height
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, earlier.width), min(bottom, earlier.height)
    if left >= right or top >= bottom:
        raise GeoreferenceError(
            tr("The two rasters do not overlap."), tr("Choose rasters of the same area, and check the CRS of both.")
        )
    window = Window(top, left, bottom - top, right - left)
    grid, sampling = (
        Grid(window.height, window.width, whole.transform @ Affine.translation(left, top), whole.crs)
        for whole in (earlier, shifted)
    )
    return Alignment(window, grid, sampling, _differences(earlier, later, offset, window))


def _bounds_in(grid: Grid, target: Grid) -> tuple[int, int, int, int]:
    """Return the bounds of ``grid`` in pixels of ``target``: left, top, right, bottom. Its edges are densified."""
    along = np.linspace(0, 1, _EDGE_POINTS)
    zero, one = np.zeros_like(along), np.ones_like(along)
    cols = np.concatenate([along, along, zero, one]) * grid.width
    rows = np.concatenate([zero, one, along, along]) * grid.height
    xs, ys = _transformed(grid.transform, cols, rows)
    if grid.crs is not None and grid.crs != target.crs:
        try:
            xs, ys = map(np.asarray, warp_points(grid.crs, target.crs, xs, ys)[:2])
        except GDAL_ERRORS as error:
            raise GeoreferenceError(
                tr("The later raster cannot be transformed to {crs}: {error}.", crs=target.crs, error=error),
                tr("Warp it to that CRS first (Raster > Projections > Warp in QGIS)."),
            ) from error
    cols, rows = _transformed(~target.transform, xs, ys)
    finite = np.isfinite(cols) & np.isfinite(rows)
    if not finite.any():
        return 0, 0, 0, 0
    cols, rows = cols[finite], rows[finite]
    slack = 1e-6  # px
    return (
        math.floor(cols.min() + slack),
        math.floor(rows.min() + slack),
        math.ceil(cols.max() - slack),
        math.ceil(rows.max() - slack),
    )


def _transformed(transform: Affine, xs: Coordinates, ys: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Apply an affine transform to coordinates, (N,) each."""
    t = transform
    return t.a * xs + t.b * ys + t.c, t.d * xs + t.e * ys + t.f


def _differences(earlier: Grid, later: Grid, offset: tuple[int, int] | None, window: Window) -> tuple[str, ...]:
    """Return notes for the user about how the grids differ."""
    notes = []
    if offset is None:
        notes.append(
            tr(
                "The later raster has another CRS than the earlier one: it was resampled to the pixels of the earlier "
                "one (nearest neighbour), which moves edges by up to half a pixel."
            )
            if earlier.crs != later.crs
            else tr(
                "The later raster has another pixel grid than the earlier one: it was resampled to the pixels of the "
                "earlier one (nearest neighbour), which moves edges by up to half a pixel."
            )
        )
        sizes = earlier.gsd(), later.gsd()
        if sizes[0] and sizes[1] and not 1 / 1.5 <= sizes[0] / sizes[1] <= 1.5:
            notes.append(
                tr(
                    "The pixel sizes differ, {first:.3g} m and {second:.3g} m: along edges this appears as change.",
                    first=sizes[0],
                    second=sizes[1],
                )
            )
    if (window.height, window.width) != (earlier.height, earlier.width) or offset not in (None, (0, 0)):
        notes.append(
            tr(
                "The rasters cover different areas: {width:,} × {height:,} px of the {earlier_width:,} × "
                "{earlier_height:,} px of the earlier raster were compared.",
                width=window.width,
                height=window.height,
                earlier_width=earlier.width,
                earlier_height=earlier.height,
            )
        )
    return tuple(notes)
