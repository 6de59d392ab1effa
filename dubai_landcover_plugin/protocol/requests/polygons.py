"""Requests for polygons of a classified raster.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import (
    VECTOR_SUFFIXES,
    Request,
    Result,
    at_least,
    one_of,
    vector_path,
)


@dataclass(frozen=True)
class PolygonizeRequest(Request):
    """Polygons of a classified raster in one vector file.

    Args:
        input: Path of a classified raster.
        output: The vector file; its suffix tells the format.
        classes: Names or ids of the classes wanted; none takes all.
        min_area: Smaller regions go to their neighbours, m² (px without a CRS).
        simplify: Tolerance of the outlines, m (px without a CRS); 0 keeps pixel edges.
        corners: Whether pixels that touch at a corner belong together (8-connected).
        confidence: Confidence raster of the same run, percent, for attributes; None leaves them out.
        overwrite: Replace outputs that exist.
    """

    input: str
    output: str
    classes: tuple[str, ...] = ()
    min_area: float = 20.0
    simplify: float = 2.0
    corners: bool = False
    confidence: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output:
            raise RequestError("A classified raster and a vector file are needed.")
        vector_path("output", self.output)
        at_least("min_area", self.min_area, 0)
        at_least("simplify", self.simplify, 0)


@dataclass(frozen=True)
class ClassFilesRequest(Request):
    """Class polygons of a classified raster, one vector file for each class.

    Args:
        input: Path of a classified raster.
        output_folder: Folder of the vector files, named after the classes.
        classes: Names or ids of the classes wanted.
        suffix: A key of ``VECTOR_SUFFIXES``.
        min_area: See :class:`PolygonizeRequest`; so are the others.
    """

    input: str
    output_folder: str
    classes: tuple[str, ...] = ("Building", "Road")
    suffix: str = ".shp"
    min_area: float = 20.0
    simplify: float = 2.0
    corners: bool = False
    confidence: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.input or not self.output_folder:
            raise RequestError("A classified raster and an output folder are needed.")
        if not self.classes:
            raise RequestError("No class was chosen.", "Choose at least one, for example Building.")
        one_of("suffix", self.suffix, tuple(VECTOR_SUFFIXES))
        at_least("min_area", self.min_area, 0)
        at_least("simplify", self.simplify, 0)


@dataclass(frozen=True)
class PolygonizeResult(Result):
    """Polygons in one vector file.

    Args:
        file: The vector file.
        counts: Polygons by class name.
        area_m2: Square metres by class name; None without a CRS.
        conservation: Proof that the polygons cover the raster once: areas by class name before and after.
        scheme: The classes, as :meth:`.ClassScheme.to_json` gives them.
        warnings: What the user should know.
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
        counts: See :class:`PolygonizeResult`; so are the others.
    """

    files: dict[str, str]
    counts: dict[str, int]
    area_m2: dict[str, float] | None
    conservation: dict[str, Any]
    scheme: dict[str, Any]
    warnings: tuple[str, ...] = ()
