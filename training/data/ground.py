"""Overlaps of georeferenced images on the ground.

The outlines of all images are points of one sphere, so that coordinate reference systems, the antimeridian and the
poles make no difference. Pairs are compared in the gnomonic projection around the first of the two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS

from .layers import is_on_earth

if TYPE_CHECKING:
    from .dataset import Entry

_SIDE = 9  # points of the lattice on an image along each axis: its edges are curved in another CRS
_LEAST_PX = 2.0  # mean width of a common area up to which it is a rounding of the outlines
_WIDEST = 1.0  # radius of an image on the sphere, radians; wider ones have no gnomonic projection
_SLACK = 1e-9  # Earth radii, 6 mm

Floats = npt.NDArray[np.float64]


class Ground:
    """Ground of labelled images.

    Attributes:
        centres: (N, 3) unit vectors from the centre of the Earth; NaN for images without a position.
        pairs: (P, 2) int64 indices of two images, ascending, that overlap by more than two pixels or are one file.

    Args:
        entries: N images; those without a CRS overlap none.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        lattices, self._pixels = _lattices(entries)  # (N, _SIDE², 3), (N,)
        mean = lattices.mean(axis=1)
        self.centres: Floats = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), _SLACK)
        self.pairs: npt.NDArray[np.int64] = np.unique(
            np.array([*self._overlapping(lattices), *_same_files(entries)], np.int64).reshape(-1, 2), axis=0
        )

    @property
    def located(self) -> npt.NDArray[np.bool_]:
        """Images with a position, (N,)."""
        return np.array([np.isfinite(centre).all() for centre in self.centres], np.bool_)

    def _overlapping(self, lattices: Floats) -> list[tuple[int, int]]:
        known = np.flatnonzero(self.located)
        rings = lattices[:, _ring()]  # (N, R, 3)
        cosines = np.einsum("npk,nk->np", lattices[known], self.centres[known])
        wide: npt.NDArray[np.bool_] = np.zeros(len(lattices), np.bool_)
        wide[known] = cosines.min(axis=1, initial=1.0) < np.cos(_WIDEST)
        pairs: list[tuple[int, int]] = []
        for first, others in _candidates(lattices, known):
            narrow = ~wide[others] & ~wide[first]
            widths = np.full(len(others), np.inf)
            widths[narrow] = self._common_width(first, others[narrow], rings)
            pairs.extend((first, int(second)) for second in others[widths > _LEAST_PX])
        return pairs

    def _common_width(self, first: int, others: npt.NDArray[np.int64], rings: Floats) -> Floats:
        """Return the mean widths of the areas common to one image and each of others, (M,), in px of the coarser."""
        centre = self.centres[first]
        # two axes at right angles to the centre; the pole of the smallest coordinate is farthest from it
        east = np.cross(np.eye(3)[np.argmin(np.abs(centre))], centre)
        axes = np.stack([east / np.linalg.norm(east), np.cross(centre, east / np.linalg.norm(east))], axis=1)  # (3, 2)
        points = rings[[first, *others]]
        # gnomonic: points on the plane that touches the sphere at the centre; others are on the same half of it
        plane = points @ axes / np.maximum(points @ centre, _SLACK)[..., None]  # (1 + M, R, 2)
        outlines = shapely.polygons(plane)
        sizes = np.sqrt(shapely.area(outlines) / self._pixels[[first, *others]])
        common = shapely.intersection(outlines[0], outlines[1:])
        # a strip of length L and width w has the area L w and an outline of about 2 L
        widths = 2 * shapely.area(common) / np.maximum(shapely.length(common), np.finfo(float).tiny)
        in_pixels: Floats = widths / np.maximum(sizes[1:], sizes[0])
        return in_pixels


def _same_files(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Return pairs of whole images with one file, such as an image in two sources."""
    first: dict[Path, int] = {}
    whole = [(index, entry.image.resolve()) for index, entry in enumerate(entries) if entry.window is None]
    return [(first[path], index) for index, path in whole if first.setdefault(path, index) != index]


def _ring() -> npt.NDArray[np.int64]:
    """Return the indices of the lattice points on the outline, in order."""
    index = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    return np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])


def _lattices(entries: Sequence[Entry]) -> tuple[Floats, Floats]:
    """Return lattices of points on each image as unit vectors, (N, _SIDE², 3), NaN without a CRS, and its pixels, (N,).

    Images of one CRS are transformed together.
    """
    shares = np.linspace(0, 1, _SIDE)
    across, down = (axis.ravel() for axis in np.meshgrid(shares, shares))
    vectors = np.full((len(entries), _SIDE * _SIDE, 3), np.nan)
    pixels = np.ones(len(entries))
    places: dict[CRS, list[tuple[int, Floats]]] = defaultdict(list)
    for index, entry in enumerate(entries):
        grid = entry.grid()
        if grid is None or not is_on_earth(grid.crs):
            continue
        window = entry.window or Window(0, 0, grid.height, grid.width)
        pixels[index] = window.height * window.width
        cols, rows, t = window.col + across * window.width, window.row + down * window.height, grid.transform
        places[grid.crs].append((index, np.stack([t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f])))
    for crs, listed in places.items():
        indices, points = zip(*listed, strict=True)
        try:
            lons, lats = warp_points(crs, CRS.from_epsg(4326), *np.concatenate(points, axis=1))[:2]
        except GDAL_ERRORS:  # no transformation to the Earth
            continue
        lon, lat = (np.radians(axis).reshape(len(indices), -1) for axis in (lons, lats))
        vectors[list(indices)] = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    vectors[~np.isfinite(vectors).all(axis=(1, 2))] = np.nan  # images beyond the domain of their CRS
    return vectors, pixels


def _candidates(lattices: Floats, known: npt.NDArray[np.int64]) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Return the images whose boxes in three dimensions meet that of an image and that follow it, for each image."""
    low, high = lattices[known].min(axis=1) - _SLACK, lattices[known].max(axis=1) + _SLACK  # (n, 3)
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    first, second = shapely.STRtree(boxes).query(boxes)
    meets = (first < second) & (low[first, 2] <= high[second, 2]) & (low[second, 2] <= high[first, 2])
    first, second = first[meets], second[meets]
    order = np.argsort(first, kind="stable")
    first, second = first[order], second[order]
    heads, starts = np.unique(first, return_index=True)  # without pairs np.split returns one empty part more
    return [
        (int(known[head]), known[others]) for head, others in zip(heads, np.split(second, starts[1:]), strict=False)
    ]
