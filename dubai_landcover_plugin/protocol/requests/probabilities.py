"""New classes from the probabilities of a run: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.requests.options import (
    OVERWRITE_HELP,
    building_class_option,
    buildings_option,
    min_area_option,
    option,
    polygons_option,
    road_class_option,
    roads_option,
    simplify_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result

MEASURES = ("margin", "entropy")
MOST_WEIGHT = 1000.0


@dataclass(frozen=True)
class ReclassifyRequest(Request):
    """New classes from probability rasters of Segment Land Cover."""

    input: str = option(
        title="Probability raster",
        help="Raster of probabilities that Segment Land Cover wrote. It stays as it is.",
        reads="raster",
    )
    output: str = option(title="Land cover", help="The classified raster, a GeoTIFF of class ids.", writes="raster")
    weights: dict[str, float] = option(
        factory=dict,
        low=0,
        high=MOST_WEIGHT,
        title="Weights of classes",
        help="Factors of the probabilities of classes, by name or id, such as Building=1.5; others have 1. The class "
        "with the highest product is taken; with 0 a class is never taken.",
        metavar="CLASS=FACTOR",
    )
    minimums: dict[str, float] = option(
        factory=dict,
        low=0,
        high=1,
        title="Minimum probabilities of classes",
        help="A class is only taken where its own probability (0–1), without the weight, is at least this, such as "
        "Road=0.4. Pixels without such a class become Unlabeled.",
        metavar="CLASS=SHARE",
    )
    min_confidence: float = option(
        0.0,
        low=0,
        high=1,
        title="Minimum confidence",
        help="Pixels whose class has a lower confidence (0–1) become Unlabeled.",
    )
    average: tuple[str, ...] = option(
        (),
        title="Average with",
        help="Further probability rasters with the same pixels and classes, such as those of other models; the mean of "
        "all is classified. Pixels without data in one of them have none.",
        reads="raster",
        metavar="FILE.tif",
    )
    confidence: str | None = option(
        None,
        title="Confidence",
        help="Confidence raster: the probability of the class of each pixel, in percent; with weights its share in the "
        "weighted probabilities.",
        writes="raster",
    )
    uncertainty: str | None = option(
        None,
        title="Uncertainty",
        help="Raster of the measure of uncertainty, in percent, from the probabilities without weights.",
        writes="raster",
    )
    measure: str = option(
        "margin",
        choices=MEASURES,
        words=("Margin of the two highest", "Entropy"),
        title="Measure of uncertainty",
        help="margin: 100 minus the difference of the two highest probabilities; entropy: Shannon's, as a share of the "
        "highest possible. Both are 0 where the model is certain.",
    )
    polygons: str | None = polygons_option()
    buildings: str | None = buildings_option()
    roads: str | None = roads_option()
    building_class: str = building_class_option("raster")
    road_class: str = road_class_option("raster")
    min_area: float = min_area_option(advanced=True)
    simplify: float = simplify_option(advanced=True)
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class ReclassifyResult(Result):
    """A raster classified anew from probabilities.

    Args:
        output: The GeoTIFF.
        changed: Pixels with another class than the most probable one.
        changes: The same by ``MOST PROBABLE → NEW``.
        pixels: Pixels by class name.
        area_m2: Square metres by class name; None without a CRS.
        confidence: The confidence raster, or None.
        uncertainty: The raster of uncertainty, or None.
        polygons: The vector file, or None.
        buildings: The vector file of buildings, or None.
        roads: The vector file of the road network, or None.
        scheme: The classes, as :meth:`.ClassScheme.to_json` gives them.
        models: Models of the runs that wrote the probabilities.
        seconds: Time, s.
        warnings: Messages for the user.
    """

    output: str
    changed: int
    changes: dict[str, int]
    pixels: dict[str, int]
    area_m2: dict[str, float] | None
    confidence: str | None
    uncertainty: str | None
    polygons: str | None
    buildings: str | None
    roads: str | None
    scheme: dict[str, Any]
    models: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
