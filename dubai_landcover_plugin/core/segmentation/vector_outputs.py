"""Optional outputs of a run, derived from the classified raster: polygons, buildings, roads and the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from dubai_landcover_plugin.core.io.files import temporary_folder, write_text
from dubai_landcover_plugin.core.report.run_page import run_page
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

# Packages are imported inside the functions: most runs need none of them.

_WATER = "Water"


class ChosenOutputs(Protocol):
    """Options of a request that choose vector outputs."""

    @property
    def polygons(self) -> str | None:
        """The vector file of all classes, or None."""

    @property
    def buildings(self) -> str | None:
        """The vector file of buildings, or None."""

    @property
    def roads(self) -> str | None:
        """The vector file of the road network, or None."""

    @property
    def building_class(self) -> str:
        """Name or id of the class of buildings."""

    @property
    def road_class(self) -> str:
        """Name or id of the class of roads."""


@dataclass(frozen=True)
class VectorSteps:
    """Vector outputs of a finished classified raster.

    Args:
        classified: The classified raster.
        chosen: The outputs and their classes.
        confidence: Confidence raster, or None.
        min_area: Smallest polygon, m².
        simplify: Simplification tolerance, m.
        overwrite: Whether existing files may be replaced.
    """

    classified: str
    chosen: ChosenOutputs
    confidence: str | None
    min_area: float
    simplify: float
    overwrite: bool


def check_classes(chosen: ChosenOutputs, scheme: ClassScheme, owner: str = "model") -> None:
    """Check that there are the classes that the requested outputs need.

    Args:
        chosen: The outputs and their classes.
        scheme: The classes.
        owner: Where the classes are from, for messages.

    Raises:
        ClassSchemeError: if buildings or roads are requested and there is no such class.
    """
    needed = {
        "building_class": chosen.building_class if chosen.buildings else None,
        "road_class": chosen.road_class if chosen.roads else None,
    }
    for option, name in needed.items():
        if name is not None and _find(scheme, name) is None:
            names = ", ".join(entry.name for entry in scheme.classes)
            raise ClassSchemeError(
                f"The {owner} has no class {name}; it has {names}.",
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
    options = request.options
    steps = VectorSteps(
        request.output, request, request.confidence, options.min_area, options.simplify, options.overwrite
    )
    write_vectors(steps, scheme, monitor)
    if request.report:
        with _raster_is_complete(request.output):
            write_text(request.report, run_page(record, scheme), overwrite=options.overwrite)


def write_vectors(steps: VectorSteps, scheme: ClassScheme, monitor: Monitor) -> None:
    """Write the requested polygons, buildings and roads.

    Args:
        steps: The outputs; the classified raster is finished.
        scheme: Its classes.
        monitor: Receives progress and messages; may cancel.

    Raises:
        LandCoverError: if a file cannot be written; the finished raster is kept.
    """
    with _raster_is_complete(steps.classified):
        if steps.chosen.polygons:
            write_polygons(steps, steps.chosen.polygons, monitor)
        if steps.chosen.buildings:
            write_buildings(steps, steps.chosen.buildings, scheme, monitor)
        if steps.chosen.roads:
            write_roads(steps, steps.chosen.roads, scheme, monitor)


@contextmanager
def _raster_is_complete(path: str) -> Iterator[None]:
    """Add to the message of an output error that the classified raster is complete."""
    try:
        yield
    except OutputError as error:
        raise OutputError(
            f"The classified raster {path} is complete, but a further output failed: {error.message}", error.remedy
        ) from error


def write_polygons(steps: VectorSteps, output: str, monitor: Monitor) -> None:
    """Write the polygons of all classes."""
    from dubai_landcover_plugin.core.polygons.polygonize import polygonize_checked

    asked = PolygonizeRequest(
        input=steps.classified,
        output=output,
        min_area=steps.min_area,
        simplify=steps.simplify,
        confidence=steps.confidence,
        overwrite=steps.overwrite,
    )
    polygonize_checked(asked, monitor)


def write_buildings(steps: VectorSteps, output: str, scheme: ClassScheme, monitor: Monitor) -> None:
    """Write regularized buildings; the polygons of roads are obstacles that they do not grow into."""
    from dubai_landcover_plugin.core.buildings.regularize import regularize_checked
    from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons

    building, road = scheme.find(steps.chosen.building_class), _find(scheme, steps.chosen.road_class)
    with temporary_folder(output) as folder:
        asked = ClassFilesRequest(
            input=steps.classified,
            output_folder=str(folder),
            classes=tuple(dict.fromkeys(str(entry.id) for entry in (building, road) if entry is not None)),
            suffix=".gpkg",
            min_area=steps.min_area,
            simplify=steps.simplify,
            confidence=steps.confidence,
        )
        made = export_class_polygons(asked, monitor)
        has_obstacles = road is not None and road != building and made.counts[road.name]
        regularize_checked(
            BuildingsRequest(
                made.files[building.name],
                output,
                obstacles=made.files[road.name] if road is not None and has_obstacles else None,
                min_area=steps.min_area,
                overwrite=steps.overwrite,
            ),
            monitor,
        )


def write_roads(steps: VectorSteps, output: str, scheme: ClassScheme, monitor: Monitor) -> None:
    """Write the road network; bridges over gaps cross neither water nor buildings."""
    from dubai_landcover_plugin.core.roads.extract import extract_checked

    road = scheme.find(steps.chosen.road_class)
    barriers = (_find(scheme, _WATER), _find(scheme, steps.chosen.building_class))
    extract_checked(
        RoadsRequest(
            steps.classified,
            output,
            class_name=str(road.id),
            barriers=tuple(str(entry.id) for entry in barriers if entry is not None and entry != road),
            confidence=steps.confidence,
            overwrite=steps.overwrite,
        ),
        monitor,
    )


def _find(scheme: ClassScheme, name_or_id: str) -> LandCoverClass | None:
    """Return the class with a name or id; None if there is none."""
    try:
        return scheme.find(name_or_id)
    except ClassSchemeError:
        return None
