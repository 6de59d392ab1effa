"""Polygons of a classified raster: requests and results.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.requests.options import (
    CLASSIFIED_HELP,
    CONFIDENCE_HELP,
    CORNERS_HELP,
    OVERWRITE_HELP,
    VECTOR_SUFFIXES,
    VECTOR_WORDS,
    min_area_option,
    option,
    scheme_option,
    simplify_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result


@dataclass(frozen=True)
class PolygonFields(Request):
    """Options of polygons that do not depend on the kind of output; the base of both requests."""

    min_area: float = min_area_option()
    simplify: float = simplify_option()
    corners: bool = option(False, advanced=True, title="Join pixels that touch at a corner", help=CORNERS_HELP)
    confidence: str | None = option(
        None,
        title="Confidence raster",
        help=f"{CONFIDENCE_HELP} Adds the confidence of each polygon to its attributes.",
        reads="raster",
    )
    scheme: str | None = scheme_option()
    overwrite: bool = option(False, key=None, title="Overwrite", help=OVERWRITE_HELP)


@dataclass(frozen=True)
class _OneFile(Request):
    """Input, output and classes of :class:`PolygonizeRequest`."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    output: str = option(
        title="Polygons",
        help="GeoPackage (.gpkg), shapefile (.shp, at most 2 GB), GeoJSON (.geojson, in WGS 84), FlatGeobuf (.fgb) or "
        "GeoParquet (.parquet).",
        writes="polygons",
    )
    classes: tuple[str, ...] = option(
        (),
        advanced=True,
        title="Only these classes",
        help="Names or ids of the classes to export. By default all classes.",
        metavar="CLASS",
        example="Building",
    )


@dataclass(frozen=True)
class _FileForEachClass(Request):
    """Input, output and classes of :class:`ClassFilesRequest`."""

    input: str = option(title="Classified raster", help=CLASSIFIED_HELP, reads="raster")
    output_folder: str = option(
        title="Output folder", help="Folder of the vector files, one for each class, named after it.", writes="folder"
    )
    classes: tuple[str, ...] = option(
        ("Building", "Road"),
        filled=True,
        title="Classes",
        help="Names or ids of the classes to export.",
        metavar="CLASS",
        example="Building",
    )
    suffix: str = option(
        ".shp",
        choices=tuple(VECTOR_SUFFIXES),
        words=VECTOR_WORDS,
        flag="format",
        key="FORMAT",
        title="Format",
        help="Format of the files: shp (shapefile), gpkg (GeoPackage), geojson (GeoJSON), fgb (FlatGeobuf) or parquet "
        "(GeoParquet).",
    )


# Fields come in the reverse order of the bases: those without a default have to come first, and Python 3.9 has no
# keyword-only fields.


@dataclass(frozen=True)
class PolygonizeRequest(PolygonFields, _OneFile):
    """Polygons of a classified raster in one vector file."""


@dataclass(frozen=True)
class ClassFilesRequest(PolygonFields, _FileForEachClass):
    """Polygons of a classified raster, one vector file for each class."""


@dataclass(frozen=True)
class PolygonizeResult(Result):
    """Polygons in one vector file.

    Args:
        file: The vector file.
        counts: Polygons by class name.
        area_m2: Square metres by class name; None without a CRS.
        conservation: Check that the polygons cover the raster exactly once: areas by class name before and after.
        scheme: The classes, as :meth:`.ClassScheme.to_json` gives them.
        warnings: Messages for the user.
    """

    file: str
    counts: dict[str, int]
    area_m2: dict[str, float] | None
    conservation: dict[str, Any]
    scheme: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassFilesResult(Result):
    """Polygons in one vector file for each class.

    Args:
        files: The vector files by class name.
        counts: Polygons by class name.
        area_m2: See :class:`PolygonizeResult`.
        conservation: See :class:`PolygonizeResult`.
        scheme: See :class:`PolygonizeResult`.
        warnings: Messages for the user.
    """

    files: dict[str, str]
    counts: dict[str, int]
    area_m2: dict[str, float] | None
    conservation: dict[str, Any]
    scheme: dict[str, Any]
    warnings: tuple[str, ...] = ()
