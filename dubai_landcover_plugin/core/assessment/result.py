"""What an assessment finds, whatever the reference was."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.estimate import Figure
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.assessment import AccuracyResult


@dataclass(frozen=True)
class Assessment:
    """Accuracy and areas of a map with K classes, Unlabeled last; it never agrees with anything.

    Args:
        kind: Of the reference: ``points``, ``polygons`` or ``raster``.
        scheme: The classes of the map.
        counts: (K, K) points or pixels; rows are the map, columns the reference.
        shares: (K, K) shares of the area; estimated from points, counted else.
        overall: Share of the area that has its class.
        classified: The same without what is Unlabeled on the map; None where nothing is.
        users: (K,) user's accuracy.
        producers: (K,) producer's accuracy.
        mapped: (K,) area of each class on the map: of all of it with points, else of what was compared.
        areas: (K,) area of each class on the ground, likewise.
        unit: ``m2``, or ``px`` without a CRS.
        facts: What was counted: points used and skipped, for example.
        method: How it was done, sentences for the report.
        warnings: What the user should know.
    """

    kind: str
    scheme: ClassScheme
    counts: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    overall: Figure
    classified: Figure | None
    users: list[Figure]
    producers: list[Figure]
    mapped: npt.NDArray[np.float64]
    areas: list[Figure]
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
        """Return what crosses to QGIS; what is not defined is None."""
        names = [entry.name for entry in self.scheme.entries]
        return AccuracyResult(
            kind=self.kind,
            overall=figure_json(self.overall),
            overall_classified=None if self.classified is None else figure_json(self.classified),
            unit=self.unit,
            classes={
                names[index]: {
                    "id": self.scheme.entries[index].id,
                    "users": figure_json(self.users[index]),
                    "producers": figure_json(self.producers[index]),
                    "mapped_area": float(self.mapped[index]),
                    "area": figure_json(self.areas[index]),
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


def figure_json(figure: Figure) -> dict[str, float | None]:
    """Return value and margin of the 95 % interval; null where not defined."""
    return {
        key: round(float(number), 9) if math.isfinite(number) else None  # no dust of rounding
        for key, number in (("value", figure.value), ("margin", figure.margin))
    }
