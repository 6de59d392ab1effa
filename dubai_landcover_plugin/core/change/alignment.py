"""Two class maps on the same pixels: the later one is read, nearest neighbour, where the earlier one's pixels lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.grid_reader import whole_offset
from dubai_landcover_plugin.protocol.errors import GeoreferenceError

_EDGE_POINTS = 65

Coordinates = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """Where two rasters meet.

    Args:
        window: The common area, pixels of the earlier raster.
        grid: The common area as a grid of its own: that of the result.
        sampling: Where the later raster is read: the same grid, moved by the correction.
        notes: How the grids differ, for the user; empty where their pixels are the same.
    """

    window: Window
    grid: Grid
    sampling: Grid
    notes: tuple[str, ...]


def share_crs(earlier: Grid, later: Grid) -> tuple[Grid, Grid]:
    """Give both grids the CRS of the one that has it, where shape and transform are the same."""
    if replace(earlier, crs=None) != replace(later, crs=None):
        return earlier, later
    return replace(earlier, crs=earlier.crs or later.crs), replace(later, crs=later.crs or earlier.crs)


def align(earlier: Grid, later: Grid, shift: tuple[int, int] = (0, 0)) -> Alignment:
    """Find the common area of two grids.

    Args:
        earlier: Its pixels are kept.
        later: The other grid.
        shift: Columns and rows by which the later raster's content lies off; undone while it is read.

    Raises:
        GeoreferenceError: if only one has a CRS, or they do not overlap.
    """
    if (earlier.crs is None) != (later.crs is None):
        raise GeoreferenceError(
            f"The {'earlier' if earlier.crs is None else 'later'} raster has no CRS, the other one has: they cannot be "
            "laid upon each other.",
            "Assign the CRS first (Raster > Projections > Assign Projection in QGIS).",
        )
    moved = Grid(earlier.height, earlier.width, earlier.transform @ Affine.translation(*shift), earlier.crs)
    same_pixels = whole_offset(later, moved)
    if same_pixels is None:
        left, top, right, bottom = _bounds_in(later, moved)
    else:
        left, top = -same_pixels[0], -same_pixels[1]
        right, bottom = left + later.width, top + later.height
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, earlier.width), min(bottom, earlier.height)
    if left >= right or top >= bottom:
        raise GeoreferenceError(
            "The two rasters do not overlap.", "Choose rasters of the same place, and check the CRS of both."
        )
    window = Window(top, left, bottom - top, right - left)
    grid, sampling = (
        Grid(window.height, window.width, whole.transform @ Affine.translation(left, top), whole.crs)
        for whole in (earlier, moved)
    )
    return Alignment(window, grid, sampling, _differences(earlier, later, same_pixels, window))


def _bounds_in(grid: Grid, wanted: Grid) -> tuple[int, int, int, int]:
    """Return the box around ``grid`` in pixels of ``wanted``: left, top, right, bottom."""
    along = np.linspace(0, 1, _EDGE_POINTS)
    zero, one = np.zeros_like(along), np.ones_like(along)
    cols = np.concatenate([along, along, zero, one]) * grid.width
    rows = np.concatenate([zero, one, along, along]) * grid.height
    xs, ys = _applied(grid.transform, cols, rows)
    if grid.crs is not None and grid.crs != wanted.crs:
        try:
            xs, ys = map(np.asarray, warp_points(grid.crs, wanted.crs, xs, ys)[:2])
        except (RasterioError, CRSError) as error:
            raise GeoreferenceError(
                f"The later raster cannot be brought to {wanted.crs}: {error}.", "Warp it first."
            ) from error
    cols, rows = _applied(~wanted.transform, xs, ys)
    known = np.isfinite(cols) & np.isfinite(rows)
    if not known.any():
        return 0, 0, 0, 0
    cols, rows = cols[known], rows[known]
    slack = 1e-6  # px
    return (
        math.floor(cols.min() + slack),
        math.floor(rows.min() + slack),
        math.ceil(cols.max() - slack),
        math.ceil(rows.max() - slack),
    )


def _applied(transform: Affine, xs: Coordinates, ys: Coordinates) -> tuple[Coordinates, Coordinates]:
    t = transform
    return t.a * xs + t.b * ys + t.c, t.d * xs + t.e * ys + t.f


def _differences(earlier: Grid, later: Grid, same_pixels: tuple[int, int] | None, window: Window) -> tuple[str, ...]:
    notes = []
    if same_pixels is None:
        what = "another CRS" if earlier.crs != later.crs else "other pixels"
        notes.append(
            f"The later raster has {what} than the earlier one: it was resampled to the earlier one's (nearest "
            "neighbour), which moves its edges by up to half a pixel."
        )
        sizes = earlier.gsd(), later.gsd()
        if sizes[0] and sizes[1] and not 1 / 1.5 <= sizes[0] / sizes[1] <= 1.5:
            notes.append(
                f"The pixels differ in size, {sizes[0]:.3g} m and {sizes[1]:.3g} m: along edges this looks like change."
            )
    if (window.height, window.width) != (earlier.height, earlier.width) or same_pixels not in (None, (0, 0)):
        notes.append(
            f"The rasters cover different areas: the common {window.width:,} × {window.height:,} px of the earlier "
            f"one's {earlier.width:,} × {earlier.height:,} px were compared."
        )
    return tuple(notes)
