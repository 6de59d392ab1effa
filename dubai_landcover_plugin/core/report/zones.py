"""Zones: polygons within which pixels are counted. A pixel belongs to a zone if its centre does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.ellipsoid import ellipsoid_areas
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import feature_transform
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.layer_source import file_of
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.translation import joined, tr

_STEPS = 256  # segments of an edge as long as the raster, since straight edges are curves in another CRS
_PIXEL_RADIUS = 0.5  # px
_MARGIN = 0.05  # of the raster's size, kept around it when zones are clipped

Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Zone:
    """One zone.

    Args:
        number: From 1, in the order of the layer.
        name: From the layer, or ``Zone N``.
        geometry: As in the layer.
        shape: Its part on and near the raster, in pixel coordinates; may be empty.
        inside: Share of its area on the ground that is inside the raster, 0..1.
        thin: Whether it is thinner than a pixel: no circle of one pixel's diameter fits into it.
    """

    number: int
    name: str
    geometry: Any
    shape: Any
    inside: float
    thin: bool = False

    def window(self, first: int, last: int, width: int) -> tuple[int, int, int, int] | None:
        """Return top, bottom, left, right of its box in rows ``first`` to ``last``; None if it is empty."""
        if self.shape.is_empty:
            return None
        west, north, east, south = self.shape.bounds
        top, bottom = max(math.floor(north), first), min(math.ceil(south), last)
        left, right = max(math.floor(west), 0), min(math.ceil(east), width)
        return (top, bottom, left, right) if top < bottom and left < right else None

    def mask(self, top: int, bottom: int, left: int, right: int) -> npt.NDArray[np.bool_]:
        """Return the pixels of a window with centres in the zone, (bottom - top, right - left)."""
        burnt = rasterio.features.rasterize(
            [self.shape],
            (bottom - top, right - left),
            transform=Affine.translation(left, top),
            dtype="uint8",
        )
        return burnt.astype(bool)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Zones:
    """The zones of a layer.

    Args:
        source: Name of the file.
        zones: In the order of the layer.
        crs: Of their geometries.
        notes: Warnings for the user.
    """

    source: str
    zones: tuple[Zone, ...]
    crs: CRS | None
    notes: tuple[str, ...]


def read_zones(source: str, field: str | None, grid: Grid) -> Zones:
    """Read the polygons of a layer as zones of a raster; they may overlap and extend beyond it.

    Args:
        source: As for :func:`~dubai_landcover_plugin.core.io.vector_reader.read_vector`.
        field: Attribute with their names; with None they are numbered.
        grid: Of the raster.

    Raises:
        RasterOpenError: if the layer cannot be read.
        RequestError: if the attribute does not exist, or there are no polygons.
        GeoreferenceError: if no zone overlaps the raster.
    """
    layer = read_vector(source)
    polygonal = np.isin(shapely.get_type_id(layer.geometries), (3, 6)) & ~shapely.is_empty(layer.geometries)
    if not polygonal.any():
        raise RequestError(tr("{source} holds no polygons.", source=source), tr("Choose a layer of polygons."))
    notes = _notes(layer, polygonal, grid)
    names = [name for name, kept in zip(_names(layer, field), polygonal, strict=True) if kept]
    repeated = len(names) - len(set(names))
    if repeated:
        notes.append(
            tr(
                "{repeated} zones share their name with another one; each is counted by itself, under its number.",
                repeated=repeated,
            )
        )
    geometries = layer.geometries[polygonal]
    shapes, inside = _on_raster(VectorLayer(geometries, {}, layer.crs), grid)
    if not (inside > 0).any():
        raise GeoreferenceError(
            tr("None of the {count} zones overlaps the raster.", count=len(names)),
            tr("Check the layer's extent and its CRS."),
        )
    columns = zip(names, geometries, shapes, inside.tolist(), _is_thin(shapes).tolist())
    zones = [Zone(number, *values) for number, values in enumerate(columns, 1)]
    outside = int((inside == 0).sum())
    if outside:
        notes.append(tr("{outside} of {count} zones are outside the raster.", outside=outside, count=len(zones)))
    name = Path(file_of(source)).name
    return Zones(name, tuple(zones), layer.crs, tuple(notes))


def _notes(layer: VectorLayer, polygonal: npt.NDArray[np.bool_], grid: Grid) -> list[str]:
    notes = []
    left_out = int((~polygonal).sum())
    if left_out:
        notes.append(tr("{left_out} features of the zones layer are not polygons and were ignored.", left_out=left_out))
    repaired = int((~shapely.is_valid(layer.geometries[polygonal])).sum())
    if repaired:
        notes.append(tr("{repaired} zones had invalid geometries, which were repaired.", repaired=repaired))
    if (layer.crs is None) != (grid.crs is None):
        notes.append(
            tr("The zones have no CRS: the zones' coordinates are taken as the raster's.")
            if layer.crs is None
            else tr("The raster has no CRS: the zones' coordinates are taken as the raster's.")
        )
    return notes


def _names(layer: VectorLayer, field: str | None) -> list[str]:
    count = len(layer.geometries)
    if field is None:
        return [f"Zone {number}" for number in range(1, count + 1)]
    if field not in layer.fields:
        known = joined(layer.fields) or tr("none")
        raise RequestError(
            tr("The zones have no attribute '{field}'.", field=field), tr("There is: {known}.", known=known)
        )
    return [_name(value, number) for number, value in enumerate(layer.fields[field].tolist(), 1)]


def _name(value: Any, number: int) -> str:
    missing = value is None or value != value  # NaN
    text = f"{value:.10g}" if isinstance(value, float) else str(value).strip()
    return f"Zone {number}" if missing or not text else text


def _on_raster(layer: VectorLayer, grid: Grid) -> tuple[Geometries, npt.NDArray[np.float64]]:
    """Return the zones in pixel coordinates, clipped near the raster, and the shares of their areas inside it."""
    zones: Geometries = shapely.make_valid(layer.geometries)
    footprint = _footprint(grid, layer)
    own = layer.crs or grid.crs
    both = _areas(np.concatenate([zones, shapely.intersection(zones, footprint)]), own)
    areas, areas_inside = np.split(both, 2)
    inside = np.divide(areas_inside, areas, out=np.zeros(len(zones)), where=areas > 0)
    inside[shapely.covered_by(zones, footprint) & (areas > 0)] = 1.0
    west, south, east, north = footprint.bounds
    margin = _MARGIN * max(east - west, north - south)
    near = shapely.intersection(zones, shapely.box(west - margin, south - margin, east + margin, north + margin))
    if layer.crs is not None and grid.crs is not None and layer.crs != grid.crs:
        near = shapely.segmentize(near, max(east - west, north - south) / _STEPS)
    moved = VectorLayer(near, {}, layer.crs).to_crs(grid.crs).geometries
    shapes = _transformed(moved, ~feature_transform(grid, layer.geometries))
    # With one orientation for all, a pixel centre on a common border belongs to exactly one neighbour.
    shapes = shapely.orient_polygons(_polygons(shapely.make_valid(shapes)))
    return shapes, inside


def _is_thin(shapes: Geometries) -> npt.NDArray[np.bool_]:
    """Return which shapes, (N,) in pixel coordinates, no circle of one pixel's diameter fits into."""
    # The radius of the largest circle is at least area / perimeter: only shapes where that is small are looked at.
    thin: npt.NDArray[np.bool_] = shapely.area(shapes) <= shapely.length(shapes) * _PIXEL_RADIUS
    narrow = np.flatnonzero(thin)
    thin[narrow] = shapely.is_empty(shapely.buffer(shapes[narrow], -_PIXEL_RADIUS))
    return thin


