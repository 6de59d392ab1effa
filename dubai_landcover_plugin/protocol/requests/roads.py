"""Requests for the road network of a classified raster.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Request, Result, at_least, vector_path


@dataclass(frozen=True)
class RoadsRequest(Request):
    """Centre lines of one class of a classified raster. Lengths are in m, or in px without a CRS.

    Args:
        input: Path of a classified raster.
        output: Vector file of the lines.
        nodes: Vector file of the nodes (ends and junctions), or None.
        class_name: Name or id of the class that is road.
        confidence: Confidence raster (percent) of the same run, or None.
        max_gap: Widest gap between road ends that is bridged; 0 bridges none.
        barriers: Names or ids of the classes that a bridge may not cross, unless it is short (below 0.3 of the widest
            gap); None: Water and Building, where they exist.
        spur: Branches shorter than so many road widths are cut off.
        min_length: Shortest network kept, all its lines together.
        max_width: Where the class is wider than this, it is no road and gets no line.
        max_hole: Largest hole that is filled first (cars, trees, islands), m² (px without a CRS).
        simplify: Tolerance of the lines; 0 keeps all vertices.
        overwrite: Replace outputs that exist.
    """

    input: str
    output: str
    nodes: str | None = None
    class_name: str = "Road"
    confidence: str | None = None
    max_gap: float = 20.0
    barriers: tuple[str, ...] | None = None
    spur: float = 1.5
    min_length: float = 60.0
    max_width: float = 150.0
    max_hole: float = 60.0
    simplify: float = 0.3
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output:
            raise RequestError("A classified raster and an output are needed.")
        vector_path("output", self.output)
        vector_path("nodes", self.nodes)
        if self.output == self.nodes:
            raise RequestError("Lines and nodes have the same output.", "Choose a file for each.")
        if not self.class_name.strip():
            raise RequestError("No class was chosen.", "Choose one, for example Road.")
        for name in ("max_gap", "spur", "min_length", "max_hole", "simplify"):
            at_least(name, getattr(self, name), 0)
        at_least("max_width", self.max_width, 1)


@dataclass(frozen=True)
class RoadsResult(Result):
    """A road network in a vector file.

    Args:
        output: Vector file of the lines.
        nodes: Vector file of the nodes, or None.
        lines: How many lines there are.
        junctions: Nodes where three or more lines meet.
        ends: Nodes where one line ends.
        networks: Parts that are not connected.
        bridged: Gaps that were bridged.
        length: Of all lines, in ``unit``.
        unit: ``m``, or ``px`` without a CRS.
        warnings: What the user should know.
    """

    output: str
    nodes: str | None
    lines: int
    junctions: int
    ends: int
    networks: int
    bridged: int
    length: float
    unit: str
    warnings: tuple[str, ...] = ()
