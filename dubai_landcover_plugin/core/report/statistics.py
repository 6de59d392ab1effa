"""Areas, shares and confidence of classes, with an estimate of the area that is labelled wrongly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.io.confidence import UNKNOWN
from dubai_landcover_plugin.core.report.counts import ClassCounts
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.translation import marked

THRESHOLDS = (50, 70, 90)  # percent
CLASS_BIAS = 0.5
"""Standard deviation of the wrong share of a class in a scene, relative to the share expected from confidence.

With squares of 100 m, ranges of 95 % then contained the true value for 92 to 95 of 100 classes on scenes of 2 to 34 km²
and on parts of them; without it for 40 of 100. See docs/report.md.
"""

OUTSIDE, NO_CENTRE = marked("outside the raster"), marked("no pixel centre in it")
NO_DATA, THIN = marked("no data"), marked("thinner than a pixel")
"""Remarks on zones."""

_Z95 = 1.96


@dataclass(frozen=True)
class WrongArea:
    """Area of one class that is expected to be wrong, m² (px without a CRS).

    Args:
        expected: Area that belongs to other classes.
        low: Lower end of its 95 % range.
        high: Upper end.
    """

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class ErrorEstimate:
    """Confidence of one class, and what it says about errors. Areas are m² (px without a CRS).

    Args:
        confidence: Mean, percent.
        below: Area with a confidence below each of ``THRESHOLDS``.
        wrong: None on ground unlike the training images, where confidence does not say how much is wrong.
    """

    confidence: float
    below: tuple[float, ...]
    wrong: WrongArea | None


@dataclass(frozen=True)
class ClassStatistics:
    """One class in one area.

    Args:
        entry: The class.
        pixels: Its pixels.
        area: m² (px without a CRS).
        share: Of the classified part of the area, 0..1.
        error: None without confidence or pixels, and for Unlabeled, which is not a prediction.
    """

    entry: LandCoverClass
    pixels: int
    area: float
    share: float
    error: ErrorEstimate | None


@dataclass(frozen=True)
class AreaStatistics:
    """The raster or one zone.

    Args:
        number: Of the zone; 0 for the whole raster.
        name: Of the zone.
        classes: In the order of the scheme.
        pixels: Classified pixels.
        area: Classified area, m² (px without a CRS).
        coverage: Share of the zone that is classified, 0..1; the rest has no data or is outside the raster.
        without_confidence: Classified pixels that the confidence raster has no value for.
        remark: Why its figures are missing or uncertain: one of the remarks of this module; empty without a reason.
    """

    number: int
    name: str
    classes: tuple[ClassStatistics, ...]
    pixels: int
    area: float
    coverage: float
    without_confidence: int
    remark: str = ""

    @property
    def has_coverage(self) -> bool:
        """Whether the coverage is known: not where no pixel centre is in the zone."""
        return self.remark != NO_CENTRE

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the classes, percent; None if unknown."""
        known = [(one.area, one.error.confidence) for one in self.classes if one.error]
        total = sum(area for area, _ in known)
        return sum(area * percent for area, percent in known) / total if total else None

    @property
    def wrong_share(self) -> float | None:
        """Expected share of the labelled area that belongs to another class, 0..1; None if unknown."""
        known = [(one.area, one.error.wrong.expected) for one in self.classes if one.error and one.error.wrong]
        labelled = sum(area for area, _ in known)
        return sum(wrong for _, wrong in known) / labelled if labelled else None

    @property
    def largest(self) -> ClassStatistics | None:
        """The class with the largest area; None if nothing is classified."""
        return max(self.classes, key=lambda one: one.area) if self.pixels else None


def area_statistics(
    counts: ClassCounts,
    scheme: ClassScheme,
    number: int,
    name: str,
    inside: float = 1.0,
    thin: bool = False,
    error_ratios: Mapping[int, float] | None = None,
    is_novel: bool = False,
) -> AreaStatistics:
    """Return the statistics of counted pixels.

    Args:
        counts: Slot 0 is nodata, then the classes of the scheme.
        scheme: The classes.
        number: Of the zone; 0 for the whole raster.
        name: Of the zone.
        inside: Share of the zone that is inside the raster.
        thin: Whether the zone is thinner than a pixel.
        error_ratios: By class id, the measured wrong share relative to that expected from confidence; 1 if missing.
        is_novel: Whether the ground is unlike that of the training: how much is wrong is then not estimated.
    """
    ratios = error_ratios or {}
    pixels = counts.pixels.sum(axis=1)  # (slots,)
    areas = counts.areas.sum(axis=1)
    classified, total = int(pixels[1:].sum()), float(areas[1:].sum())
    classes = tuple(
        ClassStatistics(
            entry,
            int(pixels[slot]),
            float(areas[slot]),
            float(areas[slot]) / total if total else 0.0,
            None
            if entry == scheme.unlabeled
            else _error_estimate(counts, slot, None if is_novel else ratios.get(entry.id, 1.0)),
        )
        for slot, entry in enumerate(scheme.entries, 1)
    )
    everything = total + float(areas[0])
    has_confidence = bool(counts.pixels[1:, :UNKNOWN].any())
    return AreaStatistics(
        number=number,
        name=name,
        classes=classes,
        pixels=classified,
        area=total,
        coverage=inside * total / everything if everything else 0.0,
        without_confidence=int(counts.pixels[1:, UNKNOWN].sum()) if has_confidence else 0,
        remark=_remark(inside, int(pixels.sum()), classified, thin) if number else "",
    )


def _remark(inside: float, pixels: int, classified: int, thin: bool) -> str:
    """Return the remark on a zone with so much of its area inside the raster and so many pixels."""
    if not inside:
        return OUTSIDE
    if not pixels:
        return NO_CENTRE
    if not classified:
        return NO_DATA
    return THIN if thin else ""


def _error_estimate(counts: ClassCounts, slot: int, ratio: float | None) -> ErrorEstimate | None:
    """Return the confidence of a class and its wrong area; the latter only with a ratio, see :func:`_wrong_area`."""
    known = counts.areas[slot, :UNKNOWN]  # (101,) area by percent
    area = float(known.sum())
    if not area:
        return None
    confidence = float(known @ np.arange(UNKNOWN)) / area
    variance = float(counts.variance[slot])
    return ErrorEstimate(
        confidence=confidence,
        below=tuple(float(known[:threshold].sum()) for threshold in THRESHOLDS),
        wrong=None if ratio is None else _wrong_area(area, confidence, variance, ratio),
    )


def _wrong_area(area: float, confidence: float, variance: float, ratio: float) -> WrongArea:
    """Return the expected wrong area of a class, E = r Σ a (1 - p), with a range for correlated errors.

    The ratio r corrects classes that are wrong more or less often than their confidence says. Where the share of all
    pixels would be wrong, E is the whole area.

    The variance has two parts. Within squares of 100 m the pixels of a class are right or wrong together (see
    :attr:`.ClassCounts.variance`). And in a scene, a class as a whole is wrong more or less often than its confidence
    says (``CLASS_BIAS``). If pixels were taken as independent, the range would be far too narrow: a few thousandths.

    Args:
        area: Of the class, m² (px without a CRS).
        confidence: Its mean, percent.
        variance: Of its wrong area within squares.
        ratio: The ratio r.
    """
    wrong = min(ratio * area * (1 - confidence / 100), area)
    half_range = _Z95 * math.sqrt(ratio**2 * variance + (CLASS_BIAS * wrong) ** 2)
    return WrongArea(wrong, max(wrong - half_range, 0.0), min(wrong + half_range, area))
