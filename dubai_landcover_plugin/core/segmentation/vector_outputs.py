"""Optional outputs of a run, derived from the classified raster: polygons, buildings, roads and the report."""

from __future__ import annotations

from typing import Any

from dubai_landcover_plugin.core.io.files import temporary_folder, write_text
from dubai_landcover_plugin.core.report.run_page import run_page
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, LandCoverError, OutputError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

# Packages are imported inside the functions: most runs need none of them.

_WATER = "Water"


def check_classes(request: SegmentationRequest, scheme: ClassScheme) -> None:
    """Check that the model has the classes that the requested outputs need.

    Raises:
        ClassSchemeError: if buildings or roads are requested and the model has no such class.
    """
    chosen = {
        "building_class": request.building_class if request.buildings else None,
        "road_class": request.road_class if request.roads else None,
    }
    for option, name in chosen.items():
        if name is not None and _find(scheme, name) is None:
            names = ", ".join(entry.name for entry in scheme.classes)
            raise ClassSchemeError(
                f"The model has no class {name}; it has {names}.",
                f"Choose one of these as {option} (--{option.replace('_', '-')}, {option.upper()}), or leave out that "
                "output.",
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
            write_roads(request, scheme, monitor)
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
    building, road = scheme.find(request.building_class), _find(scheme, request.road_class)
    with temporary_folder(output) as folder:
        asked = ClassFilesRequest(
            input=request.output,
            output_folder=str(folder),
            classes=tuple(dict.fromkeys(str(entry.id) for entry in (building, road) if entry is not None)),
            suffix=".gpkg",
            min_area=options.min_area,
            simplify=options.simplify,
            confidence=request.confidence,
        )
        made = export_class_polygons(asked, monitor)
        has_obstacles = road is not None and road != building and made.counts[road.name]
        regularize_checked(
            BuildingsRequest(
                made.files[building.name],
                output,
                obstacles=made.files[road.name] if road is not None and has_obstacles else None,
                min_area=options.min_area,
                overwrite=options.overwrite,
            ),
            monitor,
        )


def write_roads(request: SegmentationRequest, scheme: ClassScheme, monitor: Monitor) -> None:
    """Write the road network; bridges over gaps cross neither water nor buildings."""
    from dubai_landcover_plugin.core.roads.extract import extract_checked

    road = scheme.find(request.road_class)
    barriers = (_find(scheme, _WATER), _find(scheme, request.building_class))
    extract_checked(
        RoadsRequest(
            request.output,
            request.roads or "",
            class_name=str(road.id),
            barriers=tuple(str(entry.id) for entry in barriers if entry is not None and entry != road),
            confidence=request.confidence,
            overwrite=request.options.overwrite,
        ),
        monitor,
    )


def _find(scheme: ClassScheme, name_or_id: str) -> LandCoverClass | None:
    """Return the class with a name or id; None if there is none."""
    try:
        return scheme.find(name_or_id)
    except ClassSchemeError:
        return None
