"""Preview of a part of a raster: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.requests.options import option, ordered_extent
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions

UNUSED_OPTIONS = ("device", "tta", "min_area", "simplify", "cog", "keep")
"""Options of a segmentation that a preview does not have."""


@dataclass(frozen=True)
class PreviewRequest(Request):
    """Classification of a part of a raster, without the checks and side files of a run."""

    input: str = option(title="Raster", help="Any raster that GDAL reads.", reads="raster")
    output: str = option(
        title="Preview", help="Classified raster of the extent, a GeoTIFF of class ids.", writes="raster"
    )
    options: SegmentOptions = field(default_factory=SegmentOptions)
    extent: tuple[float, float, float, float] | None = option(
        None,
        title="Extent",
        help="Part of the raster to classify, in the raster's CRS, at most 16 Mpx. By default all of it.",
        metavar="XMIN YMIN XMAX YMAX",
    )
    confidence: str | None = option(
        None, title="Confidence", help="Confidence raster of the extent, in percent.", writes="raster"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered_extent(self.extent)


@dataclass(frozen=True)
class PreviewResult(Result):
    """A classified part of a raster.

    Args:
        output: The GeoTIFF of class ids.
        confidence: The GeoTIFF of the confidence, or None.
        height: Rows of the preview.
        width: Columns of the preview.
        pixels: Pixels by class name.
        scheme: The classes, as :meth:`.ClassScheme.to_json` gives them.
        seconds: Time, s.
        warnings: Messages for the user.
    """

    output: str
    confidence: str | None
    height: int
    width: int
    pixels: dict[str, int]
    scheme: dict[str, Any]
    seconds: float
    warnings: tuple[str, ...] = ()
