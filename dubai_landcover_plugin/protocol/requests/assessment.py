"""Accuracy of a classified raster: requests to draw a sample and to compare, and their results.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    CLASSIFIED_HELP,
    OVERWRITE_HELP,
    option,
    scheme_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.translation import tr

ALLOCATIONS = ("minimum", "proportional", "equal")
REFERENCE_FIELD = "reference"
"""Attribute of the drawn points that the user labels."""
MOST_POINTS = 1_000_000
"""Largest number of points of a sample."""


@dataclass(frozen=True)
class AccuracySampleRequest(Request):
    """A stratified random sample of a classified raster; its classes are the strata."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    output: str = option(
        title="Points to label",
        help="Point layer with a form for labelling; a GeoPackage stores the form in the file.",
        writes="points",
    )
    standard_error: float = option(
        0.02,
        low=1e-4,
        high=0.5,
        decimals=4,
        title="Standard error of overall accuracy",
        help="Target standard error of the overall accuracy, which gives the number of points. The 95 % interval is "
        "about twice as wide on each side; half the standard error needs four times as many points.",
    )
    expected: dict[str, float] = option(
        factory=dict,
        low=0,
        high=1,
        advanced=True,
        title="Expected user's accuracy of single classes",
        help="Expected user's accuracy (0–1) of single classes, by name or id.",
        metavar="CLASS=0.7",
        example="Road=0.6",
    )
    expected_accuracy: float = option(
        0.8,
        low=0,
        high=1,
        title="Expected user's accuracy",
        help="Expected share of correctly classified pixels of each class, 0 to 1. Values closer to 0.5 give more "
        "points.",
    )
    size: int | None = option(
        None,
        low=2,
        high=MOST_POINTS,
        advanced=True,
        title="Number of points",
        help="Number of points to draw. By default it follows from the standard error.",
    )
    allocation: str = option(
        "minimum",
        choices=ALLOCATIONS,
        words=("Minimum for rare classes", "By area", "The same for each class"),
        title="Allocation to classes",
        help="minimum: rare classes get the minimum per class, the others share the rest by area. proportional: by "
        "area alone, best for overall accuracy. equal: the same for each class, best for user's accuracy.",
    )
    min_per_class: int = option(
        50,
        low=2,
        high=MOST_POINTS,
        title="Minimum points per class",
        help="Used by the allocation 'minimum'. 50 to 100 give usable figures for rare classes.",
    )
    seed: int = option(
        1, low=0, advanced=True, title="Random seed", help="The same seed and raster give the same points."
    )
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class AccuracyRequest(Request):
    """Comparison of a classified raster with a reference."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    reference: str = option(
        title="Reference",
        help="Labelled points, polygons with a class, or a raster of class ids. Points are treated as a sample; pixels "
        "of the other two are counted.",
        reads="points",
    )
    field: str = option(
        REFERENCE_FIELD,
        filled=True,
        title="Field with the class",
        help="Attribute of points and polygons with the name or id of the class; case does not matter. Empty values "
        "are not labelled.",
        metavar="NAME",
        example=REFERENCE_FIELD,
    )
    report: str | None = option(
        None,
        proposed=True,
        title="Report",
        help="Web page with accuracy, areas, confusion matrix, warnings and method.",
        writes="page",
    )
    table: str | None = option(
        None,
        title="Table",
        help="The figures as CSV: a row for each class, with its row of the confusion matrix.",
        writes="table",
    )
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)
    reference_scheme: str | None = option(
        None,
        advanced=True,
        title="Class scheme of the reference",
        help="Names of the ids of the reference: a model, a classified raster, a table (CSV or JSON with id and name) "
        "or a QGIS style (.qml). Classes are matched with those of the map by name. By default the names stored with a "
        "reference raster; without any, its values are ids of the map.",
        reads="scheme",
        metavar="FILE",
    )


def expected_accuracies(pairs: Iterable[str]) -> dict[str, float]:
    """Parse numbers of classes, such as expected accuracies, in the form ``Road=0.6``.

    Raises:
        RequestError: for a text of another form.
    """
    found = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name.strip():
            raise RequestError(tr("'{pair}' is not a class with a number.", pair=pair), tr("Write it as Building=0.7."))
    return found


@dataclass(frozen=True)
class AccuracySampleResult(Result):
    """A sample of points to label.

    Args:
        output: Vector file of the points.
        size: Number of points.
        points: Points by class name.
        pixels: Pixels of the map by class name.
        warnings: Messages for the user.
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
        overall_classified: The same without pixels that are Unlabeled on the map; None if there are none.
        unit: Of areas: ``m2``, or ``px`` without a CRS.
        classes: By class name: ``id``, ``users``, ``producers``, ``mapped_area``, ``area``.
        confusion: ``rows`` (the map) and ``columns`` (the reference), names of classes; ``counts`` and ``shares``.
        facts: Counts, for example of points used and skipped.
        warnings: Messages for the user.
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
