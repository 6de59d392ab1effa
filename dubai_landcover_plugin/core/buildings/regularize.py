"""A layer of buildings: read, parted, regularised, freed of new overlaps, written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.buildings.conflicts import Outlines, part_from_each_other, part_from_obstacles
from dubai_landcover_plugin.core.buildings.local_frame import Frame, frames
from dubai_landcover_plugin.core.buildings.necks import split_at_necks
from dubai_landcover_plugin.core.buildings.outlines import along_walls, regular_outline
from dubai_landcover_plugin.core.buildings.tolerance import chosen_tolerance
from dubai_landcover_plugin.core.io.outputs import check_outputs
from dubai_landcover_plugin.core.io.qml import BUILDINGS_STYLE
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.protocol.errors import OutputError, RasterOpenError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest, BuildingsResult

Polygons = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]

_OFTEN = 50
"""Buildings between two looks at the monitor."""
_SHORT = 10
"""Longest field name of a shapefile."""
_RESERVED = ("fid", "ogc_fid", "geom", "geometry")
"""Names that formats need themselves; the id of a feature is made anew, for its parts must not share it."""


@dataclass(frozen=True)
class Buildings:
    """Buildings of a layer.

    Args:
        polygons: (N,) valid polygons in the CRS.
        owner: (N,) the feature that each is of.
        fields: Attributes of the features.
        crs: Of the coordinates.
        warnings: What was left out or mended.
    """

    polygons: Polygons
    owner: Indices
    fields: dict[str, npt.NDArray[Any]]
    crs: CRS | None
    warnings: list[str]


def regularize_buildings(request: BuildingsRequest, monitor: Monitor | None = None) -> BuildingsResult:
    """Write building polygons with right angles along their own walls.

    Raises:
        LandCoverError: if a layer cannot be read, has no polygons, or the output cannot be written.
    """
    check_outputs(request)
    return regularize_checked(request, monitor or LoggingMonitor())


def regularize_checked(request: BuildingsRequest, monitor: Monitor) -> BuildingsResult:
    """Do as :func:`regularize_buildings` where :func:`.check_outputs` has accepted the output."""
    monitor.report(0, 1, "reading")
    buildings = read_buildings(request.input)
    _check_names(request.output, buildings.fields)
    if not len(buildings.polygons):
        return _without_buildings(request, buildings, monitor)
    obstacles = _read_obstacles(request.obstacles, buildings) if request.obstacles else None
    local = frames(buildings.polygons, buildings.crs)
    tolerance = request.tolerance or chosen_tolerance(buildings.polygons, local)
    if request.split > 0:
        buildings = _parted(buildings, local, request.split, request.min_part, monitor)
        local = frames(buildings.polygons, buildings.crs)
    unit = "m" if buildings.crs is not None else "units of the layer"
    monitor.log("info", f"Tolerance {tolerance:.3g} {unit}; {len(buildings.polygons)} polygons.")
    outlines = _regularized(buildings.polygons, local, tolerance, request, monitor)
    monitor.report(19, 20, "overlaps")
    if obstacles is not None:
        part_from_obstacles(outlines, obstacles, tolerance, request.min_iou)
    part_from_each_other(outlines, tolerance, request.min_iou, monitor)
    geometries, fields = _features(buildings, outlines, request.split > 0)
    raise_if_cancelled(monitor)
    _write(request.output, geometries, fields, buildings.crs)
    monitor.report(1, 1, "")
    for text in buildings.warnings:
        monitor.log("warning", text)
    regular = outlines.regular
    return BuildingsResult(
        output=request.output,
        buildings=len(geometries),
        regular=int(fields["regular"].sum()),
        mean_iou=round(float(outlines.ious[regular].mean()), 4) if regular.any() else None,
        tolerance=round(tolerance, 4),
        warnings=tuple(buildings.warnings),
    )


def _without_buildings(request: BuildingsRequest, buildings: Buildings, monitor: Monitor) -> BuildingsResult:
    """Write an empty layer, as a model or a batch needs it where a raster has no buildings."""
    warning = f"{request.input} has no features: the result is empty."
    monitor.log("warning", warning)
    kinds = {**dict.fromkeys(_computed(buildings.crs), np.float64), "regular": np.int32}
    fields = {**buildings.fields, **{name: np.empty(0, kind) for name, kind in kinds.items()}}
    _write(request.output, buildings.polygons, fields, buildings.crs)
    return BuildingsResult(
        output=request.output,
        buildings=0,
        regular=0,
        mean_iou=None,
        tolerance=request.tolerance or 0.0,
        warnings=(warning,),
    )


def read_buildings(source: str) -> Buildings:
    """Read the polygons of a layer; what is invalid is mended, what is no polygon is left out.

    Raises:
        RasterOpenError: if it cannot be read, or has features but no polygons.
    """
    layer = read_vector(source, may_be_empty=True)
    geometries, mended = _valid(layer.geometries)
    parts, owner = shapely.get_parts(geometries, return_index=True)
    kept = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)
    if len(layer.geometries) and not kept.any():
        raise RasterOpenError(f"{source} has no polygons.", "Choose a layer of building polygons.")
    warnings = [f"{mended} features were invalid; they were mended."] if mended else []
    lost = len(geometries) - len(np.unique(owner[kept]))
    if lost:
        warnings.append(f"{lost} features without an area were left out.")
    return Buildings(parts[kept], owner[kept], _plain_fields(layer.fields, _computed(layer.crs)), layer.crs, warnings)


def _valid(geometries: Polygons) -> tuple[Polygons, int]:
    """Return valid geometries in two dimensions, and how many were not."""
    flat = shapely.force_2d(geometries)
    wrong = ~shapely.is_valid(flat) & ~shapely.is_missing(flat)
    flat[wrong] = shapely.make_valid(flat[wrong])
    return flat, int(wrong.sum())


def _plain_fields(fields: Mapping[str, npt.NDArray[Any]], computed: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Return attributes in the types that every format has: whole numbers, real ones and texts.

    Args:
        fields: As they were read.
        computed: Names of attributes that will be computed.
    """

    def plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind in "bui":
            return values.astype(np.int32 if values.dtype.itemsize <= 2 or values.dtype == np.int32 else np.int64)
        if values.dtype.kind == "f":
            return values.astype(np.float64)
        texts = [None if value is None or value != value else str(value) for value in values]  # NaT is not itself
        return np.array(texts, object)

    # Most formats do not tell "IOU" from "iou": what is computed takes the place of either.
    names = {name: name.lower() if name.lower() in computed else name for name in fields}
    return {names[name]: plain(values) for name, values in fields.items() if name.lower() not in _RESERVED}


