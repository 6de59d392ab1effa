"""Requests for reports of a classified raster.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Request, Result, vector_path


@dataclass(frozen=True)
class ReportRequest(Request):
    """Areas of the classes of a classified raster: a page, a table, a layer of zones.

    Args:
        input: Path of a classified raster.
        report: Path of the page, ``.html``.
        csv: Path of the table, ``.csv``; None writes none.
        zones: Polygon layer, ``path`` or ``path|layername=NAME``; None reports the raster alone.
        zone_field: Attribute that names the zones; None numbers them.
        zones_layer: Path of a copy of the zones with areas and shares by class; None writes none.
        confidence: Path of the confidence raster of the same run, percent; None tells nothing of uncertainty.
        title: Heading of the page.
        natural_colours: Draw water blue, vegetation green and so on, where the classes are those of Dubai.
        overwrite: Replace outputs that exist.
    """

    input: str
    report: str
    csv: str | None = None
    zones: str | None = None
    zone_field: str | None = None
    zones_layer: str | None = None
    confidence: str | None = None
    title: str = "Land cover report"
    natural_colours: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.report:
            raise RequestError("A classified raster and a path for the report are needed.")
        for name, path, suffix in (("report", self.report, ".html"), ("csv", self.csv, ".csv")):
            if path is not None and not path.lower().endswith(suffix):
                raise RequestError(f"{name} must end in {suffix}, got '{path}'.")
        vector_path("zones_layer", self.zones_layer)
        for name, given in (("zone_field", self.zone_field), ("zones_layer", self.zones_layer)):
            if given is not None and self.zones is None:
                raise RequestError(f"{name} is given, but no zones.", f"Give a polygon layer, or leave {name} out.")


@dataclass(frozen=True)
class ReportResult(Result):
    """Areas of the classes, and what they were written to.

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
        wrong: Area that is probably wrong by class name; empty without a confidence raster.
        mean_confidence: Percent; None without a confidence raster.
        zones: How many zones were reported.
        warnings: What the user should know.
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
