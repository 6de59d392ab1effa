"""Change between two classified rasters: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import CLASSIFIED_HELP, OVERWRITE_HELP, option, scheme_option
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True)
class ChangeRequest(Request):
    """Change from one classified raster to another."""

    earlier: str = option(
        title="Classified raster, earlier date",
        help=f"{CLASSIFIED_HELP} The result has its pixels.",
        reads="raster",
    )
    later: str = option(
        title="Classified raster, later date",
        help=f"{CLASSIFIED_HELP} Preferably made with the same model.",
        reads="raster",
    )
    output: str = option(title="Change", help="The from–to raster, a GeoTIFF with colours and names.", writes="raster")
    polygons: str | None = option(
        None,
        proposed=True,
        title="Polygons of change",
        help="The areas that changed: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet.",
        writes="polygons",
    )
    csv: str | None = option(
        None,
        title="Change matrix",
        help="Pixels and area of each pair of classes, as CSV.",
        writes="table",
    )
    report: str | None = option(
        None,
        title="Report",
        help="Web page with change matrix, gains and losses, a chart and the shift.",
        writes="page",
    )
    earlier_confidence: str | None = option(
        None,
        title="Confidence raster, earlier date",
        help="Confidence raster of the earlier date, in percent, on the pixels of its classified raster.",
        reads="raster",
    )
    later_confidence: str | None = option(
        None,
        title="Confidence raster, later date",
        help="Confidence raster of the later date, in percent, on the pixels of its classified raster.",
        reads="raster",
    )
    min_confidence: float = option(
        0.0,
        low=0,
        high=1,
        title="Minimum confidence",
        help="Pixels below this confidence (0–1) at either date become Uncertain and count as no change. Needs a "
        "confidence raster. 0 takes every pixel.",
    )
    min_area: float = option(
        50.0,
        low=0,
        unit="m²",
        title="Smallest polygon of change",
        help="Smaller polygons are left out; raster, matrix and report count every pixel. In pixels where the rasters "
        "have no CRS.",
    )
    correct_shift: bool = option(
        False,
        title="Correct the shift",
        help="Move the later raster by the estimated shift, rounded to whole pixels, before comparing.",
    )
    earlier_scheme: str | None = scheme_option("Class scheme, earlier date")
    later_scheme: str | None = scheme_option("Class scheme, later date")
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.earlier == self.later:
            raise RequestError(
                tr("Both dates are the same raster, {earlier}.", earlier=self.earlier),
                tr("Choose two different rasters."),
            )
        if self.min_confidence > 0 and not self.confidences:
            raise RequestError(
                tr(
                    "A minimum confidence of {min_confidence:g} needs a confidence raster.",
                    min_confidence=self.min_confidence,
                ),
                tr("Give that of one date or, better, of both; or set the minimum to 0."),
            )

    @property
    def confidences(self) -> tuple[str, ...]:
        """The confidence rasters that were given."""
        return tuple(path for path in (self.earlier_confidence, self.later_confidence) if path)


@dataclass(frozen=True)
class ChangeResult(Result):
    """Change between two dates.

    Args:
        request: The request, as JSON.
        output: The from–to GeoTIFF.
        polygons: The vector file of changes, or None.
        csv: The change matrix, or None.
        report: The page, or None.
        height: Rows of the result.
        width: Columns of the result.
        unit: Of areas: ``m²``, or ``px`` without a CRS.
        legend: The codes that occur: ``code``, ``name``, ``colour``, ``change``, ``pixels``, ``area``.
        classes: By class name: ``before``, ``after``, ``gain``, ``loss``, ``net``, ``swap``.
        compared: Area with data at both dates, the sum of changed, unchanged and uncertain area.
        changed: Area of another class.
        unchanged: Area of the same class.
        uncertain: Area that is Unlabeled or below the minimum confidence at either date.
        polygon_count: Number of polygons written; None without a polygon file.
        shift: Estimated shift of the later raster; None if it cannot be estimated.
        corrected: Columns and rows by which the later raster was moved back.
        models: Names of the models that made the two rasters; empty if unknown.
        warnings: Messages for the user.
    """

    request: dict[str, Any]
    output: str
    polygons: str | None
    csv: str | None
    report: str | None
    height: int
    width: int
    unit: str
    legend: tuple[dict[str, Any], ...]
    classes: dict[str, Any]
    compared: float
    changed: float
    unchanged: float
    uncertain: float
    polygon_count: int | None
    shift: dict[str, Any] | None
    corrected: tuple[int, int]
    models: tuple[str, str]
    warnings: tuple[str, ...] = ()