def _areas(zones: Geometries, crs: CRS | None) -> npt.NDArray[np.float64]:
    """Return areas on the ellipsoid, (N,) m²; planar without a CRS, and in one that is not on the Earth."""
    west, south, east, north = shapely.bounds(zones).T
    longest = np.fmax(np.fmax(east - west, north - south) / _STEPS, np.finfo(float).tiny)
    try:
        areas = np.full(1, np.nan) if crs is None else ellipsoid_areas(shapely.segmentize(zones, longest), crs)
    except GDAL_ERRORS:
        areas = np.full(1, np.nan)
    return areas if np.isfinite(areas).all() else shapely.area(zones)


def _footprint(grid: Grid, layer: VectorLayer) -> Any:
    """Return the outline of the raster in the zones' CRS."""
    outline = shapely.segmentize(shapely.box(0, 0, grid.width, grid.height), max(grid.height, grid.width) / _STEPS)
    placed = _transformed(outline, feature_transform(grid, layer.geometries))
    moved = VectorLayer(np.array([placed], object), {}, grid.crs).to_crs(layer.crs).geometries
    return shapely.make_valid(moved[0])


def _transformed(geometries: Any, transform: Affine) -> Any:
    """Return geometries with their coordinates transformed."""
    t = transform

    def move(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = points[:, 0], points[:, 1]
        return np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])

    return shapely.transform(geometries, move)


def _polygons(shapes: Geometries) -> Geometries:
    """Return the polygonal part of each geometry; lines and points left by clipping and repair have no area."""
    parts, owners = shapely.get_parts(shapes, return_index=True)
    while (shapely.get_type_id(parts) > 3).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        owners = owners[inner]
    kept = shapely.get_type_id(parts) == 3
    result: Geometries = np.full(len(shapes), shapely.MultiPolygon(), object)
    shapely.multipolygons(parts[kept], indices=owners[kept], out=result)
    return result
