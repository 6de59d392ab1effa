"""Areas of drawn features on a raster: the pixels that they cover, independent of the window that is asked for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import feature_transform, to_pixels
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.translation import tr

Edges = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Place = tuple[slice, slice]

_CROSSINGS = 1 << 20  # of edges with rows, computed at once
_LEAST_BRUSH = 1.5  # px: a narrower brush would leave gaps between the pixels of a line
_SURFACES = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


@dataclass(frozen=True)
class Area:
    """The pixels with their centre in a polygon.

    Args:
        edges: Outline in pixel coordinates, see :func:`polygon_edges`.
        bounds: Left, top, right, bottom, px.
    """

    edges: Edges
    bounds: tuple[float, float, float, float]

    def window(self, whole: Window) -> Window | None:
        """Return the part of a window that the bounds touch; None if there is none."""
        left, top, right, bottom = self.bounds
        # Bounds may be far outside: they are limited before they are rounded.
        first_row, last_row = math.floor(max(top, whole.row)), math.ceil(min(bottom, whole.rows.stop))
        first_col, last_col = math.floor(max(left, whole.col)), math.ceil(min(right, whole.cols.stop))
        if first_row >= last_row or first_col >= last_col:
            return None
        return Window(first_row, first_col, last_row - first_row, last_col - first_col)


class Areas:
    """Areas with a spatial index.

    Args:
        areas: The areas.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        self._areas = tuple(areas)
        self._tree = shapely.STRtree([shapely.box(*one.bounds) for one in areas])

    def masks(self, window: Window) -> Iterator[tuple[int, Place, Mask]]:
        """Yield the areas that touch a window, in their order.

        Yields:
            Number of the area, the rows and columns of its part of the window, and its pixels there, (h, w) bool.
        """
        box = shapely.box(window.col, window.row, window.cols.stop, window.rows.stop)
        for index in np.sort(self._tree.query(box)).tolist():
            part = self._areas[index].window(window)
            if part is not None:
                top, left = part.row - window.row, part.col - window.col
                place = slice(top, top + part.height), slice(left, left + part.width)
                yield index, place, filled(self._areas[index].edges, part)

    def __len__(self) -> int:
        return len(self._areas)

    def mask(self, window: Window) -> Mask:
        """Return the pixels of a window with their centre in any of the areas, (height, width) bool."""
        found = np.zeros((window.height, window.width), bool)
        for _, place, inside in self.masks(window):
            found[place] |= inside
        return found

    def touch(self, window: Window) -> bool:
        """Return whether a pixel of a window has its centre in one of the areas."""
        return any(inside.any() for _, _, inside in self.masks(window))

    def bounds(self, whole: Window) -> Window | None:
        """Return the part of a window that the bounds of all areas touch; None if there is none."""
        left, top, right, bottom = np.array([one.bounds for one in self._areas]).T
        return Area(np.empty((0, 4)), (left.min(), top.min(), right.max(), bottom.max())).window(whole)

    @property
    def digest(self) -> str:
        """SHA-256 of the outlines in pixel coordinates, hexadecimal; the order of the areas does not matter."""
        parts = sorted(hashlib.sha256(np.ascontiguousarray(one.edges).data).digest() for one in self._areas)
        return hashlib.sha256(b"".join(parts)).hexdigest()


def polygon_edges(shape: Any) -> Edges:
    """Return the edges of a polygon or multipolygon that are not horizontal, (M, 4): x and y of both ends, upper first.

    Both polygons at a shared edge have it in the same direction, so that rounding gives no gap or overlap.

    Args:
        shape: Shapely geometry in pixel coordinates (column, row).
    """
    points, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts([shape])), return_index=True)
    edges: Edges = np.hstack([points[:-1], points[1:]])[ring[1:] == ring[:-1]]  # (M, 4)
    edges = edges[edges[:, 1] != edges[:, 3]]
    upwards = edges[:, 1] > edges[:, 3]
    edges[upwards] = edges[upwards][:, [2, 3, 0, 1]]
    return edges


