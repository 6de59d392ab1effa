"""Pixels and areas of the classes of a map, the strata of an assessment, counted band by band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine

from dubai_landcover_plugin.core.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.core.classified import Ids
from dubai_landcover_plugin.core.raster import Grid

_BLOCK_ROWS = 512  # px; the height of a block of our GeoTIFFs
_BAND_PIXELS = 1 << 21  # held at once
CACHE_MB = 128  # of blocks that GDAL keeps; bands are read in order, and each block once or a few times
NO_CLASS = -1
Indices = npt.NDArray[np.int16]
"""Class indices of pixels; small, for there are many."""
_AREA_SAMPLES = 1025  # rows at which the size of pixels is computed where it varies


@dataclass(frozen=True)
class Strata:
    """What a map holds.

    Args:
        pixels: (256,) int64 by class id; index 0 is no data.
        areas: (256,) m², px without a CRS.
    """

    pixels: npt.NDArray[np.int64]
    areas: npt.NDArray[np.float64]

    def of(self, scheme: ClassScheme) -> Strata:
        """Return pixels and areas, (K,) each, in the order of ``scheme.entries``."""
        ids = [entry.id for entry in scheme.entries]
        return Strata(self.pixels[ids], self.areas[ids])

    def unknown_pixels(self, scheme: ClassScheme) -> int:
        """Return how many pixels have an id that the scheme does not know."""
        known = [NODATA_ID, *(entry.id for entry in scheme.entries)]
        return int(self.pixels.sum() - self.pixels[known].sum())


class StrataCounter:
    """Counts bands of rows as they come."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._pixels = np.zeros(256, np.int64)
        self._areas = np.zeros(256)

    def add(self, first: int, ids: Ids) -> npt.NDArray[np.int64]:
        """Count rows from ``first`` on, (n, W); return their own pixels by class id, (256,)."""
        if self._grid.has_constant_scale:
            counts = np.bincount(ids.ravel(), minlength=256)
            self._areas += counts * pixel_areas(self._grid, np.array([first]))[0]
        else:
            of_rows = np.stack([np.bincount(row, minlength=256) for row in ids])
            counts = of_rows.sum(axis=0)
            self._areas += pixel_areas(self._grid, first + np.arange(len(ids))) @ of_rows
        self._pixels += counts
        return counts

    def strata(self) -> Strata:
        """Return the sums so far."""
        return Strata(self._pixels.copy(), self._areas.copy())


def band_rows(grid: Grid) -> int:
    """Return how many rows are held at once."""
    return max(min(_BLOCK_ROWS, _BAND_PIXELS // grid.width), 1)


def pixel_areas(grid: Grid, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the area on the ground of the pixels of each row, (n,) m²; 1 without a CRS."""
    if grid.has_constant_scale:
        return np.full(len(rows), np.prod(grid.pixel_size_m() or (1.0, 1.0)))
    known = np.linspace(0.5, grid.height - 0.5, min(grid.height, _AREA_SAMPLES))
    areas = [float(np.prod(grid.pixel_size_m(row) or (1.0, 1.0))) for row in known]
    found: npt.NDArray[np.float64] = np.interp(rows + 0.5, known, areas)
    return found


def drawn_transform(grid: Grid) -> Affine:
    """Return pixel corner to map as GIS draw it: a raster without any place goes downwards from y = 0."""
    return Affine.scale(1, -1) if _is_plain(grid) else grid.transform


def found_transform(grid: Grid, lowest: float) -> Affine:
    """Return pixel corner to map for features whose lowest y is known.

    On a raster without any place, features count rows downwards (see :func:`drawn_transform`) or upwards from 0, as
    GDAL does.
    """
    return Affine.identity() if _is_plain(grid) and lowest >= 0 else drawn_transform(grid)


def _is_plain(grid: Grid) -> bool:
    return grid.crs is None and bool(grid.transform.is_identity)


def class_indices(scheme: ClassScheme) -> Indices:
    """Return the index in ``scheme.entries`` of each raster id, (256,); ``NO_CLASS`` where there is none."""
    indices = np.full(256, NO_CLASS, np.int16)
    indices[[entry.id for entry in scheme.entries]] = np.arange(len(scheme.entries))
    return indices
