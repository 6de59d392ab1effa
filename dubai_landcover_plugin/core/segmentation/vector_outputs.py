"""Optional outputs of a run, derived from the classified raster: polygons, buildings, roads and the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import rasterio

from dubai_landcover_plugin.core.segmentation.run_progress import BUILDINGS, POLYGONS, REPORT, ROADS, RunProgress
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.protocol.translation import joined, tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
    from dubai_landcover_plugin.core.roads.process import NetworkProcess

# Packages are imported inside the functions: most runs need none of them.

_WATER = "Water"
_LACKS = {
    "model": "The model has no class {name}; it has {names}.",
    "raster": "The raster has no class {name}; it has {names}.",
}
_MB = 1 << 20
_LEAST_PIXELS = 4_000_000  # a smaller raster takes no longer than the start of a process
_PROCESS, _BYTES_PER_PIXEL = 250 * _MB, 8  # memory of the process, at most: 28.6 Mpx with 286 km of roads took 343 MB


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
        memory: Memory limit, MB; None for half of the free memory.
    """

    classified: str
    chosen: ChosenOutputs
    confidence: str | None
    min_area: float
    simplify: float
    overwrite: bool
    memory: int | None = None


def check_classes(chosen: ChosenOutputs, scheme: ClassScheme, owner: str = "model") -> None:
    """Check that there are the classes that the requested outputs need.

    Args:
        chosen: The outputs and their classes.
        scheme: The classes.
        owner: Where the classes are from, ``model`` or ``raster``, for messages.

    Raises:
        ClassSchemeError: if buildings or roads are requested and there is no such class.
    """
    needed = {
        "building_class": chosen.building_class if chosen.buildings else None,
        "road_class": chosen.road_class if chosen.roads else None,
    }
    for option, name in needed.items():
        if name is not None and _find(scheme, name) is None:
            names = joined(entry.name for entry in scheme.classes)
            raise ClassSchemeError(
                tr(_LACKS[owner], name=name, names=names),
                tr(
                    "Choose one of these as {option} (--{argument}, {parameter}), or leave out that output.",
                    option=option,
                    argument=option.replace("_", "-"),
                    parameter=option.upper(),
                ),
            )


def vector_names(chosen: ChosenOutputs) -> tuple[str, ...]:
    """Return the names of the steps that :func:`write_vectors` takes, see :class:`.RunProgress`."""
    names = {
        POLYGONS: bool(chosen.polygons or chosen.buildings),
        BUILDINGS: bool(chosen.buildings),
        ROADS: bool(chosen.roads),
    }
    return tuple(name for name, wanted in names.items() if wanted)


def write_extras(
    request: SegmentationRequest, scheme: ClassScheme, result: SegmentationResult | None, monitor: Monitor
) -> None:
    """Write the requested polygons, buildings, roads and report.

    Args:
        request: The request; its classified raster is finished.
        scheme: Classes of the model.
        result: The result of the run, for the report; None without one.
        monitor: Receives progress and messages; may cancel.

    Raises:
        LandCoverError: if a file cannot be written; the finished rasters are kept.
    """
    options = request.options
    steps = VectorSteps(
        request.output,
        request,
        request.confidence,
        options.min_area,
        options.simplify,
        options.overwrite,
        options.memory,
    )
    write_vectors(steps, scheme, monitor)
    if request.report:
        with _raster_is_complete(request.output):
            if isinstance(monitor, RunProgress):
                monitor.enter(REPORT)
            _write_report(request, request.report, result, monitor)


def _write_report(request: SegmentationRequest, path: str, result: SegmentationResult | None, monitor: Monitor) -> None:
    """Write the Land Cover Report of a run, with what only the run knows."""
    from dubai_landcover_plugin.core.report.report import RunFacts, report_on_run

    facts: list[str] = []
    warnings: tuple[str, ...] = ()
    if result is not None:
        facts = [result.bands] if result.bands else []
        if result.area_polygons is not None:
            text = tr("Only within the polygons ({count}) of {path}; outside is no data.")
            facts.append(text.format(count=f"{result.area_polygons:,}", path=request.within))
        warnings = result.warnings
    options, name = request.options, request.source or Path(request.input).name
    report = ReportRequest(
        request.output,
        path,
        confidence=request.confidence,
        title=f"{tr('Land cover')}: {Path(name).stem}",
        colours=options.colours,
        overwrite=options.overwrite,
    )
    report_on_run(report, monitor, RunFacts(tuple(facts), tuple(warnings)))


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
        chosen = steps.chosen
        progress = monitor if isinstance(monitor, RunProgress) else RunProgress(monitor, vector_names(chosen))
        with ExitStack() as stack:
            network = None
            if chosen.roads and (chosen.polygons or chosen.buildings) and _may_start_process(steps):
                from dubai_landcover_plugin.core.roads.process import NetworkProcess

                network = stack.enter_context(NetworkProcess(_roads_request(steps, chosen.roads, scheme)))
            if chosen.polygons or chosen.buildings:
                progress.enter(POLYGONS)
                layers = write_polygons(steps, scheme, progress)
                if chosen.buildings:
                    progress.enter(BUILDINGS)
                    write_buildings(steps, chosen.buildings, scheme, layers, progress)
            if chosen.roads:
                progress.enter(ROADS)
                write_roads(_roads_request(steps, chosen.roads, scheme), progress, network)


