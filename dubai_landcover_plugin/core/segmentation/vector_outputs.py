"""Optional outputs of a run, derived from the classified raster: polygons, buildings, roads and the report."""

from __future__ import annotations

from typing import Any

from dubai_landcover_plugin.core.io.files import temporary_folder, write_text
from dubai_landcover_plugin.core.report.run_page import run_page
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, LandCoverError, OutputError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

# Packages are imported inside the functions: most runs need none of them.

BUILDING, ROAD = "Building", "Road"


def check_classes(request: SegmentationRequest, scheme: ClassScheme) -> None:
    """Check that the model has the classes that the requested outputs need.

    Raises:
        ClassSchemeError: if buildings or roads are requested and the model has no such class.
    """
    for path, name in ((request.buildings, BUILDING), (request.roads, ROAD)):
        if path and not _has(scheme, name):
            names = ", ".join(entry.name for entry in scheme.classes)
            raise ClassSchemeError(
                f"The model has no class {name}; it has {names}.", "Leave out that output and use polygons instead."
            )


def write_extras(request: SegmentationRequest, scheme: ClassScheme, record: dict[str, Any], monitor: Monitor) -> None:
    """Write the requested polygons, buildings, roads and report.

    Args:
        request: The request; its classified raster is finished.
        scheme: Classes of the model.
        record: The run record, for the report.
        monitor: Receives progress and messages; may cancel.

    Raises:
        LandCoverError: if a file cannot be written; the finished rasters are kept.
    """
    try:
        if request.polygons:
            write_polygons(request, monitor)
        if request.buildings:
            write_buildings(request, scheme, monitor)
        if request.roads:
            write_roads(request, monitor)
        if request.report:
            write_text(request.report, run_page(record, scheme), overwrite=request.options.overwrite)
    except LandCoverError as error:
        if isinstance(error, OutputError):
            raise OutputError(
                f"The classified raster {request.output} is complete, but a further output failed: {error.message}",
                error.remedy,
            ) from error
        raise


def write_polygons(request: SegmentationRequest, monitor: Monitor) -> None:
    """Write the polygons of all classes."""
    from dubai_landcover_plugin.core.polygons.polygonize import polygonize_checked

    options = request.options
    asked = PolygonizeRequest(
        input=request.output,
        output=request.polygons or "",
        min_area=options.min_area,
        simplify=options.simplify,
        confidence=request.confidence,
        overwrite=options.overwrite,
    )
    polygonize_checked(asked, monitor)


def write_buildings(request: SegmentationRequest, scheme: ClassScheme, monitor: Monitor) -> None:
    """Write regularized buildings; the polygons of roads are obstacles that they do not grow into."""
    from dubai_landcover_plugin.core.buildings.regularize import regularize_checked
    from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons

    options, output = request.options, request.buildings or ""
    with temporary_folder(output) as folder:
        asked = ClassFilesRequest(
            input=request.output,
            output_folder=str(folder),
            classes=tuple(name for name in (BUILDING, ROAD) if _has(scheme, name)),
            suffix=".gpkg",
            min_area=options.min_area,
            simplify=options.simplify,
            confidence=request.confidence,
        )
        made = export_class_polygons(asked, monitor)
        files = {name.casefold(): path for name, path in made.files.items() if made.counts[name]}
        building = str(folder / f"{BUILDING.lower()}.gpkg")
        regularize_checked(
            BuildingsRequest(building, output, obstacles=files.get(ROAD.casefold()), overwrite=options.overwrite),
            monitor,
        )


def write_roads(request: SegmentationRequest, monitor: Monitor) -> None:
    """Write the road network."""
    from dubai_landcover_plugin.core.roads.extract import extract_checked

    extract_checked(
        RoadsRequest(
            request.output,
            request.roads or "",
            class_name=ROAD,
            confidence=request.confidence,
            overwrite=request.options.overwrite,
        ),
        monitor,
    )


def _has(scheme: ClassScheme, name: str) -> bool:
    return any(entry.name.casefold() == name.casefold() for entry in scheme.entries)
