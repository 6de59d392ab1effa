"""Regular outlines of buildings: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.requests.options import OVERWRITE_HELP, option
from dubai_landcover_plugin.protocol.requests.request import Request, Result


@dataclass(frozen=True)
class BuildingsRequest(Request):
    """Building polygons with right angles along their main walls."""

    input: str = option(
        title="Building polygons", help="Polygons of buildings, along pixel edges or simplified.", reads="polygons"
    )
    output: str = option(
        title="Regular buildings",
        help="The vector file to write: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet.",
        writes="polygons",
    )
    tolerance: float | None = option(
        None,
        low=0,
        exclusive=True,
        unit="m",
        decimals=3,
        title="Shortest edge",
        help="Steps of the outline shorter than this are removed. By default two pixels where outlines follow the "
        "pixels of a raster, else 2 m. In units of the layer where it has no CRS.",
    )
    min_iou: float = option(
        0.85,
        low=0,
        high=1,
        advanced=True,
        title="Smallest IoU",
        help="Smallest intersection over union (IoU) of an outline with the given one; below it the given one "
        "is kept. Lower it to 0.7 to also regularize small buildings of few pixels.",
    )
    diagonals: bool = option(
        False,
        title="Allow edges at 45°",
        help="Long edges at about 45° to the walls run at exactly 45°.",
    )
    split: float = option(
        0.0,
        low=0,
        unit="m",
        advanced=True,
        title="Split touching buildings at necks up to",
        help="Buildings joined by a neck narrower than this become separate features. 0 splits none.",
    )
    min_part: float = option(
        60.0,
        low=0,
        unit="m²",
        advanced=True,
        title="Smallest part",
        help="Buildings are not split where a part would be smaller than this.",
    )
    obstacles: str | None = option(
        None,
        title="Obstacles",
        help="Polygons that outlines must not newly overlap, such as roads.",
        reads="polygons",
    )
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)
    class_name: str | None = option(
        None,
        filled=True,
        flag="class",
        key="CLASS",
        title="Class",
        help="Only polygons of this class, for layers of several classes: name or id in the attributes class and "
        "class_id. By default all polygons.",
        metavar="CLASS",
        example="Building",
    )
    min_area: float = option(
        20.0,
        low=0,
        unit="m²",
        advanced=True,
        title="Smallest outline",
        help="No outline of a building that reaches this area becomes smaller: the given one is kept instead.",
    )


@dataclass(frozen=True)
class BuildingsResult(Result):
    """Regular outlines in a vector file.

    Args:
        output: The vector file.
        buildings: Number of buildings.
        regular: Number of buildings whose outline is mostly at right angles.
        mean_iou: Mean intersection over union of these with their given outlines; None if there are none.
        tolerance: Shortest edge, m (units of the layer without a CRS).
        warnings: Messages for the user.
    """

    output: str
    buildings: int
    regular: int
    mean_iou: float | None
    tolerance: float
    warnings: tuple[str, ...] = ()
