"""Polygons of a classified raster: along pixel edges, neighbours share theirs, written whole or not at all."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import shapely

from dubai_landcover_plugin.core.classes import NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.core.classified import ClassifiedSource
from dubai_landcover_plugin.core.errors import OutputError
from dubai_landcover_plugin.core.monitor import Monitor, SilentMonitor, raise_if_cancelled
from dubai_landcover_plugin.core.raster import Grid
from dubai_landcover_plugin.core.requests.polygons import PolygonsRequest
from dubai_landcover_plugin.core.vector_files import VectorWriter, check_vector_writable


@dataclass(frozen=True)
class ClassifiedRaster:
    """A class map in memory: ids (H, W) uint8, its place and its classes."""

    ids: npt.NDArray[np.uint8]
    grid: Grid
    scheme: ClassScheme


@dataclass(frozen=True)
class ClassPolygons:
    """Polygons with their classes.

    Args:
        geometries: (N,) shapely polygons in the CRS.
        class_ids: (N,) raster ids.
        areas: (N,) m², or px without a CRS.
        perimeters: (N,) m, or px without a CRS.
    """

    geometries: npt.NDArray[np.object_]
    class_ids: npt.NDArray[np.uint8]
    areas: npt.NDArray[np.float64]
    perimeters: npt.NDArray[np.float64]

    def where(self, chosen: npt.NDArray[np.bool_]) -> ClassPolygons:
        """Return the polygons for which ``chosen``, (N,), is true."""
        return ClassPolygons(
            self.geometries[chosen], self.class_ids[chosen], self.areas[chosen], self.perimeters[chosen]
        )


def read_classified(path: str | Path) -> ClassifiedRaster:
    """Read a raster made by Segment Land Cover.

    Raises:
        RasterOpenError: if it cannot be opened or is no class map.
        RasterReadError: if a block is damaged.
    """
    with ClassifiedSource(path) as source:
        return ClassifiedRaster(source.read(0, source.grid.height), source.grid, source.scheme)


def trace_polygons(
    raster: ClassifiedRaster, min_area: float, simplify: float, monitor: Monitor | None = None
) -> ClassPolygons:
    """Return the polygons of all classes, 4-connected.

    Regions smaller than ``min_area`` first go to their largest neighbour, so that no gaps open; outlines are simplified
    as one coverage, so that neighbours still share their edges (Visvalingam–Whyatt, GEOS).

    Args:
        raster: The class map.
        min_area: Smallest region, m² (px without a CRS).
        simplify: Tolerance, m (px without a CRS); 0 keeps pixel edges.
        monitor: Asked between the stages whether to stop.
    """
    monitor = monitor or SilentMonitor()
    grid = raster.grid
    size = grid.pixel_size_m() or (1.0, 1.0)
    ids, valid = raster.ids, raster.ids != NODATA_ID
    # Larger than the raster, no region would be left to join.
    smallest = math.ceil(min(min_area / (size[0] * size[1]), ids.size) - 1e-9)
    if 1 < smallest < ids.size:
        ids = rasterio.features.sieve(ids, smallest, mask=valid, connectivity=4)
    raise_if_cancelled(monitor)
    shapes = list(rasterio.features.shapes(ids, mask=valid, connectivity=4))
    raise_if_cancelled(monitor)
    class_ids = np.array([value for _, value in shapes], np.uint8)
    pixels = _to_polygons([shape for shape, _ in shapes], _junctions(ids))
    large_enough = _areas(pixels, grid) >= min_area  # as classified: simplifying must not tear holes
    if simplify > 0 and len(pixels):
        pixels = shapely.coverage_simplify(pixels, simplify / math.sqrt(size[0] * size[1]))
    raise_if_cancelled(monitor)
    areas, perimeters = _areas(pixels, grid), _perimeters(pixels, grid)
    return ClassPolygons(_place(pixels, grid), class_ids, areas, perimeters).where(large_enough)


def write_class_polygons(
    raster_path: Path, vector_path: Path, min_area: float, simplify: float, monitor: Monitor | None = None
) -> int:
    """Write the polygons of all classes into one vector file; return how many.

    Raises:
        LandCoverError: if the raster is no class map or the file cannot be written.
    """
    raster = read_classified(raster_path)
    polygons = trace_polygons(raster, min_area, simplify, monitor)
    _write(vector_path, polygons, raster)
    return len(polygons.geometries)


def export_polygons(request: PolygonsRequest, monitor: Monitor | None = None) -> dict[str, Any]:
    """Write one vector file for each chosen class.

    Returns:
        ``files``, ``counts`` and ``area_m2`` by class name, and ``warnings``.

    Raises:
        LandCoverError: if the raster is no class map, a class is unknown or a file cannot be written.
    """
    monitor = monitor or SilentMonitor()
    raster = read_classified(request.input)
    wanted = [_find_class(raster.scheme, name) for name in request.classes]
    folder = Path(request.output_folder)
    paths = {entry.name: folder / f"{_file_stem(entry.name)}{request.suffix}" for entry in wanted}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another folder.") from error
    for path in paths.values():
        check_vector_writable(path, request.overwrite, (request.input,))
    monitor.report(0, len(wanted) + 1, "tracing")
    polygons = trace_polygons(raster, request.min_area, request.simplify, monitor)
    counts: dict[str, int] = {}
    areas: dict[str, float] = {}
    notes = []
    for done, entry in enumerate(wanted, 1):
        raise_if_cancelled(monitor)
        monitor.report(done, len(wanted) + 1, entry.name)
        own = polygons.where(polygons.class_ids == entry.id)
        _write(paths[entry.name], own, raster)
        counts[entry.name] = len(own.geometries)
        areas[entry.name] = round(float(own.areas.sum()), 3)
        if not len(own.geometries):
            notes.append(f"No polygon of class {entry.name} is as large as {request.min_area:g}: its file is empty.")
            monitor.log("warning", notes[-1])
    monitor.report(1, 1, "")
    return {
        "files": {name: str(path) for name, path in paths.items()},
        "counts": counts,
        "area_m2": areas if raster.grid.crs is not None else None,
        "warnings": notes,
    }


def _file_stem(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name.lower())


def _find_class(scheme: ClassScheme, name: str) -> LandCoverClass:
    for entry in scheme.entries:
        if str(entry.id) == name.strip():
            return entry
    return scheme.by_name(name)


def _junctions(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the pixel corners, (H + 1, W + 1), where more than two borders meet."""
    cells = np.pad(ids, 1)
    degree = (cells[:-1, :-1] != cells[:-1, 1:]).astype(np.uint8)  # the border going up from each corner
    degree += cells[1:, :-1] != cells[1:, 1:]
    degree += cells[:-1, :-1] != cells[1:, :-1]
    degree += cells[:-1, 1:] != cells[1:, 1:]
    junctions: npt.NDArray[np.bool_] = degree > 2
    return junctions


