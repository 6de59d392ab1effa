"""Requests for reports of a classified raster.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.core.errors import RequestError
from dubai_landcover_plugin.core.requests.checks import Request, vector_path


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
