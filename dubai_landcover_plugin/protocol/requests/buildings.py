"""Requests for regular outlines of buildings.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Request, Result, at_least, vector_path


@dataclass(frozen=True)
class BuildingsRequest(Request):
    """Building polygons with right angles along their own walls.

    Args:
        input: A polygon layer; ``|layername=NAME`` behind it names one of several.
        output: The vector file to write.
        tolerance: Shortest edge, m (units of the layer without a CRS); None takes two pixels of outlines that follow
            pixels, else 2.
        min_iou: Smallest intersection over union of a regular outline with its given one; below it the given one stays.
        diagonals: Allow edges at 45° to the walls.
        split: Widest neck at which touching buildings are parted, m; 0 parts none.
        min_part: Smallest building that parting may make, m².
        obstacles: A polygon layer that outlines must not newly overlap, such as roads.
        overwrite: Replace an output that exists.
    """

    input: str
    output: str
    tolerance: float | None = None
    min_iou: float = 0.85
    diagonals: bool = False
    split: float = 0.0
    min_part: float = 60.0
    obstacles: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output:
            raise RequestError("A layer of buildings and an output are needed.")
        vector_path("output", self.output)
        if self.tolerance is not None and self.tolerance <= 0:
            raise RequestError(f"tolerance must be above 0, got {self.tolerance:g}.", "Leave it out to have it chosen.")
        at_least("min_iou", self.min_iou, 0, 1)
        at_least("split", self.split, 0)
        at_least("min_part", self.min_part, 0)


@dataclass(frozen=True)
class BuildingsResult(Result):
    """Regular outlines in a vector file.

    Args:
        output: The vector file.
        buildings: How many there are.
        regular: How many of them have a regular outline.
        mean_iou: Mean intersection over union of these with their given outlines; None where there are none.
        tolerance: Shortest edge, m (units of the layer without a CRS).
        warnings: What the user should know.
    """

    output: str
    buildings: int
    regular: int
    mean_iou: float | None
    tolerance: float
    warnings: tuple[str, ...] = ()
