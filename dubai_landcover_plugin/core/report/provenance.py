"""What a report says about its sources, and the units that it writes areas in."""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.classes import ClassScheme


@dataclass(frozen=True)
class Facts:
    """Where the figures of a report come from.

    Args:
        title: Heading.
        raster: File name of the classified raster.
        size: Its rows and columns.
        gsd: Ground sampling distance, m/px; None without a CRS.
        crs: Name of the CRS; None without.
        model: Name of the model; empty where not known.
        model_hash: SHA-256 of its file; empty where not known.
        classified: Date of the run that classified; empty where not known.
        written: Date of the report.
        confidence: File name of the confidence raster; None without.
        zones: File name of the zones; None without.
        zone_field: Attribute that named them; None where they are numbered.
        scheme: The classes, in the colours to draw them in.
        notes: What the reader should know.
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

    @property
    def unit(self) -> str:
        """Unit of all areas that are data: ``m2``, or ``px`` without a CRS."""
        return "px" if self.crs is None else "m2"


@dataclass(frozen=True)
class AreaUnit:
    """A unit for people: its sign, its size (m², or px) and how many decimals it is written with."""

    sign: str
    size: float
    decimals: int

    def text(self, area: float) -> str:
        """Return an area, m² (px without a CRS), as text without the sign."""
        return f"{area / self.size:,.{self.decimals}f}"


def area_unit(total: float, unit: str) -> AreaUnit:
    """Return the unit that suits a total area.

    Args:
        total: m² (px without a CRS).
        unit: ``m2`` or ``px``.
    """
    if unit == "px":
        return AreaUnit("px", 1.0, 0)
    if total < 1e4:
        return AreaUnit("m²", 1.0, 0 if total >= 100 else 2)
    if total < 1e9:
        return AreaUnit("ha", 1e4, 2 if total < 1e7 else 1)
    return AreaUnit("km²", 1e6, 2 if total < 1e10 else 1)
