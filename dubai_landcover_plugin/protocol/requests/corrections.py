"""Edits of a classified raster: corrections and recoding; requests and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    CLASSIFIED_HELP,
    CONFIDENCE_HELP,
    OVERWRITE_HELP,
    building_class_option,
    buildings_option,
    min_area_option,
    option,
    polygons_option,
    road_class_option,
    roads_option,
    scheme_option,
    simplify_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.session import MAX_BRUSH
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True)
class EditOutputs(Request):
    """Vector outputs of an edited raster and their options; the base of both requests."""

    polygons: str | None = polygons_option()
    buildings: str | None = buildings_option()
    roads: str | None = roads_option()
    confidence: str | None = option(
        None,
        advanced=True,
        title="Confidence raster",
        help=f"{CONFIDENCE_HELP} Adds the confidence to the attributes of polygons, buildings and roads.",
        reads="raster",
    )
    building_class: str = building_class_option("raster")
    road_class: str = road_class_option("raster")
    min_area: float = min_area_option(advanced=True)
    simplify: float = simplify_option(advanced=True)
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class _Corrected(Request):
    """Inputs and output of :class:`CorrectionsRequest`."""

    input: str = option(title="Classified raster", help=f"{CLASSIFIED_HELP} It stays as it is.", reads="raster")
    corrections: str = option(
        title="Corrections",
        help="Polygons, lines or points with the attributes to (class that they set, name or id), from (only where the "
        "raster has this class; empty: everywhere), time (later ones are applied after earlier ones), brush (width "
        "of points and lines, px) and colour (#RRGGBB; makes the class where the raster does not have it). Pixels "
        "without data stay without.",
        reads="features",
    )
    output: str = option(
        title="Corrected land cover", help="The classified raster with the corrections, a GeoTIFF.", writes="raster"
    )


@dataclass(frozen=True)
class _Recoded(Request):
    """Inputs and output of :class:`RecodeRequest`."""

    input: str = option(title="Classified raster", help=f"{CLASSIFIED_HELP} It stays as it is.", reads="raster")
    output: str = option(
        title="Recoded land cover", help="The classified raster with the new classes, a GeoTIFF.", writes="raster"
    )
    classes: tuple[str, ...] = option(
        (),
        filled=True,
        title="Classes to replace",
        help="Pairs OLD=NEW of classes, names or ids, such as Land=Vegetation. All are replaced at once, so that two "
        "classes can be exchanged.",
        metavar="OLD=NEW",
        example="Land=Vegetation",
    )
    within: str | None = option(
        None,
        title="Only within polygons",
        help="Only pixels with their centre in one of these polygons are replaced. By default all.",
        reads="polygons",
    )


# Fields come in the reverse order of the bases: those without a default have to come first, and Python 3.9 has no
# keyword-only fields.


@dataclass(frozen=True)
class CorrectionsRequest(EditOutputs, _Corrected):
    """Corrections of a classified raster, written to a new one."""

    brush: float = option(
        3.0,
        low=0,
        high=MAX_BRUSH,
        unit="px",
        advanced=True,
        title="Width of points and lines",
        help="Points and lines without the attribute brush cover the pixels within half of this width; it is at least "
        "1.5 px.",
    )


@dataclass(frozen=True)
class RecodeRequest(EditOutputs, _Recoded):
    """Replacement of classes of a classified raster, written to a new one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        old = [first for first, _ in self.pairs]
        repeated = sorted({name for name in old if old.count(name) > 1})
        if repeated:
            raise RequestError(
                tr("The class {repeated} is replaced twice.", repeated=repeated[0]), tr("Give one pair for each class.")
            )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Old and new class of each pair, names or ids.

        Raises:
            RequestError: for a text of another form.
        """
        found = []
        for text in self.classes:
            old, equals, new = (part.strip() for part in text.partition("="))
            if not (old and equals and new):
                raise RequestError(
                    tr("'{text}' is not a pair of classes.", text=text), tr("Write OLD=NEW, such as Land=Vegetation.")
                )
            found.append((old, new))
        return tuple(found)


@dataclass(frozen=True)
class EditResult(Result):
    """An edited classified raster.

    Args:
        output: The GeoTIFF.
        edits: Number of corrections applied, or of pairs of classes.
        unused: Number of those that changed no pixel.
        changed: Pixels whose class differs from that of the input.
        changes: The same by ``OLD → NEW``.
        pixels: Pixels of the result by class name.
        area_m2: Square metres by class name; None without a CRS.
        polygons: The vector file, or None.
        buildings: The vector file of buildings, or None.
        roads: The vector file of the road network, or None.
        scheme: The classes, as :meth:`.ClassScheme.to_json` gives them.
        seconds: Time, s.
        warnings: Messages for the user.
    """

    output: str
    edits: int
    unused: int
    changed: int
    changes: dict[str, int]
    pixels: dict[str, int]
    area_m2: dict[str, float] | None
    polygons: str | None
    buildings: str | None
    roads: str | None
    scheme: dict[str, Any]
    seconds: float
    warnings: tuple[str, ...] = ()
