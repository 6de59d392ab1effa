"""What counts say: areas, shares, confidence, and how much of a class is probably wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.io.confidence import UNKNOWN
from dubai_landcover_plugin.core.report.counts import Tally
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass

THRESHOLDS = (50, 70, 90)  # percent
CLASS_BIAS = 0.5
"""Standard deviation of the wrong share of a class in a scene, relative to the share that confidence tells.

With squares of 100 m, ranges of 95 % then held the truth for 92 to 95 of 100 classes on scenes of 2 to 34 km² and on
parts of them; without it for 40 of 100. See docs/report.md.
"""

_Z95 = 1.96


@dataclass(frozen=True)
class Doubt:
    """How far to trust the area of one class. Areas are m² (px without a CRS).

    Args:
        confidence: Mean, percent.
        below: Area with a confidence below each of ``THRESHOLDS``.
        wrong: Expected area that is of another class.
        low: Lower end of the range of that.
        high: Upper end.
    """

    confidence: float
    below: tuple[float, ...]
    wrong: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassFigures:
    """One class in one area.

    Args:
        entry: The class.
        pixels: Its pixels.
        area: m² (px without a CRS).
        share: Of everything classified in the area, 0..1.
        doubt: None without confidence, without pixels, and for Unlabeled, which claims nothing.
    """

    entry: LandCoverClass
    pixels: int
    area: float
    share: float
    doubt: Doubt | None


@dataclass(frozen=True)
class AreaFigures:
    """The raster or one zone.

    Args:
        number: Of the zone; 0 for the whole raster.
        name: Of the zone.
        classes: In the order of the scheme.
        pixels: Classified pixels.
        area: Classified area, m² (px without a CRS).
        coverage: Share of the zone that is classified, 0..1; the rest is no data or off the raster.
        doubtless: Classified pixels without a confidence, though there is a confidence raster.
    """

    number: int
    name: str
    classes: tuple[ClassFigures, ...]
    pixels: int
    area: float
    coverage: float
    doubtless: int

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the classes, percent; None where none is known."""
        known = [(one.area, one.doubt.confidence) for one in self.classes if one.doubt]
        total = sum(area for area, _ in known)
        return sum(area * percent for area, percent in known) / total if total else None

    @property
    def wrong_share(self) -> float | None:
        """Expected share of what is labelled that is of another class, 0..1; None where nothing is known."""
        labelled = sum(one.area for one in self.classes if one.doubt)
        return sum(one.doubt.wrong for one in self.classes if one.doubt) / labelled if labelled else None

    @property
    def largest(self) -> ClassFigures | None:
        """The class with most area; None where nothing is classified."""
        return max(self.classes, key=lambda one: one.area) if self.pixels else None


def figures(tally: Tally, scheme: ClassScheme, number: int, name: str, inside: float = 1.0) -> AreaFigures:
    """Return what a tally says.

    Args:
        tally: Slot 0 is no data, then the classes of the scheme.
        scheme: The classes.
        number: Of the zone; 0 for the whole raster.
        name: Of the zone.
        inside: Share of the zone that lies on the raster.
    """
    pixels = tally.pixels.sum(axis=1)
    areas = tally.areas.sum(axis=1)
    classified, total = int(pixels[1:].sum()), float(areas[1:].sum())
    classes = tuple(
        ClassFigures(entry, int(pixels[slot]), float(areas[slot]), float(areas[slot]) / total if total else 0.0,
                     None if entry == scheme.unlabeled else _doubt(tally, slot))
        for slot, entry in enumerate(scheme.entries, 1)
    )  # fmt: skip
    everything = total + float(areas[0])
    has_confidence = bool(tally.pixels[1:, :UNKNOWN].any())
    return AreaFigures(
        number=number,
        name=name,
        classes=classes,
        pixels=classified,
        area=total,
        coverage=inside * total / everything if everything else 0.0,
        doubtless=int(tally.pixels[1:, UNKNOWN].sum()) if has_confidence else 0,
    )


def _doubt(tally: Tally, slot: int) -> Doubt | None:
    """Return how far to trust a class: E = Σ a (1 - p), with a range that knows that pixels err together.

    The variance has two parts. Within squares of 100 m the pixels of a class are right or wrong together (see
    :attr:`.Tally.scatter`). And in a scene, a class as a whole is more often wrong, or less, than its confidence
    tells (``CLASS_BIAS``). Pixels taken as independent would give a range of a few thousandths, which is no truth.
    """
    known = tally.areas[slot, :UNKNOWN]
    area = float(known.sum())
    if not area:
        return None
    percents = np.arange(UNKNOWN)
    confidence = float(known @ percents) / area
    wrong = area * (1 - confidence / 100)
    spread = _Z95 * math.sqrt(float(tally.scatter[slot]) + (CLASS_BIAS * wrong) ** 2)
    return Doubt(
        confidence=confidence,
        below=tuple(float(known[:threshold].sum()) for threshold in THRESHOLDS),
        wrong=wrong,
        low=max(wrong - spread, 0.0),
        high=min(wrong + spread, area),
    )
