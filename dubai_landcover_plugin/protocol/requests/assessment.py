"""Requests for the accuracy of a classified raster: draw points to label, then compare.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Request, Result, at_least, one_of, vector_path

ALLOCATIONS = ("minimum", "proportional", "equal")
REFERENCE_FIELD = "reference"
"""Attribute of the drawn points that the user fills in."""
MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class AccuracySampleRequest(Request):
    """A stratified random sample of a classified raster; its classes are the strata.

    Args:
        input: Path of a classified raster.
        output: Vector file of the points.
        standard_error: Wanted standard error of the overall accuracy, 0..1; gives the number of points.
        expected: User's accuracy to be expected of classes, by name or id, 0..1.
        expected_accuracy: The same for all other classes.
        size: Number of points; None takes what ``standard_error`` needs.
        allocation: ``minimum`` (the rare classes get ``min_per_class``, the others the rest in proportion to their
            area), ``proportional`` or ``equal``.
        min_per_class: Fewest points of a class under ``minimum``.
        seed: The same seed and raster give the same points.
        overwrite: Replace an output that exists.
    """

    input: str
    output: str
    standard_error: float = 0.02
    expected: dict[str, float] = field(default_factory=dict)
    expected_accuracy: float = 0.8
    size: int | None = None
    allocation: str = "minimum"
    min_per_class: int = 50
    seed: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output:
            raise RequestError("A classified raster and an output file are needed.")
        vector_path("output", self.output)
        one_of("allocation", self.allocation, ALLOCATIONS)
        at_least("standard_error", self.standard_error, 1e-4, 0.5)
        at_least("expected_accuracy", self.expected_accuracy, 0, 1)
        for name, accuracy in self.expected.items():
            at_least(f"expected['{name}']", accuracy, 0, 1)
        at_least("size", self.size, 2, MOST_POINTS)
        at_least("min_per_class", self.min_per_class, 2, MOST_POINTS)
        at_least("seed", self.seed, 0)


@dataclass(frozen=True)
class AccuracyRequest(Request):
    """A classified raster compared with a reference.

    Args:
        input: Path of a classified raster.
        reference: Labelled points, polygons with a class (``path`` or ``path|layername=NAME``) or a raster of class
            ids. Points are a sample, the other two are counted pixel by pixel.
        field: Attribute of points and polygons with the class, by name or id; case does not count.
        report: HTML page; None writes none.
        table: CSV file; None writes none.
        overwrite: Replace outputs that exist.
    """

    input: str
    reference: str
    field: str = REFERENCE_FIELD
    report: str | None = None
    table: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.reference:
            raise RequestError("A classified raster and a reference are needed.")
        if not self.field:
            raise RequestError(
                "No attribute was given.", f"Give the one with the class, for example {REFERENCE_FIELD}."
            )
        for name, suffix in (("report", ".html"), ("table", ".csv")):
            path = getattr(self, name)
            if path is not None and not path.endswith(suffix):
                raise RequestError(f"{name} must end in {suffix}, got '{path}'.")


def expected_accuracies(pairs: Iterable[str]) -> dict[str, float]:
    """Read accuracies of classes as users write them, such as ``Road=0.6``.

    Raises:
        RequestError: naming the one that cannot be read.
    """
    found = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name.strip():
            raise RequestError(f"'{pair}' is no class with its accuracy.", "Write it as Building=0.7.")
    return found


@dataclass(frozen=True)
class AccuracySampleResult(Result):
    """A sample of points to label.

    Args:
        output: Vector file of the points.
        size: How many there are.
        points: Points by class name.
        pixels: Pixels of the map by class name.
        warnings: What the user should know.
    """

    output: str
    size: int
    points: dict[str, int]
    pixels: dict[str, int]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccuracyResult(Result):
    """Accuracy and areas of a map. A figure is an object with ``value`` and ``margin`` of its 95 % interval.

    Args:
        kind: Of the reference: ``points``, ``polygons`` or ``raster``.
        overall: Overall accuracy.
        overall_classified: The same without what is Unlabeled on the map; None where nothing is.
        unit: Of areas: ``m2``, or ``px`` without a CRS.
        classes: By class name: ``id``, ``users``, ``producers``, ``mapped_area``, ``area``.
        confusion: ``rows`` (the map) and ``columns`` (the reference), names of classes; ``counts`` and ``shares``.
        facts: What was counted: points used and skipped, for example.
        warnings: What the user should know.
        report: The page, or None.
        table: The CSV file, or None.
    """

    kind: str
    overall: dict[str, Any]
    overall_classified: dict[str, Any] | None
    unit: str
    classes: dict[str, Any]
    confusion: dict[str, Any]
    facts: dict[str, int]
    warnings: tuple[str, ...] = ()
    report: str | None = None
    table: str | None = None
