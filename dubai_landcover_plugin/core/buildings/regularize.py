"""Regularize Buildings: reads a layer, splits and regularizes its polygons, removes new overlaps, writes the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.buildings.class_filter import note_on_classes, polygons_of_class
from dubai_landcover_plugin.core.buildings.conflicts import Outlines, resolve_mutual_overlaps, resolve_obstacle_overlaps
from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame, local_frames
from dubai_landcover_plugin.core.buildings.necks import split_at_necks
from dubai_landcover_plugin.core.buildings.outlines import align_to_walls, regularize_outline
from dubai_landcover_plugin.core.buildings.tolerance import default_tolerance
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.qml import shipped_style
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.protocol.errors import OutputError, RasterOpenError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest, BuildingsResult
from dubai_landcover_plugin.protocol.translation import tr

Polygons = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]

_REPORT_EVERY = 50
"""Buildings between two progress reports."""
_SHAPEFILE_NAME = 10
"""Longest field name of a shapefile."""
_REGULAR_SHARE = 0.5
"""Smallest share of a regular outline's length that is at right angles."""
_RESERVED = ("fid", "ogc_fid", "geom", "geometry")
"""Field names that formats use themselves; the parts of a split feature could not share its id."""


@dataclass(frozen=True)
class Buildings:
    """Buildings of a layer.

    Args:
        polygons: (N,) valid polygons in the CRS.
        feature: (N,) int64, index of the input feature of each polygon.
        fields: (F,) values of each attribute of the input features.
        crs: CRS of the coordinates, or None.
        warnings: Notes for the user about repaired or skipped features.
    """

    polygons: Polygons
    feature: Indices
    fields: dict[str, npt.NDArray[Any]]
    crs: CRS | None
    warnings: list[str]


def regularize_buildings(request: BuildingsRequest, monitor: Monitor | None = None) -> BuildingsResult:
    """Write building polygons with straight walls, at right angles where their outlines have them.

    Args:
        request: Input, output and options.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if a layer cannot be read, has no polygons, or the output cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import regularize_buildings
        >>> from dubai_landcover_plugin.protocol.requests import BuildingsRequest
        >>> result = regularize_buildings(BuildingsRequest("building.gpkg", "regular.gpkg"))
        >>> result.buildings, result.regular
        (2, 2)
    """
    check_outputs(request)
    return regularize_checked(request, monitor or LoggingMonitor())


def regularize_checked(
    request: BuildingsRequest, monitor: Monitor, layer: VectorLayer | None = None, obstacles: VectorLayer | None = None
) -> BuildingsResult:
    """Do as :func:`regularize_buildings` where :func:`.check_outputs` has accepted the output.

    Args:
        request: Input, output and options.
        monitor: Receives progress and messages; may cancel.
        layer: The input where it is in memory already; the one of the request names it in messages.
        obstacles: The obstacles where they are in memory already.
    """
    monitor.report(0, 1, tr("reading"))
    buildings = read_buildings(request.input, request.class_name, layer)
    _check_names(request.output, buildings.fields)
    if not len(buildings.polygons):
        return _write_empty(request, buildings, monitor)
    if obstacles is None and request.obstacles:
        obstacles = read_vector(request.obstacles, may_be_empty=True)
    to_avoid = None if obstacles is None else _polygons_to_avoid(obstacles, request.obstacles or "", buildings)
    local = local_frames(buildings.polygons, buildings.crs)
    tolerance = request.tolerance or default_tolerance(buildings.polygons, local)
    if request.split > 0:
        buildings = _split_buildings(buildings, local, request.split, request.min_part, monitor)
        local = local_frames(buildings.polygons, buildings.crs)
    unit = tr("units of the layer" if buildings.crs is None else "m")
    monitor.log(
        "info",
        tr(
            "Buildings: {count:,}, tolerance {tolerance:.3g} {unit}.",
            tolerance=tolerance,
            unit=unit,
            count=len(buildings.polygons),
        ),
    )
    outlines, shares = _regularize_all(buildings.polygons, local, tolerance, request, monitor)
    monitor.report(19, 20, tr("overlaps"))
    if to_avoid is not None:
        resolve_obstacle_overlaps(outlines, to_avoid, tolerance, request.min_iou)
    resolve_mutual_overlaps(outlines, tolerance, request.min_iou, monitor)
    regular = outlines.regular & (shares >= _REGULAR_SHARE)
    geometries, fields = _features(buildings, outlines, regular, request.split > 0)
    raise_if_cancelled(monitor)
    _write(request, geometries, fields, buildings.crs, monitor)
    monitor.report(1, 1, "")
    for text in buildings.warnings:
        monitor.log("warning", text)
    return BuildingsResult(
        output=request.output,
        buildings=len(geometries),
        regular=int(fields["regular"].sum()),
        mean_iou=round(float(outlines.ious[regular].mean()), 4) if regular.any() else None,
        tolerance=round(tolerance, 4),
        warnings=tuple(buildings.warnings),
    )


