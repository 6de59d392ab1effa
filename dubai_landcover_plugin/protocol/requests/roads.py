"""Road network of a classified raster: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.requests.options import (
    CLASSIFIED_HELP,
    CONFIDENCE_HELP,
    OVERWRITE_HELP,
    option,
    scheme_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result


@dataclass(frozen=True)
class RoadsRequest(Request):
    """Centre lines of one class of a classified raster."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    output: str = option(
        title="Road network",
        help="The centre lines: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet.",
        writes="lines",
    )
    nodes: str | None = option(
        None,
        title="Nodes",
        help="Ends and junctions as points, with the number of lines that meet there.",
        writes="points",
    )
    class_name: str = option(
        "Road",
        filled=True,
        flag="class",
        key="CLASS",
        title="Class",
        help="Name or id of the class to draw centre lines of.",
        metavar="CLASS",
        example="Road",
    )
    confidence: str | None = option(
        None,
        title="Confidence raster",
        help=f"{CONFIDENCE_HELP} Adds the mean confidence of each line to its attributes.",
        reads="raster",
    )
    max_gap: float = option(
        20.0,
        low=0,
        unit="m",
        title="Widest gap to bridge",
        help="Road ends that face each other or a road across at most this distance are joined. 0 bridges no gaps. In "
        "pixels where the raster has no CRS.",
    )
    barriers: tuple[str, ...] | None = option(
        None,
        advanced=True,
        title="Barriers",
        help="Names or ids of the classes that no bridge over a gap may cross, unless it is shorter than 0.3 of the "
        "widest gap. By default Water and Building, where they exist. Nodata is never crossed.",
        metavar="CLASS",
        example="Water",
    )
    spur: float = option(
        1.5,
        low=0,
        unit="road widths",
        advanced=True,
        title="Shortest branch",
        help="Dead ends shorter than this many widths of the road they leave are removed. 0 keeps all.",
    )
    min_length: float = option(
        60.0,
        low=0,
        unit="m",
        title="Shortest network",
        help="Networks whose lines together are shorter than this are left out. In pixels where the raster has no CRS.",
    )
    max_width: float = option(
        150.0,
        low=1,
        unit="m",
        title="Widest road",
        help="Where the class is wider than this, for example at squares and car parks, no line is drawn. In pixels "
        "where the raster has no CRS.",
    )
    max_hole: float = option(
        60.0,
        low=0,
        unit="m²",
        advanced=True,
        title="Largest hole to fill",
        help="Holes in a road up to this area, such as cars and trees, are filled first. In pixels where the raster "
        "has no CRS.",
    )
    simplify: float = option(
        0.3,
        low=0,
        unit="m",
        advanced=True,
        title="Simplification tolerance",
        help="Largest distance by which a smoothed line may move to lose vertices; 0 keeps all. In pixels where the "
        "raster has no CRS.",
    )
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class RoadsResult(Result):
    """A road network in a vector file.

    Args:
        output: Vector file of the lines.
        nodes: Vector file of the nodes, or None.
        lines: Number of lines.
        junctions: Nodes where three or more lines meet.
        ends: Nodes where one line ends.
        networks: Number of connected networks.
        bridged: Number of bridged gaps.
        length: Total length of the lines, in ``unit``.
        unit: ``m``, or ``px`` without a CRS.
        warnings: Messages for the user.
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