@contextmanager
def _raster_is_complete(path: str) -> Iterator[None]:
    """Add to the message of an output error that the classified raster is complete."""
    try:
        yield
    except OutputError as error:
        raise OutputError(
            tr(
                "The classified raster {path} is complete, but a further output failed: {error}",
                path=path,
                error=error.message,
            ),
            error.remedy,
        ) from error


def _may_start_process(steps: VectorSteps) -> bool:
    """Return whether the road network may be extracted in a process beside polygons and buildings.

    It takes as long as both. Small rasters are not worth the start of a process.
    """
    from dubai_landcover_plugin.core.runtimes.hardware import cores, free_memory, used_memory

    with rasterio.open(steps.classified) as dataset:
        pixels = dataset.width * dataset.height
    room = free_memory() // 2 if steps.memory is None else steps.memory * _MB - used_memory()
    needed = _PROCESS + _BYTES_PER_PIXEL * pixels
    return bool(sys.executable) and cores() > 1 and pixels >= _LEAST_PIXELS and room >= needed


def write_polygons(steps: VectorSteps, scheme: ClassScheme, monitor: Monitor) -> dict[int, VectorLayer]:
    """Trace the raster once; write the polygons of all classes, if requested.

    Returns:
        The polygons that buildings are made from, by class id: those of buildings and roads; none if no buildings are
        requested.
    """
    from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
    from dubai_landcover_plugin.core.io.memory_layer import MemoryLayer
    from dubai_landcover_plugin.core.polygons.polygonize import write_polygons as write_files
    from dubai_landcover_plugin.core.polygons.polygonizer import PolygonOptions

    chosen = steps.chosen
    kept = (scheme.find(chosen.building_class), _find(scheme, chosen.road_class)) if chosen.buildings else ()
    with ClassifiedSource(steps.classified) as source:
        for note in source.notes:
            monitor.log("warning", note)
        layers = {entry.id: MemoryLayer(source.grid.crs) for entry in kept if entry is not None}
        write_files(
            source,
            {Path(chosen.polygons): {entry.id for entry in source.scheme.entries}} if chosen.polygons else {},
            PolygonOptions(steps.min_area, steps.simplify, confidence=steps.confidence),
            monitor,
            steps.overwrite,
            layers,
        )
    monitor.report(1, 1, "")
    return {class_id: layer.layer() for class_id, layer in layers.items()}


def write_buildings(
    steps: VectorSteps, output: str, scheme: ClassScheme, layers: Mapping[int, VectorLayer], monitor: Monitor
) -> None:
    """Write regularized buildings; the polygons of roads are obstacles that they do not grow into.

    Args:
        steps: The outputs.
        output: The vector file.
        scheme: Classes of the raster.
        layers: See :func:`write_polygons`.
        monitor: Receives progress and messages; may cancel.
    """
    from dubai_landcover_plugin.core.buildings.regularize import regularize_checked

    building, road = scheme.find(steps.chosen.building_class), _find(scheme, steps.chosen.road_class)
    obstacles = layers[road.id] if road is not None and road != building else None
    source = tr("The class {name} of {classified}", name=building.name, classified=steps.classified)
    regularize_checked(
        BuildingsRequest(source, output, min_area=steps.min_area, overwrite=steps.overwrite),
        monitor,
        layers[building.id],
        obstacles if obstacles is not None and len(obstacles.geometries) else None,
    )


def write_roads(request: RoadsRequest, monitor: Monitor, network: NetworkProcess | None = None) -> None:
    """Write the road network.

    Args:
        request: The request.
        monitor: Receives progress and messages; may cancel.
        network: A process that extracts the network already, or None.
    """
    from dubai_landcover_plugin.core.roads.extract import extract_network, write_network

    extraction = network.result(monitor) if network is not None else None
    write_network(extraction or extract_network(request, monitor), request, monitor)


def _roads_request(steps: VectorSteps, output: str, scheme: ClassScheme) -> RoadsRequest:
    """Return the request of the road network; bridges over gaps cross neither water nor buildings."""
    road = scheme.find(steps.chosen.road_class)
    barriers = (_find(scheme, _WATER), _find(scheme, steps.chosen.building_class))
    return RoadsRequest(
        steps.classified,
        output,
        class_name=str(road.id),
        barriers=tuple(str(entry.id) for entry in barriers if entry is not None and entry != road),
        confidence=steps.confidence,
        overwrite=steps.overwrite,
    )


def _find(scheme: ClassScheme, name_or_id: str) -> LandCoverClass | None:
    """Return the class with a name or id; None if there is none."""
    try:
        return scheme.find(name_or_id)
    except ClassSchemeError:
        return None