def _check_names(output: str, fields: Mapping[str, Any]) -> None:
    long = [name for name in fields if len(name) > _SHORT]
    if output.endswith(".shp") and long:
        raise OutputError(
            f"A shapefile's field names have at most {_SHORT} letters, not {long[0]}.", "Write a GeoPackage (.gpkg)."
        )


def _read_obstacles(source: str, buildings: Buildings) -> Polygons:
    """Return the polygons of a layer in the CRS of the buildings."""
    layer = read_vector(source, may_be_empty=True).to_crs(buildings.crs)
    parts = shapely.get_parts(_valid(layer.geometries)[0])
    polygons: Polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not len(layer.geometries):
        buildings.warnings.append(f"{source} has no features: there are no obstacles.")
    elif not len(polygons):
        raise RasterOpenError(f"{source} has no polygons.", "Choose a layer of polygons, such as roads.")
    return polygons


def _parted(buildings: Buildings, local: list[Frame], width: float, min_area: float, monitor: Monitor) -> Buildings:
    """Return the buildings, those that touch apart."""
    polygons: list[shapely.Polygon] = []
    owner: list[int] = []
    count = len(buildings.polygons)
    for index, frame in enumerate(local):
        _tell(monitor, index, count, 0, "parting")
        own = split_at_necks(shapely.transform(buildings.polygons[index], frame.into), width, min_area)
        placed = [shapely.transform(part, frame.back) for part in own] if len(own) > 1 else [buildings.polygons[index]]
        if not shapely.is_valid(placed).all():
            placed = [buildings.polygons[index]]
        polygons += placed
        owner += [int(buildings.owner[index])] * len(placed)
    return Buildings(np.array(polygons, object), np.array(owner), buildings.fields, buildings.crs, buildings.warnings)


