"""Numbers as text, the same on all pages. The functions are filters of the templates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dubai_landcover_plugin.protocol.translation import grouped, marked, tr

MISSING = "–"
"""Text for a value that is not defined."""

SQUARE_METRES_PER_HECTARE = 1e4


def thousands(value: float) -> str:
    """Return a whole number with separators, for example ``12,345``."""
    return grouped(f"{value:,.0f}")


def decimals(value: float, digits: int) -> str:
    """Return a number with ``digits`` decimals and separators; NaN is :data:`MISSING`."""
    return grouped(f"{value:,.{digits}f}") if math.isfinite(value) else MISSING


def percent(share: float, digits: int = 1) -> str:
    """Return a share, 0..1, in percent; one above 0 is not rounded to 0 but written ``< 0.1 %``."""
    if not math.isfinite(share):
        return MISSING
    value, least = 100 * share, 10.0**-digits
    return f"< {least:.{digits}f} %" if 0 < value < least / 2 else f"{value:.{digits}f} %"


def hectares(area: float) -> str:
    """Return an area, m², in hectares."""
    return decimals(area / SQUARE_METRES_PER_HECTARE, 2)


def with_margin(value: float, margin: float, digits: int) -> str:
    """Return a value and half its confidence interval, ``0.81 ± 0.02``; a margin that is NaN is left out."""
    if not math.isfinite(value) or not math.isfinite(margin):
        return decimals(value, digits)
    return grouped(f"{value:,.{digits}f} ± {margin:,.{digits}f}")


@dataclass(frozen=True)
class AreaUnit:
    """A unit in which a page shows areas.

    Args:
        sign: Symbol of the unit.
        size: m² (px without a CRS) in one unit.
        decimals: Decimals to show.
    """

    sign: str
    size: float
    decimals: int

    @property
    def shown(self) -> str:
        """The symbol in the language in use."""
        return tr(self.sign)

    def text(self, area: float) -> str:
        """Return an area, m² (px without a CRS), as text without the sign."""
        return decimals(area / self.size, self.decimals)


PIXELS = AreaUnit(marked("px"), 1.0, 0)
HECTARES = AreaUnit(marked("ha"), SQUARE_METRES_PER_HECTARE, 2)


def area_unit(total: float, unit: str) -> AreaUnit:
    """Return a unit for areas that add up to a total, with four to seven significant digits for the total.

    Args:
        total: m² (px without a CRS).
        unit: ``m2`` or ``px``.
    """
    if unit == "px":
        return PIXELS
    if total < 1e4:
        return AreaUnit(marked("m²"), 1.0, 0 if total >= 100 else 2)
    if total < 1e9:
        return HECTARES if total < 1e7 else AreaUnit(HECTARES.sign, SQUARE_METRES_PER_HECTARE, 1)
    return AreaUnit(marked("km²"), 1e6, 2 if total < 1e10 else 1)
