"""Extract Road Network: centre lines and nodes of a class, as vector files."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric, pixels_to_crs
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.qml import shipped_style
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.roads.centre import centre_lines
from dubai_landcover_plugin.core.roads.extend import extend_dangles
from dubai_landcover_plugin.core.roads.gaps import bridge_gaps
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.prune import drop_short_networks, merge_junctions, prune_spurs
from dubai_landcover_plugin.core.roads.skeleton import TILE, Skeleton, SkeletonOptions, find_skeleton
from dubai_landcover_plugin.core.roads.smooth import smooth
from dubai_landcover_plugin.core.roads.topology import planarize
from dubai_landcover_plugin.core.roads.trace import trace_skeleton
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest, RoadsResult
from dubai_landcover_plugin.protocol.translation import tr

_BARRIERS = ("Water", "Building")
_STRIP_ROWS = 1024


@dataclass(frozen=True)
class RoadNetwork:
    """Lines and nodes of a road network in the CRS.

    Args:
        lines: (N,) LineStrings.
        line_fields: (N,) values of each attribute.
        nodes: (M,) Points.
        node_fields: (M,) values of each attribute.
        bridged: Number of gaps bridged.
    """

    lines: npt.NDArray[np.object_]
    line_fields: dict[str, npt.NDArray[Any]]
    nodes: npt.NDArray[np.object_]
    node_fields: dict[str, npt.NDArray[Any]]
    bridged: int


@dataclass(frozen=True)
class Extraction:
    """The road network of a raster, before it is written.

    Args:
        network: The network.
        crs: CRS of the raster.
        notes: Warnings for the user.
    """

    network: RoadNetwork
    crs: CRS | None
    notes: list[str]


def extract_roads(request: RoadsRequest, monitor: Monitor | None = None) -> RoadsResult:
    """Write the road network of a classified raster.

    Args:
        request: Input, outputs and options.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if an input cannot be used or an output cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import extract_roads
        >>> from dubai_landcover_plugin.protocol.requests import RoadsRequest
        >>> result = extract_roads(RoadsRequest("landcover.tif", "roads.gpkg"))
        >>> result.lines, result.unit
        (1, 'm')
    """
    check_outputs(request)
    return extract_checked(request, monitor or LoggingMonitor())


def extract_checked(request: RoadsRequest, monitor: Monitor) -> RoadsResult:
    """Do as :func:`extract_roads` where :func:`.check_outputs` has accepted the outputs."""
    return write_network(extract_network(request, monitor), request, monitor)


def extract_network(request: RoadsRequest, monitor: Monitor) -> Extraction:
    """Extract the road network of the request's raster; nothing is written."""
    with ClassifiedSource(request.input, request.scheme) as source:
        network = find_network(source, request, monitor)
        crs, road = source.grid.crs, source.scheme.find(request.class_name)
    notes = source.notes
    if crs is None:
        notes.append(tr("The raster has no CRS: lengths and widths are in pixels."))
    if not len(network.lines):
        unit = tr("px" if crs is None else "m")
        notes.append(
            tr(
                "No network of class {name} reaches the minimum length of {min_length:g} {unit}.",
                name=road.name,
                min_length=request.min_length,
                unit=unit,
            )
        )
    return Extraction(network, crs, notes)


def write_network(extraction: Extraction, request: RoadsRequest, monitor: Monitor) -> RoadsResult:
    """Write an extracted network."""
    for note in extraction.notes:
        monitor.log("warning", note)
    raise_if_cancelled(monitor)
    _write(extraction.network, extraction.crs, request, monitor)
    monitor.report(1, 1, "")
    return _result(request, extraction)


def find_network(
    source: ClassifiedSource, request: RoadsRequest, monitor: Monitor, tile: tuple[int, int] = TILE
) -> RoadNetwork:
    """Extract the road network of an open classified raster.

    Args:
        source: The classified raster.
        request: Options.
        monitor: Receives progress; may cancel.
        tile: Rows and columns of a tile, cells. The result does not depend on it.

    Raises:
        ClassSchemeError: if a class is unknown.
        LandCoverError: as :func:`.find_skeleton` and :class:`.ConfidenceSource`.
    """
    road = source.scheme.find(request.class_name)
    barriers = _barrier_ids(source.scheme, request.barriers, road)
    options = SkeletonOptions(road.id, request.max_width, request.max_hole)
    confidence = ConfidenceSource(request.confidence, source.grid) if request.confidence else None
    with confidence or nullcontext():
        skeleton = find_skeleton(source, options, confidence, monitor, tile)
    graph, bridged = _build_graph(skeleton, source, request, barriers, monitor)
    monitor.report(95, 100, tr("smoothing"))
    lines = _drop_short_lines(graph, smooth(graph, request.simplify), request.min_length)
    raise_if_cancelled(monitor)
    return _build_network(graph, lines, source.grid, road, bridged)


