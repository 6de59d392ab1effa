"""Result of an assessment, for all kinds of reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.assessment import AccuracyResult


@dataclass(frozen=True)
class Assessment:
    """Accuracy and areas of a map with K classes. Unlabeled is the last class; it never counts as correct.

    Args:
        kind: Kind of the reference: ``points``, ``polygons`` or ``raster``.
        scheme: Classes of the map.
        counts: (K, K) int64, points or pixels; rows are the map, columns the reference.
        shares: (K, K) fractions of the area; estimated for points, else counted.
        overall: Overall accuracy.
        classified: Overall accuracy of the pixels that are not Unlabeled on the map; None if none are Unlabeled.
        users: (K,) user's accuracy.
        producers: (K,) producer's accuracy.
        mapped: (K,) area of each class on the map: of the whole map for points, else of the compared pixels.
        areas: (K,) area of each class according to the reference, likewise.
        unit: ``m2``, or ``px`` without a CRS.
        facts: Counts, such as points used and skipped.
        method: Description of the method, sentences for the report.
        warnings: Warnings for the user.
    """

    kind: str
    scheme: ClassScheme
    counts: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    overall: IntervalEstimate
    classified: IntervalEstimate | None
    users: list[IntervalEstimate]
    producers: list[IntervalEstimate]
    mapped: npt.NDArray[np.float64]
    areas: list[IntervalEstimate]
    unit: str
    facts: dict[str, int]
    method: list[str]
    warnings: list[str]

    @property
    def shown(self) -> list[int]:
        """Return the indices of the classes that occur on the map or in the reference."""
        seen = (self.mapped > 0) | (self.counts.sum(axis=0) > 0) | (self.counts.sum(axis=1) > 0)
        return np.flatnonzero(seen).tolist()

    @property
    def labelled(self) -> list[int]:
        """Return the indices of the classes shown that a reference can have: all but Unlabeled."""
        return [index for index in self.shown if index < len(self.scheme.classes)]

    def result(self) -> AccuracyResult:
        """Return the result of the request; undefined values are None."""
        names = [entry.name for entry in self.scheme.entries]
        return AccuracyResult(
            kind=self.kind,
            overall=estimate_json(self.overall),
            overall_classified=None if self.classified is None else estimate_json(self.classified),
            unit=self.unit,
            classes={
                names[index]: {
                    "id": self.scheme.entries[index].id,
                    "users": estimate_json(self.users[index]),
                    "producers": estimate_json(self.producers[index]),
                    "mapped_area": float(self.mapped[index]),
                    "area": estimate_json(self.areas[index]),
                }
                for index in self.shown
            },
            confusion={
                "rows": [names[index] for index in self.shown],
                "columns": [names[index] for index in self.labelled],
                "counts": self.counts[np.ix_(self.shown, self.labelled)].tolist(),
                "shares": self.shares[np.ix_(self.shown, self.labelled)].tolist(),
            },
            facts=self.facts,
            warnings=tuple(self.warnings),
        )


def estimate_json(estimate: IntervalEstimate) -> dict[str, float | None]:
    """Return value and margin of the 95 % interval; None if undefined."""
    return {
        key: round(float(number), 9) if math.isfinite(number) else None  # hides rounding errors
        for key, number in (("value", estimate.value), ("margin", estimate.margin))
    }