def _write_empty(request: BuildingsRequest, buildings: Buildings, monitor: Monitor) -> BuildingsResult:
    """Write an empty layer, so that models and batches continue where a raster has no buildings."""
    warning = tr("{path} has no features: the result is empty.", path=request.input)
    monitor.log("warning", warning)
    kinds = {**dict.fromkeys(_computed_fields(buildings.crs), np.float64), "regular": np.int32}
    fields = {**buildings.fields, **{name: np.empty(0, kind) for name, kind in kinds.items()}}
    _write(request, buildings.polygons, fields, buildings.crs, monitor)
    return BuildingsResult(
        output=request.output,
        buildings=0,
        regular=0,
        mean_iou=None,
        tolerance=request.tolerance or 0.0,
        warnings=(warning,),
    )


def read_buildings(source: str, class_name: str | None = None, layer: VectorLayer | None = None) -> Buildings:
    """Read the polygons of a layer; invalid geometries are repaired, other geometry types are skipped.

    Args:
        source: Path, optionally with a layer, as for :func:`.read_vector`.
        class_name: Name or id of the only class to take, see :func:`.polygons_of_class`; None takes all.
        layer: The layer where it is in memory already.

    Raises:
        RasterOpenError: if it cannot be read, or has features but no polygons.
        ClassSchemeError: if it has no polygons of the class.
    """
    layer = layer or read_vector(source, may_be_empty=True)
    note = note_on_classes(layer) if class_name is None else ""
    if class_name is not None:
        layer = polygons_of_class(layer, class_name, source)
    geometries, repaired = _make_valid(layer.geometries)
    parts, feature = shapely.get_parts(geometries, return_index=True)
    kept = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)
    if len(layer.geometries) and not kept.any():
        raise RasterOpenError(
            tr("{source} has no polygons.", source=source), tr("Choose a layer of building polygons.")
        )
    warnings = [note] if note else []
    if repaired:
        warnings.append(tr("{repaired} invalid geometries were repaired.", repaired=repaired))
    skipped = len(geometries) - len(np.unique(feature[kept]))
    if skipped:
        warnings.append(tr("{skipped} features without an area were skipped.", skipped=skipped))
    fields = _portable_fields(layer.fields, _computed_fields(layer.crs))
    return Buildings(parts[kept], feature[kept], fields, layer.crs, warnings)


def _make_valid(geometries: Polygons) -> tuple[Polygons, int]:
    """Return valid 2D geometries, and how many were invalid."""
    flat = shapely.force_2d(geometries)
    invalid = ~shapely.is_valid(flat) & ~shapely.is_missing(flat)
    flat[invalid] = shapely.make_valid(flat[invalid])
    return flat, int(invalid.sum())