def _build_graph(
    skeleton: Skeleton, source: ClassifiedSource, request: RoadsRequest, barriers: tuple[int, ...], monitor: Monitor
) -> tuple[RoadGraph, int]:
    """Return the graph of a skeleton without artefacts of thinning and with gaps bridged, and the number of bridges."""
    monitor.report(90, 100, tr("tracing"))
    graph = trace_skeleton(skeleton, Metric(source.grid))
    raise_if_cancelled(monitor)
    merge_junctions(graph)
    prune_spurs(graph, request.spur)
    merge_junctions(graph)
    graph.dissolve_pseudo_nodes()
    planarize(graph)
    centre_lines(graph, skeleton.area)
    extend_dangles(graph, skeleton.area)
    raise_if_cancelled(monitor)
    monitor.report(92, 100, tr("bridging gaps"))
    bridged = bridge_gaps(graph, request.max_gap, lambda lines, short: _crosses_barrier(lines, short, source, barriers))
    planarize(graph)
    drop_short_networks(graph, request.min_length)
    return graph, bridged


def _drop_short_lines(graph: RoadGraph, lines: npt.NDArray[np.object_], min_length: float) -> npt.NDArray[np.object_]:
    """Remove the networks that smoothing has made shorter than ``min_length``; return the lines that are left.

    Args:
        graph: Changed in place.
        lines: (N,) smoothed LineStrings in pixels, in the order of ``graph.lines``.
        min_length: Shortest total length, m (px without a CRS).
    """
    lengths = {
        number: graph.metric.length(shapely.get_coordinates(line)) for number, line in zip(graph.lines, lines.tolist())
    }
    drop_short_networks(graph, min_length, lengths)
    return lines[[number in graph.lines for number in lengths]] if len(lines) else lines


def _barrier_ids(scheme: ClassScheme, names: tuple[str, ...] | None, road: LandCoverClass) -> tuple[int, ...]:
    """Return the class ids that bridges must not cross; by default those of water and buildings."""
    if names is None:
        return tuple(entry.id for entry in scheme.entries if entry.name in _BARRIERS and entry != road)
    barriers = [scheme.find(name) for name in names]
    if road in barriers:
        raise ClassSchemeError(
            tr("The class {name} is both the road class and a barrier.", name=road.name),
            tr("Remove {name} from the barriers.", name=road.name),
        )
    return tuple(entry.id for entry in barriers)


