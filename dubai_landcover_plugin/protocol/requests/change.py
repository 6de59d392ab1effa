"""Requests for the change between two classified rasters.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Request, Result, at_least, vector_path


@dataclass(frozen=True)
class ChangeRequest(Request):
    """What changed from one classified raster to another.

    Args:
        earlier: Path of the classified raster of the earlier date; its pixels are those of the result.
        later: Path of the classified raster of the later date.
        output: Path of the from–to GeoTIFF.
        polygons: Path of the vector file of changes, or None.
        csv: Path of the change matrix as a table (``.csv``), or None.
        report: Path of the HTML report, or None.
        earlier_confidence: Confidence raster of the earlier date, percent, on its pixels; or None.
        later_confidence: The same of the later date.
        min_confidence: Pixels less sure in either date are uncertain and no change, 0..1.
        min_area: Smallest polygon kept, m² (px without a CRS). The raster and the matrix count every pixel.
        correct_shift: Move the later raster by the estimated shift, in whole pixels, before comparing.
        overwrite: Replace outputs that exist.
    """

    earlier: str
    later: str
    output: str
    polygons: str | None = None
    csv: str | None = None
    report: str | None = None
    earlier_confidence: str | None = None
    later_confidence: str | None = None
    min_confidence: float = 0.0
    min_area: float = 50.0
    correct_shift: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.earlier or not self.later or not self.output:
            raise RequestError("Two classified rasters and an output path are needed.")
        if self.earlier == self.later:
            raise RequestError(f"Both dates are the same raster, {self.earlier}.", "Choose two different rasters.")
        for name, suffixes in (("output", (".tif", ".tiff")), ("csv", (".csv",)), ("report", (".html", ".htm"))):
            path = getattr(self, name)
            if path is not None and not path.lower().endswith(suffixes):
                raise RequestError(f"{name} must end in {suffixes[0]}, got '{path}'.")
        vector_path("polygons", self.polygons)
        at_least("min_confidence", self.min_confidence, 0, 1)
        at_least("min_area", self.min_area, 0)
        if self.min_confidence > 0 and not self.confidences:
            raise RequestError(
                f"A minimum confidence of {self.min_confidence:g} needs a confidence raster.",
                "Give that of one date or, better, of both; or set the minimum to 0.",
            )
        if len(set(self.outputs)) != len(self.outputs):
            raise RequestError(f"Outputs need different paths, got {', '.join(self.outputs)}.")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every path that is written."""
        return tuple(path for path in (self.output, self.polygons, self.csv, self.report) if path)

    @property
    def confidences(self) -> tuple[str, ...]:
        """The confidence rasters that were given."""
        return tuple(path for path in (self.earlier_confidence, self.later_confidence) if path)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every path that is read."""
        return (self.earlier, self.later, *self.confidences)


@dataclass(frozen=True)
class ChangeResult(Result):
    """What changed between two dates.

    Args:
        request: What was asked, as JSON.
        output: The from–to GeoTIFF.
        polygons: The vector file of changes, or None.
        csv: The change matrix, or None.
        report: The page, or None.
        height: Rows of the result.
        width: Columns of the result.
        unit: Of areas: ``m²``, or ``px`` without a CRS.
        legend: The codes that occur: ``code``, ``name``, ``colour``, ``change``, ``pixels``, ``area``.
        classes: By class name: ``before``, ``after``, ``gain``, ``loss``, ``net``, ``swap``.
        compared: Area with data in both dates; the next three are its parts.
        changed: Area of another class.
        unchanged: Area of the same class.
        uncertain: Area that is not known well enough.
        polygon_count: How many polygons were written; None where none were asked for.
        shift: Estimate of how far the later raster lies off; None where the edges did not tell.
        corrected: Columns and rows by which the later raster was moved back.
        models: Names of the models that made the two rasters; empty where not known.
        warnings: What the user should know.
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
