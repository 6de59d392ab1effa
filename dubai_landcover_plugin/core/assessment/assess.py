"""Accuracy Assessment: compares a map with a reference, and writes a report and a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from dubai_landcover_plugin.core.assessment.csv_table import assessment_csv
from dubai_landcover_plugin.core.assessment.page import assessment_page
from dubai_landcover_plugin.core.assessment.points import assess_points
from dubai_landcover_plugin.core.assessment.reference_polygons import assess_polygons
from dubai_landcover_plugin.core.assessment.reference_raster import assess_raster
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.layer_source import file_of
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RequestError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.assessment import AccuracyRequest, AccuracyResult
from dubai_landcover_plugin.protocol.translation import tr

_POINTS = (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT)
_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def assess_accuracy(request: AccuracyRequest, monitor: Monitor | None = None) -> AccuracyResult:
    """Compare a map with labelled points, polygons or a raster; optionally write a report and a table.

    Args:
        request: Map, reference and outputs.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if the map is not a classified raster, the reference cannot be used or a file cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import assess_accuracy
        >>> from dubai_landcover_plugin.protocol.requests import AccuracyRequest
        >>> result = assess_accuracy(AccuracyRequest("landcover.tif", "truth.tif"))
        >>> result.kind, result.overall["value"]
        ('raster', 1.0)
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    found = assess(request.input, request.reference, request.field, monitor, request.scheme, request.reference_scheme)
    for text in found.warnings:
        monitor.log("warning", text)
    raise_if_cancelled(monitor)
    if request.table:
        write_text(request.table, assessment_csv(found), overwrite=request.overwrite)
    if request.report:
        page = assessment_page(found, request.input, request.reference)
        write_text(request.report, page, overwrite=request.overwrite)
    monitor.report(1, 1, "")
    return replace(found.result(), report=request.report, table=request.table)


def assess(
    path: str,
    reference: str,
    field: str,
    monitor: Monitor,
    scheme: str | None = None,
    reference_scheme: str | None = None,
) -> Assessment:
    """Compare a map with a reference of any kind, which is recognised when it is opened.

    Args:
        path: Classified raster.
        reference: Raster, or vector layer of points or polygons.
        field: Attribute of the layer with the class.
        monitor: Receives progress; may cancel.
        scheme: Classes of the map that the user chose, see :class:`.ClassifiedSource`.
        reference_scheme: Classes of the reference that the user chose.

    Raises:
        LandCoverError: as :func:`assess_accuracy`.
    """
    with limited_cache(), ClassifiedSource(path, scheme) as source:
        if _is_raster(reference):
            found = assess_raster(source, reference, monitor, reference_scheme)
            found.warnings[:0] = source.notes
            return found
        layer = read_vector(reference)
        notes = [*source.notes, *_crs_notes(source, layer)]
        layer = layer.to_crs(source.grid.crs)
        kinds = set(np.unique(shapely.get_type_id(layer.geometries)).tolist()) - {shapely.GeometryType.MISSING}
        if kinds and kinds <= set(_POINTS):
            found = assess_points(source, layer, field, monitor, reference_scheme)
        elif kinds and kinds <= set(_POLYGONS):
            found = assess_polygons(source, layer, field, monitor, reference_scheme)
        else:
            raise RequestError(
                tr("{reference} must have only points or only polygons.", reference=reference),
                tr("Choose labelled points, polygons with a class, or a raster of classes."),
            )
        found.warnings[:0] = notes
        return found


def _is_raster(reference: str) -> bool:
    if file_of(reference) != reference:
        return False
    try:
        with open_raster(reference) as dataset:
            return bool(dataset.count)
    except RasterOpenError:
        return False


def _crs_notes(source: ClassifiedSource, layer: VectorLayer) -> list[str]:
    if layer.crs is None and source.grid.crs is not None:
        return [tr("The reference has no CRS: the CRS of the map was assumed.")]
    if layer.crs is not None and source.grid.crs is None:
        return [tr("The map has no CRS: the coordinates of the reference were used unchanged.")]
    return []