def _portable_fields(fields: Mapping[str, npt.NDArray[Any]], computed: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Return attributes in types that every vector format supports: integer, real and text.

    Args:
        fields: Attributes as read.
        computed: Names of the attributes that are computed, which replace those of the input.
    """

    def convert(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind in "bui":
            return values.astype(np.int32 if values.dtype.itemsize <= 2 or values.dtype == np.int32 else np.int64)
        if values.dtype.kind == "f":
            return values.astype(np.float64)
        texts = [
            None if value is None or value != value else str(value) for value in values
        ]  # NaN and NaT differ from themselves
        return np.array(texts, object)

    # Field names are case-insensitive in most formats: a computed "iou" replaces an "IOU" of the input.
    names = {name: name.lower() if name.lower() in computed else name for name in fields}
    return {names[name]: convert(values) for name, values in fields.items() if name.lower() not in _RESERVED}


def _check_names(output: str, fields: Mapping[str, Any]) -> None:
    """Raise OutputError if a shapefile would truncate field names."""
    long = [name for name in fields if len(name) > _SHAPEFILE_NAME]
    if output.endswith(".shp") and long:
        raise OutputError(
            tr(
                "The field name {name} has {count} characters; a shapefile allows at most {limit}.",
                name=long[0],
                count=len(long[0]),
                limit=_SHAPEFILE_NAME,
            ),
            tr("Choose a GeoPackage (.gpkg) as output, or rename the field."),
        )


def _polygons_to_avoid(layer: VectorLayer, source: str, buildings: Buildings) -> Polygons:
    """Return the polygons of a layer in the CRS of the buildings."""
    layer = layer.to_crs(buildings.crs)
    parts = shapely.get_parts(_make_valid(layer.geometries)[0])
    polygons: Polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not len(layer.geometries):
        buildings.warnings.append(tr("{source} has no features: no obstacles are taken into account.", source=source))
    elif not len(polygons):
        raise RasterOpenError(
            tr("{source} has no polygons.", source=source), tr("Choose a layer of polygons, such as roads.")
        )
    return polygons


def _split_buildings(
    buildings: Buildings, local: list[LocalFrame], width: float, min_area: float, monitor: Monitor
) -> Buildings:
    """Return the buildings, split at necks; see :func:`.split_at_necks`."""
    polygons: list[shapely.Polygon] = []
    feature: list[int] = []
    count = len(buildings.polygons)
    for index, frame in enumerate(local):
        _report(monitor, index, count, 0, tr("splitting"))
        parts = split_at_necks(shapely.transform(buildings.polygons[index], frame.to_local), width, min_area)
        unsplit = [buildings.polygons[index]]
        split = [shapely.transform(part, frame.to_crs) for part in parts] if len(parts) > 1 else unsplit
        if not shapely.is_valid(split).all():
            split = unsplit
        polygons += split
        feature += [int(buildings.feature[index])] * len(split)
    return Buildings(np.array(polygons, object), np.array(feature), buildings.fields, buildings.crs, buildings.warnings)


def _regularize_all(
    polygons: Polygons, local: list[LocalFrame], tolerance: float, request: BuildingsRequest, monitor: Monitor
) -> tuple[Outlines, npt.NDArray[np.float64]]:
    """Regularize each polygon; those for which no outline is close enough keep theirs.

    Returns:
        The outlines, and the share of the length of each that is at right angles, (N,).
    """
    count = len(polygons)
    smallest = _smallest_areas(polygons, local, request)
    outlines = Outlines(polygons, polygons.copy(), list(local), np.ones(count), np.zeros(count, bool), smallest)
    shares = np.zeros(count)
    for index, polygon in enumerate(polygons):
        _report(monitor, index, count, 1, tr("outlines"))
        frame = outlines.frames[index] = align_to_walls(polygon, local[index], tolerance)
        found = regularize_outline(polygon, frame, tolerance, request.diagonals, request.min_iou, smallest[index])
        if found is not None:
            outlines.current[index], outlines.ious[index], shares[index] = found
            outlines.regular[index] = True
    return outlines, shares


def _smallest_areas(polygons: Polygons, local: list[LocalFrame], request: BuildingsRequest) -> npt.NDArray[np.float64]:
    """Return the area that each outline must not fall below, (N,) m²: the largest minimum that the polygon reaches."""
    areas = np.array([shapely.area(shapely.transform(p, frame.to_local)) for p, frame in zip(polygons, local)])
    minima = (request.min_area, request.min_part if request.split > 0 else 0.0)
    smallest: npt.NDArray[np.float64] = np.max([np.where(areas >= least, least, 0.0) for least in minima], axis=0)
    return smallest


def _report(monitor: Monitor, done: int, total: int, stage: int, text: str) -> None:
    """Report progress of one of two stages of equal length, every 50 buildings; may cancel."""
    if done % _REPORT_EVERY == 0:
        raise_if_cancelled(monitor)
        monitor.report(stage * total + done, 2 * total, text)


def _features(
    buildings: Buildings, outlines: Outlines, regular: npt.NDArray[np.bool_], each_part: bool
) -> tuple[Polygons, dict[str, Any]]:
    """Return output geometries and attributes.

    Args:
        buildings: Polygons and their input features.
        outlines: Their outlines.
        regular: (N,) whether most of an outline is at right angles.
        each_part: Whether each polygon is a feature, else the polygons of one input feature are joined again, see
            :func:`_groups`.
    """
    # Areas and perimeters in metres.
    local = local_frames(outlines.original, buildings.crs)
    metric = np.array([shapely.transform(p, f.to_local) for p, f in zip(outlines.current, local)], object)
    original_area = np.array([shapely.area(shapely.transform(p, f.to_local)) for p, f in zip(outlines.original, local)])
    area, perimeter = shapely.area(metric), shapely.length(metric)
    # Group the polygons of each output feature.
    group = np.arange(len(area)) if each_part else _groups(outlines.current, buildings.feature)
    firsts = np.unique(group, return_index=True)[1]

    def total(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        sums: npt.NDArray[np.float64] = np.bincount(group, values).astype(np.float64)
        return sums

    # Intersection of both outlines, from their IoU, so that it can be summed over the parts of a feature.
    shared = outlines.ious * (area + original_area) / (1 + outlines.ious)
    largest = np.lexsort((-area, group))[np.unique(np.sort(group), return_index=True)[1]]
    azimuths = np.array([-np.degrees(frame.angle) % 90 for frame in outlines.frames])
    unit = _size_fields(buildings.crs)
    fields = {name: values[buildings.feature[firsts]] for name, values in buildings.fields.items()}
    fields.update(
        {
            unit[0]: total(area).round(2),
            unit[1]: total(perimeter).round(2),
            "iou": (total(shared) / total(area + original_area - shared)).round(3),
            "regular": (total(~regular) == 0).astype(np.int32),
            "angle": azimuths[largest].round(1) % 90,
        }
    )
    order = np.argsort(group, kind="stable")
    geometries = outlines.current
    if len(firsts) < len(group):
        geometries = shapely.multipolygons(outlines.current[order], indices=group[order])
    return geometries, fields


def _groups(polygons: Polygons, feature: Indices) -> Indices:
    """Return the output feature of each polygon, (N,), numbered from 0 in the order of the input features.

    Polygons of one input feature are one, except those in the courtyards of others: QGIS calls such multipolygons
    invalid, GEOS does not.
    """
    shells = shapely.polygons(shapely.get_exterior_ring(polygons))
    inner, outer = shapely.STRtree(shells).query(shells, "within")
    enclosed = inner[(outer != inner) & (feature[outer] == feature[inner])]
    part = np.full(len(polygons), -1, np.int64)
    part[enclosed] = enclosed
    _, group = np.unique(np.column_stack([feature, part]), axis=0, return_inverse=True)
    numbers: Indices = group.reshape(-1).astype(np.int64)
    return numbers


def _size_fields(crs: CRS | None) -> tuple[str, str]:
    """Return the names of the fields for area and perimeter."""
    return ("area_m2", "perim_m") if crs is not None else ("area_px", "perim_px")


def _computed_fields(crs: CRS | None) -> tuple[str, ...]:
    """Return the names of all computed fields."""
    return (*_size_fields(crs), "iou", "regular", "angle")


def _write(
    request: BuildingsRequest, geometries: Polygons, fields: dict[str, Any], crs: CRS | None, monitor: Monitor
) -> None:
    kind = "MultiPolygon" if (shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOLYGON).any() else "Polygon"
    kinds = {name: values.dtype for name, values in fields.items()}
    with VectorWriter(request.output, kind, crs, kinds, shipped_style("buildings"), request.overwrite) as file:
        file.write(geometries, fields)
        file.finish(monitor)