def filled(edges: Edges, window: Window) -> Mask:
    """Return the pixels of a window with their centre inside a polygon, (height, width) bool; even-odd rule.

    A pixel is the same in every window, because no result of arithmetic depends on the window. Of polygons that share
    an edge, exactly one contains a centre on it.

    Args:
        edges: See :func:`polygon_edges`.
        window: Pixels of the raster.
    """
    x0, y0, x1, y1 = edges.T
    # Rows whose line of centres an edge crosses: y0 <= row + 0.5 < y1.
    first = np.clip(np.ceil(y0 - 0.5), window.row, window.rows.stop).astype(np.int64)
    last = np.clip(np.ceil(y1 - 0.5), window.row, window.rows.stop).astype(np.int64)
    counts = last - first
    ends = np.cumsum(counts)
    # A crossing toggles all pixels of its row with their centre at its right.
    toggles = np.zeros((window.height, window.width + 1), np.uint8)
    start = 0
    while start < len(edges):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + _CROSSINGS, side="right")), start + 1)
        edge = np.repeat(np.arange(start, stop), counts[start:stop])  # one entry for each crossing
        rows = first[edge] + np.arange(before, before + len(edge)) - (ends - counts)[edge]
        x = x0[edge] + (rows + 0.5 - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
        cols = np.clip(np.ceil(x - 0.5), window.col, window.cols.stop).astype(np.int64)
        np.bitwise_xor.at(toggles, (rows - window.row, cols - window.col), np.uint8(1))
        start = stop
    inside: Mask = np.bitwise_xor.accumulate(toggles, axis=1)[:, : window.width].astype(bool)
    return inside


def covered(shape: Any, brush: float) -> Any:
    """Return the polygon or multipolygon that a geometry in pixel coordinates covers.

    Args:
        shape: Shapely geometry of any kind.
        brush: Width of points and lines, px; at least 1.5.
    """
    if shapely.get_type_id(shape) in _SURFACES:
        return shape
    parts = shapely.get_parts(shapely.get_parts([shape]))  # of collections too
    drawn = ~np.isin(shapely.get_type_id(parts), _SURFACES)
    parts[drawn] = shapely.buffer(parts[drawn], max(brush, _LEAST_BRUSH) / 2)
    return shapely.union_all(parts)


def areas_of(layer: VectorLayer, widths: Sequence[float], grid: Grid) -> list[Area | None]:
    """Return the area of each feature of a layer; None for features without geometry.

    Args:
        layer: The features, in any CRS.
        widths: (N,) width of points and lines, px.
        grid: Grid of the raster.

    Raises:
        GeoreferenceError: if a coordinate cannot be transformed.
    """
    moved = layer.to_crs(grid.crs)
    transform = feature_transform(grid, moved.geometries)
    found: list[Area | None] = []
    for geometry, width in zip(moved.geometries, widths, strict=True):
        shape = None if geometry is None else covered(to_pixels(geometry, transform), width)
        found.append(None if shape is None or shape.is_empty else Area(polygon_edges(shape), shape.bounds))
    return found


def read_areas(source: str, grid: Grid, name: str = "", refuse_invalid: bool = False) -> tuple[Areas, list[str]]:
    """Return the polygons of a layer as areas of a raster, and warnings.

    Args:
        source: The layer, see :func:`.read_vector`; in any CRS.
        grid: Grid of the raster.
        name: Name of the features, for messages; polygons if empty.
        refuse_invalid: Whether polygons that cross themselves are an error; otherwise the even-odd rule fills them.

    Raises:
        RasterOpenError: if the layer cannot be read.
        RequestError: if it has no polygons, or an invalid one that is refused.
        GeoreferenceError: if none is on the raster.
    """
    name = name or tr("polygons")
    layer = read_vector(source)
    surfaces = np.isin(shapely.get_type_id(layer.geometries), _SURFACES)
    if not surfaces.any():
        raise RequestError(tr("{source} has no polygons.", source=source), tr("Choose a layer of polygons."))
    if refuse_invalid:
        _refuse_invalid(layer, surfaces, source)
    warnings = crs_warnings(layer, grid, name)
    if not surfaces.all():
        warnings.append(tr("{count:,} features are not polygons and were left out.", count=(~surfaces).sum()))
    kept = VectorLayer(layer.geometries[surfaces], {}, layer.crs)
    areas = [area for area in areas_of(kept, [0.0] * len(kept.geometries), grid) if area is not None]
    touches_raster(areas, grid, name)
    return Areas(areas), warnings


def _refuse_invalid(layer: VectorLayer, surfaces: Mask, source: str) -> None:
    """Refuse polygons that cross themselves: which side is inside is not defined.

    Raises:
        RequestError: naming the first one.
    """
    wrong = np.flatnonzero(surfaces & ~shapely.is_valid(layer.geometries))
    if len(wrong):
        first = int(wrong[0])
        raise RequestError(
            tr(
                "{source}: {count:,} of {total:,} polygons are not valid; feature {first}: {reason}.",
                source=source,
                count=len(wrong),
                total=surfaces.sum(),
                first=first + 1,
                reason=shapely.is_valid_reason(layer.geometries[first]),
            ),
            tr("Repair the layer with Fix Geometries in QGIS."),
        )


def crs_warnings(layer: VectorLayer, grid: Grid, name: str) -> list[str]:
    """Return a warning if the layer or the raster has no CRS.

    Args:
        layer: The layer.
        grid: Grid of the raster.
        name: Name of the features, for messages, such as ``corrections``.
    """
    if layer.crs is None and grid.crs is not None:
        return [tr("The {name} have no CRS: the CRS of the raster was assumed.", name=name)]
    if layer.crs is not None and grid.crs is None:
        return [tr("The raster has no CRS: the coordinates of the {name} were used unchanged.", name=name)]
    return []


def touches_raster(areas: Sequence[Area], grid: Grid, name: str) -> list[bool]:
    """Return for each area whether its bounds touch the raster.

    Args:
        areas: At least one.
        grid: Grid of the raster.
        name: Name of the features, for messages.

    Raises:
        GeoreferenceError: if none does.
    """
    whole = Window(0, 0, grid.height, grid.width)
    inside = [one.window(whole) is not None for one in areas]
    if not any(inside):
        left, top, right, bottom = np.array([one.bounds for one in areas]).T
        raise GeoreferenceError(
            tr(
                "None of the {count:,} {name} is on the raster: they cover columns {left:.0f} to {right:.0f} and "
                "rows {top:.0f} to {bottom:.0f} of {width}×{height} px.",
                count=len(areas),
                name=name,
                left=left.min(),
                right=right.max(),
                top=top.min(),
                bottom=bottom.max(),
                width=grid.width,
                height=grid.height,
            ),
            tr("Choose {name} that were drawn on this raster, and check the CRS of both.", name=name),
        )
    return inside
