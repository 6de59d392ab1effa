"""Extract Road Network: a class map in, centre lines and their nodes out."""

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
from dubai_landcover_plugin.core.io.outputs import check_outputs
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.roads.gaps import bridge_gaps, extend_ends
from dubai_landcover_plugin.core.roads.graph import Line, RoadGraph
from dubai_landcover_plugin.core.roads.prune import drop_short_networks, merge_junctions, prune_spurs
from dubai_landcover_plugin.core.roads.skeleton import TILE, RoadShape, Skeleton, find_skeleton
from dubai_landcover_plugin.core.roads.smooth import smooth
from dubai_landcover_plugin.core.roads.style import LINE_STYLE, NODE_STYLE
from dubai_landcover_plugin.core.roads.topology import untangle
from dubai_landcover_plugin.core.roads.trace import trace
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest, RoadsResult

_BARRIERS = ("Water", "Building")
_ROWS = 1024  # read at once


@dataclass(frozen=True)
class RoadNetwork:
    """Lines and nodes in the CRS.

    Args:
        lines: (N,) LineStrings.
        line_fields: (N,) values of each attribute.
        nodes: (M,) Points.
        node_fields: (M,) values of each attribute.
        bridged: Number of gaps that were bridged.
    """

    lines: npt.NDArray[np.object_]
    line_fields: dict[str, npt.NDArray[Any]]
    nodes: npt.NDArray[np.object_]
    node_fields: dict[str, npt.NDArray[Any]]
    bridged: int


def extract_roads(request: RoadsRequest, monitor: Monitor | None = None) -> RoadsResult:
    """Write the road network of a class map.

    Raises:
        LandCoverError: if an input is not what it should be or an output cannot be written.
    """
    check_outputs(request)
    return extract_checked(request, monitor or LoggingMonitor())


def extract_checked(request: RoadsRequest, monitor: Monitor) -> RoadsResult:
    """Do as :func:`extract_roads` where :func:`.check_outputs` has accepted the outputs."""
    with ClassifiedSource(request.input) as source:
        network = find_network(source, request, monitor)
        grid = source.grid
    notes = [] if grid.crs is not None else ["The raster has no CRS: lengths and widths are in pixels."]
    if not len(network.lines):
        notes.append(f"No network of class {request.class_name} is as long as {request.min_length:g}.")
    for note in notes:
        monitor.log("warning", note)
    raise_if_cancelled(monitor)
    _write(network, grid.crs, request)
    monitor.report(1, 1, "")
    return _result(request, network, grid, notes)


def find_network(
    source: ClassifiedSource, request: RoadsRequest, monitor: Monitor, tile: tuple[int, int] = TILE
) -> RoadNetwork:
    """Return the network that :func:`extract_roads` writes.

    Args:
        source: The class map, open.
        request: What is wanted.
        monitor: Told how far it is.
        tile: Rows and columns of a tile, cells. The result does not depend on it.

    Raises:
        ClassSchemeError: if there is no such class.
        LandCoverError: as :func:`.find_skeleton` and :class:`.ConfidenceSource`.
    """
    road = source.scheme.find(request.class_name)
    barriers = _barrier_ids(source.scheme, request.barriers, road)
    shape = RoadShape(road.id, request.max_width, request.max_hole)
    confidence = ConfidenceSource(request.confidence, source.grid) if request.confidence else None
    with confidence or nullcontext():
        skeleton = find_skeleton(source, shape, confidence, monitor, tile)
    graph, bridged = _connect(skeleton, source, request, barriers, monitor)
    monitor.report(95, 100, "smoothing")
    lines = smooth(graph, request.simplify)
    raise_if_cancelled(monitor)
    return _described(graph, lines, source.grid, road, bridged)


def _connect(
    skeleton: Skeleton, source: ClassifiedSource, request: RoadsRequest, barriers: tuple[int, ...], monitor: Monitor
) -> tuple[RoadGraph, int]:
    """Return the graph of a skeleton, rid of artefacts and with gaps bridged, and how many."""
    monitor.report(90, 100, "tracing")
    graph = trace(skeleton, Metric(source.grid))
    raise_if_cancelled(monitor)
    merge_junctions(graph)
    prune_spurs(graph, request.spur)
    merge_junctions(graph)
    graph.dissolve()
    untangle(graph)
    extend_ends(graph)
    raise_if_cancelled(monitor)
    monitor.report(92, 100, "bridging gaps")
    bridged = bridge_gaps(graph, request.max_gap, lambda spans, short: _crosses(spans, short, source, barriers))
    untangle(graph)
    drop_short_networks(graph, request.min_length)
    return graph, bridged


def _barrier_ids(scheme: ClassScheme, names: tuple[str, ...] | None, road: LandCoverClass) -> tuple[int, ...]:
    if names is None:
        return tuple(entry.id for entry in scheme.entries if entry.name in _BARRIERS and entry != road)
    barriers = [scheme.find(name) for name in names]
    if road in barriers:
        raise ClassSchemeError(f"The class {road.name} is road and barrier at once.", "Choose other barriers.")
    return tuple(entry.id for entry in barriers)


