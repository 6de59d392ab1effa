"""Segmentation of every raster in a folder: request and result.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    VECTOR_SUFFIXES,
    VECTOR_WORDS,
    building_class_option,
    option,
    road_class_option,
)
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr


@dataclass(frozen=True)
class FolderRequest(Request):
    """Segmentation of every raster in a folder."""

    folder: str = option(
        key="INPUT_FOLDER", title="Folder of rasters", help="Folder with the images to classify.", reads="folder"
    )
    output_folder: str = option(
        title="Output folder",
        help="Folder of the results and the manifest; its subfolders mirror those of the input folder.",
        writes="folder",
    )
    pattern: str = option(
        "*.tif;*.tiff;*.vrt;*.jp2;*.img",
        filled=True,
        example="*.tif",
        title="File names",
        help="Patterns of file names to take, such as *.tif, separated by semicolons.",
    )
    recursive: bool = option(False, title="Include subfolders", help="Also process rasters in subfolders.")
    within: str | None = option(
        None,
        title="Area of interest",
        help="Only pixels with their centre in one of these polygons are classified, the others become no data. "
        "Rasters without such a pixel are left out, and listed. By default all of each raster.",
        reads="polygons",
    )
    polygons: str | None = option(
        None,
        choices=tuple(VECTOR_SUFFIXES),
        words=VECTOR_WORDS,
        key="POLYGON_FORMAT",
        title="Polygons",
        help="Format of a vector file of polygons for each raster. By default none is written.",
        metavar="FORMAT",
    )
    buildings: str | None = option(
        None,
        choices=tuple(VECTOR_SUFFIXES),
        words=VECTOR_WORDS,
        key="BUILDING_FORMAT",
        title="Buildings",
        help="Format of a vector file of buildings with right angles for each raster. By default none is written.",
        metavar="FORMAT",
    )
    roads: str | None = option(
        None,
        choices=tuple(VECTOR_SUFFIXES),
        words=VECTOR_WORDS,
        key="ROAD_FORMAT",
        title="Road network",
        help="Format of a vector file of centre lines for each raster. By default none is written.",
        metavar="FORMAT",
    )
    confidence: bool = option(
        False, title="Confidence rasters", help="Write a confidence raster, in percent, for each raster."
    )
    novelty: bool = option(False, title="Novelty rasters", help="Write a novelty raster, in percent, for each raster.")
    probabilities: bool = option(
        False, title="Probability rasters", help="Write a raster with the percentage of every class for each raster."
    )
    report: bool = option(False, title="HTML reports", help="Write a web page with areas and a chart for each raster.")
    building_class: str = building_class_option("model", "Result")
    road_class: str = road_class_option("model", "Result")
    redo: bool = option(
        False,
        advanced=True,
        title="Segment again",
        help="Segment all rasters again. By default rasters that have a result of the same model with the same options "
        "are skipped.",
    )
    options: SegmentOptions = field(default_factory=SegmentOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not [part for part in self.pattern.split(";") if part.strip()]:
            raise RequestError(tr("The pattern of file names is empty."), tr("Give one such as *.tif."))


@dataclass(frozen=True)
class FolderResult(Result):
    """Outcome for each raster of a folder.

    Args:
        manifest_csv: The table of all rasters.
        manifest_json: The same as JSON.
        done: Number of rasters segmented.
        skipped: Number of rasters skipped because they were already processed.
        failed: Number of rasters that failed.
        items: Each raster: ``input``, ``output``, ``status``, ``message``, ``seconds``, ``area_m2``, ``pixels``,
            ``is_novel``, ``files`` (polygons, buildings and roads).
        left_out: Each image that was not classified: ``input`` and ``reason``.
    """

    manifest_csv: str
    manifest_json: str
    done: int
    skipped: int
    failed: int
    items: tuple[dict[str, Any], ...] = ()
    left_out: tuple[dict[str, Any], ...] = ()
