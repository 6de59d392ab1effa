"""The inputs of a report, for its page and its table."""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.core.io.edits import EditRecord
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass


@dataclass(frozen=True)
class Provenance:
    """Where the figures of a report come from.

    Args:
        title: Heading.
        raster: File name of the classified raster.
        size: Its height and width, px.
        gsd: Ground sampling distance, m/px; None without a CRS.
        crs: Name of the CRS; None without.
        model: Name of the model; empty if unknown.
        model_hash: SHA-256 of its file; empty if unknown.
        classified: Date of the classification; empty if unknown.
        written: Date of the report.
        confidence: File name of the confidence raster; None without.
        zones: File name of the zones; None without.
        zone_field: Attribute with the names of the zones; None if they are numbered.
        scheme: The classes, in the colours of the report.
        notes: Warnings for the reader.
        error_ratios: Measured wrong share of classes relative to the expected one, by name; empty if unknown.
        measured_on: Surface of the areas, see :attr:`.Grid.measured_on`.
        edits: Corrections of the raster since it was classified, the earliest first.
        facts: Sentences on the run that has just made the raster.
    """

    title: str
    raster: str
    size: tuple[int, int]
    gsd: float | None
    crs: str | None
    model: str
    model_hash: str
    classified: str
    written: str
    confidence: str | None
    zones: str | None
    zone_field: str | None
    scheme: ClassScheme
    notes: tuple[str, ...]
    error_ratios: tuple[tuple[str, float], ...] = ()
    measured_on: str | None = None
    edits: tuple[EditRecord, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit of areas in the table and the layer: ``m2``, or ``px`` without a CRS."""
        return "px" if self.crs is None else "m2"

    def colour(self, entry: LandCoverClass) -> str:
        """Return the colour of a class in the report, ``#RRGGBB``."""
        return next(own.colour for own in self.scheme.entries if own.id == entry.id)
