"""Report of a classified raster: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.classes import COLOURS, DATASET, NATURAL
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    CLASSIFIED_HELP,
    CONFIDENCE_HELP,
    OVERWRITE_HELP,
    option,
    scheme_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True)
class ReportRequest(Request):
    """Areas of the classes of a classified raster as a page, a table and a layer of zones."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    report: str = option(title="Report", help="The page (.html). Print it from a browser to get a PDF.", writes="page")
    csv: str | None = option(
        None,
        title="Table",
        help="The same figures as CSV: one row for each class of each zone; zone 0 is the whole raster.",
        writes="table",
    )
    zones: str | None = option(
        None,
        title="Zones",
        help="Polygons to report one by one, in any CRS. By default the raster is reported as a whole.",
        reads="polygons",
    )
    zone_field: str | None = option(
        None,
        title="Zone name field",
        help="Attribute with the names of the zones. By default zones are numbered.",
        metavar="NAME",
    )
    zones_layer: str | None = option(
        None,
        title="Zones with areas",
        help="Copy of the zones with area and share (percent) of each class.",
        writes="polygons",
    )
    confidence: str | None = option(
        None,
        title="Confidence raster",
        help=f"{CONFIDENCE_HELP} Adds the uncertainty of each class to the report.",
        reads="raster",
    )
    title: str = option("Land cover report", title="Title", help="Heading of the page.", metavar="TEXT")
    colours: str = option(
        NATURAL,
        choices=COLOURS,
        key="NATURAL_COLOURS",
        checkbox=(DATASET, NATURAL),
        advanced=True,
        title="Natural colours",
        help="Whether water is blue, vegetation green and so on, or the classes of the Dubai dataset have its colours.",
    )
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, given in (("zone_field", self.zone_field), ("zones_layer", self.zones_layer)):
            if given is not None and self.zones is None:
                raise RequestError(
                    tr("{name} is given, but no zones.", name=name),
                    tr("Give a polygon layer, or leave {name} out.", name=name),
                )


@dataclass(frozen=True)
class ReportResult(Result):
    """Areas of the classes, and the files with them.

    Args:
        report: The page.
        csv: The table, or None.
        zones_layer: The copy of the zones, or None.
        unit: Of areas: ``m2``, or ``px`` without a CRS.
        valid_pixels: Pixels with a class.
        total_area: Their area.
        pixels: Pixels by class name.
        areas: Areas by class name.
        shares: Shares of the valid area by class name, 0..1.
        wrong: Expected area of other classes, by class name; empty without a confidence raster and on ground unlike
            the training images.
        mean_confidence: Percent; None without a confidence raster.
        zones: Number of zones reported.
        warnings: Messages for the user.
    """

    report: str
    csv: str | None
    zones_layer: str | None
    unit: str
    valid_pixels: int
    total_area: float
    pixels: dict[str, int]
    areas: dict[str, float]
    shares: dict[str, float]
    wrong: dict[str, float]
    mean_confidence: float | None
    zones: int
    warnings: tuple[str, ...] = ()