def _crosses_barrier(
    lines: npt.NDArray[np.object_],
    short: npt.NDArray[np.bool_],
    source: ClassifiedSource,
    barriers: tuple[int, ...],
) -> npt.NDArray[np.bool_]:
    """Return which lines, (N,) in pixels, cross nodata, or a barrier class unless they are short.

    Lines are sampled every half pixel.
    """
    grid = source.grid
    points, line_of_point = shapely.get_coordinates(shapely.segmentize(lines, 0.5), return_index=True)
    cols = np.floor(points[:, 0]).astype(np.int64).clip(0, grid.width - 1)
    rows = np.floor(points[:, 1]).astype(np.int64).clip(0, grid.height - 1)
    crossing = np.zeros(len(lines), bool)
    for first in np.unique(rows // _STRIP_ROWS * _STRIP_ROWS).tolist():
        strip = source.read(first, min(first + _STRIP_ROWS, grid.height))
        in_strip = (rows >= first) & (rows < first + _STRIP_ROWS)
        ids = strip[rows[in_strip] - first, cols[in_strip]]
        hit = (ids == NODATA_ID) | (np.isin(ids, barriers) & ~short[line_of_point[in_strip]])
        crossing[line_of_point[in_strip][hit]] = True
    return crossing


def _build_network(
    graph: RoadGraph, lines: npt.NDArray[np.object_], grid: Grid, road: LandCoverClass, bridged: int
) -> RoadNetwork:
    """Number lines, nodes and networks, compute attributes, and transform geometries to the CRS."""
    metric, unit = graph.metric, graph.metric.unit
    # Nodes are numbered from top to bottom, networks by length, the longest first.
    order = sorted(graph.nodes, key=lambda node: (graph.nodes[node][1], graph.nodes[node][0]))
    number = {node: index for index, node in enumerate(order, 1)}
    lengths = np.array([metric.length(shapely.get_coordinates(line)) for line in lines])
    components = graph.components()
    totals: dict[int, float] = {}
    for line, length in zip(graph.lines.values(), lengths.tolist(), strict=True):
        totals[components[line.start]] = totals.get(components[line.start], 0.0) + length
    rank = {key: index for index, key in enumerate(sorted(totals, key=lambda key: -totals[key]), 1)}
    measured = [_measure(graph, line) for line in graph.lines.values()]
    widths, min_widths, gaps, confidence = np.array(measured, np.float64).reshape(-1, 4).T
    ends = list(graph.lines.values())
    fields: dict[str, npt.NDArray[Any]] = {
        "line_id": np.arange(1, len(lines) + 1, dtype=np.int32),
        "class_id": np.full(len(lines), road.id, np.int32),
        "class": np.full(len(lines), road.name, object),
        f"length_{unit}": lengths.round(2),
        f"width_{unit}": widths.round(2),
        f"minwid_{unit}": min_widths.round(2),
        f"gap_{unit}": np.minimum(gaps, lengths).round(2),
        "confidence": confidence.round(1),
        "from_node": np.array([number[line.start] for line in ends], np.int32),
        "to_node": np.array([number[line.end] for line in ends], np.int32),
        "network": np.array([rank[components[line.start]] for line in ends], np.int32),
    }
    positions = np.array([graph.nodes[node] for node in order]).reshape(-1, 2)
    node_fields: dict[str, npt.NDArray[Any]] = {
        "node_id": np.arange(1, len(order) + 1, dtype=np.int32),
        "degree": np.array([graph.degree(node) for node in order], np.int32),
        "network": np.array([rank[components[node]] for node in order], np.int32),
    }
    return RoadNetwork(
        pixels_to_crs(lines, grid), fields, pixels_to_crs(shapely.points(positions), grid), node_fields, bridged
    )


def _measure(graph: RoadGraph, line: Line) -> tuple[float, float, float, float]:
    """Return mean and smallest width, length of bridged gaps, and mean confidence of a line; NaN where unknown.

    Widths are measured at least half a width away from nodes, where a junction or the end of the road widens or narrows
    them.
    """
    steps = line.steps(graph.metric)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    known, bridge = line.half_width > 0, line.half_width == 0
    gap = float(steps[bridge[1:] | bridge[:-1]].sum())
    if not known.any():
        return np.nan, np.nan, gap, np.nan
    inner = known.copy()
    for node, distance in ((line.start, along), (line.end, along[-1] - along)):
        inner &= distance >= graph.half_width(node)
    kept = inner if inner.any() else known
    percent = line.confidence[~np.isnan(line.confidence)]
    confidence = float(percent.mean()) if len(percent) else np.nan
    return 2 * float(line.half_width[kept].mean()), 2 * float(line.half_width[kept].min()), gap, confidence


def _write(network: RoadNetwork, crs: CRS | None, request: RoadsRequest, monitor: Monitor) -> None:
    """Write lines and nodes; both files are complete before the first is moved to its final path."""
    line_types = {name: values.dtype for name, values in network.line_fields.items()}
    node_types = {name: values.dtype for name, values in network.node_fields.items()}
    with ExitStack() as stack:
        lines = VectorWriter(request.output, "LineString", crs, line_types, shipped_style("roads"), request.overwrite)
        files = [stack.enter_context(lines)]
        lines.write(network.lines, network.line_fields)
        if request.nodes:
            style = shipped_style("road_nodes")
            nodes = VectorWriter(request.nodes, "Point", crs, node_types, style, request.overwrite)
            files.append(stack.enter_context(nodes))
            nodes.write(network.nodes, network.node_fields)
        for file in files:
            file.finish(monitor)


def _result(request: RoadsRequest, extraction: Extraction) -> RoadsResult:
    network, unit = extraction.network, "m" if extraction.crs is not None else "px"
    degree = network.node_fields["degree"]
    return RoadsResult(
        output=request.output,
        nodes=request.nodes,
        lines=len(network.lines),
        junctions=int((degree > 2).sum()),
        ends=int((degree == 1).sum()),
        networks=int(network.line_fields["network"].max(initial=0)),
        bridged=network.bridged,
        length=round(float(network.line_fields[f"length_{unit}"].sum()), 2),
        unit=unit,
        warnings=tuple(extraction.notes),
    )