def _crosses(
    spans: npt.NDArray[np.object_],
    short: npt.NDArray[np.bool_],
    source: ClassifiedSource,
    barriers: tuple[int, ...],
) -> npt.NDArray[np.bool_]:
    """Return which spans, (N,) in pixels, cross no data, or a class that is a barrier unless they are short."""
    grid = source.grid
    points, of_span = shapely.get_coordinates(shapely.segmentize(spans, 0.5), return_index=True)
    cols = np.floor(points[:, 0]).astype(np.int64).clip(0, grid.width - 1)
    rows = np.floor(points[:, 1]).astype(np.int64).clip(0, grid.height - 1)
    crossing = np.zeros(len(spans), bool)
    for first in np.unique(rows // _ROWS * _ROWS).tolist():
        band = source.read(first, min(first + _ROWS, grid.height))
        here = (rows >= first) & (rows < first + _ROWS)
        ids = band[rows[here] - first, cols[here]]
        hit = (ids == NODATA_ID) | (np.isin(ids, barriers) & ~short[of_span[here]])
        crossing[of_span[here][hit]] = True
    return crossing


def _described(
    graph: RoadGraph, lines: npt.NDArray[np.object_], grid: Grid, road: LandCoverClass, bridged: int
) -> RoadNetwork:
    """Number lines, nodes and networks, measure, and move everything to the CRS."""
    metric, unit = graph.metric, graph.metric.unit
    order = sorted(graph.nodes, key=lambda node: (graph.nodes[node][1], graph.nodes[node][0]))
    number = {node: index for index, node in enumerate(order, 1)}
    lengths = np.array([metric.length(shapely.get_coordinates(line)) for line in lines])
    components = graph.components()
    totals: dict[int, float] = {}
    for line, length in zip(graph.lines.values(), lengths.tolist(), strict=True):
        totals[components[line.start]] = totals.get(components[line.start], 0.0) + length
    ranks = {key: rank for rank, key in enumerate(sorted(totals, key=lambda key: -totals[key]), 1)}
    measured = [_measure(graph, line) for line in graph.lines.values()]
    widths, narrowest, gaps, sure = np.array(measured, np.float64).reshape(-1, 4).T
    ends = list(graph.lines.values())
    fields: dict[str, npt.NDArray[Any]] = {
        "line_id": np.arange(1, len(lines) + 1, dtype=np.int32),
        "class_id": np.full(len(lines), road.id, np.int32),
        "class": np.full(len(lines), road.name, object),
        f"length_{unit}": lengths.round(2),
        f"width_{unit}": widths.round(2),
        f"minwid_{unit}": narrowest.round(2),
        f"gap_{unit}": np.minimum(gaps, lengths).round(2),
        "confidence": sure.round(1),
        "from_node": np.array([number[line.start] for line in ends], np.int32),
        "to_node": np.array([number[line.end] for line in ends], np.int32),
        "network": np.array([ranks[components[line.start]] for line in ends], np.int32),
    }
    places = np.array([graph.nodes[node] for node in order]).reshape(-1, 2)
    node_fields: dict[str, npt.NDArray[Any]] = {
        "node_id": np.arange(1, len(order) + 1, dtype=np.int32),
        "degree": np.array([graph.degree(node) for node in order], np.int32),
        "network": np.array([ranks[components[node]] for node in order], np.int32),
    }
    return RoadNetwork(
        pixels_to_crs(lines, grid), fields, pixels_to_crs(shapely.points(places), grid), node_fields, bridged
    )


def _measure(graph: RoadGraph, line: Line) -> tuple[float, float, float, float]:
    """Return mean and least width, length of bridged gaps, and mean confidence; NaN where nothing is known.

    Widths are taken a half width away from nodes: there the body of a crossing begins, or the edge of the class.
    """
    steps = graph.metric.steps(line.points)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    known, bridge = line.half_width > 0, line.half_width == 0
    gap = float(steps[bridge[1:] | bridge[:-1]].sum())
    if not known.any():
        return np.nan, np.nan, gap, np.nan
    inner = known.copy()
    for node, distance in ((line.start, along), (line.end, along[-1] - along)):
        inner &= distance >= graph.half_width(node)
    kept = inner if inner.any() else known
    sure = line.confidence[~np.isnan(line.confidence)]
    confidence = float(sure.mean()) if len(sure) else np.nan
    return 2 * float(line.half_width[kept].mean()), 2 * float(line.half_width[kept].min()), gap, confidence


def _write(network: RoadNetwork, crs: CRS | None, request: RoadsRequest) -> None:
    """Write lines and nodes; both are written before the first one takes its place."""
    line_types = {name: values.dtype for name, values in network.line_fields.items()}
    node_types = {name: values.dtype for name, values in network.node_fields.items()}
    with ExitStack() as stack:
        files = [stack.enter_context(VectorWriter(request.output, "LineString", crs, line_types, LINE_STYLE))]
        files[0].write(network.lines, network.line_fields)
        if request.nodes:
            files.append(stack.enter_context(VectorWriter(request.nodes, "Point", crs, node_types, NODE_STYLE)))
            files[1].write(network.nodes, network.node_fields)
        for file in files:
            file.finish()


def _result(request: RoadsRequest, network: RoadNetwork, grid: Grid, notes: list[str]) -> RoadsResult:
    unit = "m" if grid.crs is not None else "px"
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
        warnings=tuple(notes),
    )