def _regularized(
    polygons: Polygons, local: list[Frame], tolerance: float, request: BuildingsRequest, monitor: Monitor
) -> Outlines:
    """Return a regular outline for each polygon, where there is one."""
    count = len(polygons)
    outlines = Outlines(polygons, polygons.copy(), list(local), np.ones(count), np.zeros(count, bool))
    for index, polygon in enumerate(polygons):
        _tell(monitor, index, count, 1, "outlines")
        frame = outlines.frames[index] = along_walls(polygon, local[index], tolerance)
        found = regular_outline(polygon, frame, tolerance, request.diagonals, request.min_iou)
        if found is not None:
            outlines.current[index], outlines.ious[index] = found
            outlines.regular[index] = True
    return outlines


def _tell(monitor: Monitor, done: int, total: int, stage: int, text: str) -> None:
    """Report one of two stages of equal length, now and then."""
    if done % _OFTEN == 0:
        raise_if_cancelled(monitor)
        monitor.report(stage * total + done, 2 * total, text)


def _features(buildings: Buildings, outlines: Outlines, each_part: bool) -> tuple[Polygons, dict[str, Any]]:
    """Return geometries and attributes; parts of one feature come together again unless each shall be one."""
    local = frames(outlines.given, buildings.crs)
    metric = np.array([shapely.transform(p, f.into) for p, f in zip(outlines.current, local)], object)
    given = np.array([shapely.area(shapely.transform(p, f.into)) for p, f in zip(outlines.given, local)])
    area, perimeter = shapely.area(metric), shapely.length(metric)
    _, group = np.unique(buildings.owner, return_inverse=True)
    group = np.arange(len(area)) if each_part else group
    firsts = np.unique(group, return_index=True)[1]

    def total(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        sums: npt.NDArray[np.float64] = np.bincount(group, values).astype(np.float64)
        return sums

    shared = outlines.ious * (area + given) / (1 + outlines.ious)
    largest = np.lexsort((-area, group))[np.unique(np.sort(group), return_index=True)[1]]
    azimuths = np.array([-np.degrees(frame.angle) % 90 for frame in outlines.frames])
    unit = _sizes(buildings.crs)
    fields = {name: values[buildings.owner[firsts]] for name, values in buildings.fields.items()}
    fields.update(
        {
            unit[0]: total(area),
            unit[1]: total(perimeter),
            "iou": total(shared) / total(area + given - shared),
            "regular": (total(~outlines.regular) == 0).astype(np.int32),
            "angle": azimuths[largest],
        }
    )
    order = np.argsort(group, kind="stable")
    geometries = outlines.current
    if len(firsts) < len(group):
        geometries = shapely.multipolygons(outlines.current[order], indices=group[order])
    return geometries, fields


def _sizes(crs: CRS | None) -> tuple[str, str]:
    """Return the names of area and perimeter."""
    return ("area_m2", "perim_m") if crs is not None else ("area_px", "perim_px")


def _computed(crs: CRS | None) -> tuple[str, ...]:
    """Return the names of all attributes that are computed."""
    return (*_sizes(crs), "iou", "regular", "angle")


def _write(path: str, geometries: Polygons, fields: dict[str, Any], crs: CRS | None) -> None:
    kind = "MultiPolygon" if (shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOLYGON).any() else "Polygon"
    with VectorWriter(
        path, kind, crs, {name: values.dtype for name, values in fields.items()}, BUILDINGS_STYLE
    ) as file:
        file.write(geometries, fields)
        file.finish()