def _to_polygons(shapes: list[dict[str, Any]], junctions: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Build polygons from GeoJSON-like shapes in pixel coordinates.

    Polygonising leaves out vertices on straight edges, also where a third polygon's corner touches. They are put back:
    without them neighbours would be simplified apart.
    """
    if not shapes:
        return np.empty(0, object)
    rings: list[list[tuple[float, float]]] = []
    owners: list[int] = []
    for index, shape in enumerate(shapes):
        rings.extend(shape["coordinates"])
        owners.extend([index] * len(shape["coordinates"]))
    corners = np.concatenate([np.asarray(ring, np.int64) for ring in rings])  # (V, 2) column, row
    of_ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    # Walk every edge in steps of a pixel; keep corners and junctions.
    ahead = np.roll(corners, -1, axis=0) - corners
    ahead[np.append(of_ring[1:] != of_ring[:-1], True)] = 0  # no edge leaves the last corner of a ring
    steps = np.maximum(np.abs(ahead).sum(axis=1), 1)
    start = np.repeat(np.cumsum(steps) - steps, steps)
    along = np.arange(len(start)) - start
    points = np.repeat(corners, steps, axis=0) + np.repeat(np.sign(ahead), steps, axis=0) * along[:, None]
    kept = (along == 0) | junctions[points[:, 1], points[:, 0]]
    lines = shapely.linearrings(points[kept].astype(np.float64), indices=np.repeat(of_ring, steps)[kept])
    polygons: npt.NDArray[np.object_] = shapely.polygons(lines, indices=owners)
    return polygons


def _scales(rows: npt.NDArray[np.float64], grid: Grid) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the size of pixels at ``rows``, m along columns and m along rows; 1 without a CRS."""
    # Where the scale changes, it does so with the row; sampled densely enough for a country.
    known = np.linspace(0, grid.height, 1 if grid.has_constant_scale else 65)
    sizes = np.array([grid.pixel_size_m(row) or (1.0, 1.0) for row in known])
    return np.interp(rows, known, sizes[:, 0]), np.interp(rows, known, sizes[:, 1])


def _areas(pixels: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.float64]:
    """Return the area on the ground, m² (px without a CRS), of polygons in pixel coordinates."""
    across, down = _scales(shapely.get_y(shapely.centroid(pixels)), grid)
    areas: npt.NDArray[np.float64] = shapely.area(pixels) * across * down
    return areas


def _perimeters(pixels: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.float64]:
    """Return the length of the outlines on the ground, m (px without a CRS), holes included."""
    rings, of_polygon = shapely.get_rings(pixels, return_index=True)
    points, of_ring = shapely.get_coordinates(rings, return_index=True)
    steps = np.diff(points, axis=0)
    same = of_ring[1:] == of_ring[:-1]
    across, down = _scales((points[1:, 1] + points[:-1, 1]) / 2, grid)
    perimeters = np.zeros(len(pixels))
    np.add.at(perimeters, of_polygon[of_ring[1:]][same], np.hypot(steps[:, 0] * across, steps[:, 1] * down)[same])
    return perimeters


def _place(pixels: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.object_]:
    """Move polygons from pixel coordinates to the CRS."""
    t = grid.transform
    matrix = np.array([[t.a, t.d], [t.b, t.e]])
    placed: npt.NDArray[np.object_] = shapely.transform(pixels, lambda points: points @ matrix + (t.c, t.f))
    return placed


def _write(path: Path, polygons: ClassPolygons, raster: ClassifiedRaster) -> None:
    """Write a vector file into a folder of its own, count what arrived, then move it into place."""
    names = {entry.id: entry.name for entry in raster.scheme.entries}
    unit = "m" if raster.grid.crs is not None else "px"
    fields = {
        "class_id": polygons.class_ids.astype(np.int32),
        "class": np.array([names.get(int(value), "") for value in polygons.class_ids], object),
        "area_m2" if unit == "m" else "area_px": polygons.areas,
        f"perim_{unit}": polygons.perimeters,
    }
    with VectorWriter(
        path, "Polygon", raster.grid.crs, {name: values.dtype for name, values in fields.items()}
    ) as file:
        file.write(polygons.geometries, fields)
        file.finish()
