"""Tasks of the engine: the request of each, and which of its fields are paths of files.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.requests.assessment import AccuracyRequest, AccuracySampleRequest
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import VECTOR_OUTPUTS, FolderRequest, SegmentationRequest


@dataclass(frozen=True)
class Task:
    """A task and the fields of its request that name files; the fields of unused ones are None.

    Args:
        request: Class of the request.
        inputs: Fields that name files to read.
        rasters: Fields that name rasters to write.
        vectors: Fields that name vector files to write.
        pages: Fields that name pages and tables to write.
        folder: Field that names a folder in which the engine chooses the names of the files, or None.
        tree: Whether it writes into folders inside that folder too.
    """

    request: type[Request]
    inputs: tuple[str, ...] = ()
    rasters: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    folder: str | None = None
    tree: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """All fields that name files to write."""
        return (*self.rasters, *self.vectors, *self.pages)


TASKS = {
    "segment_raster": Task(
        SegmentationRequest, ("input",), rasters=("output", "confidence"), vectors=VECTOR_OUTPUTS, pages=("report",)
    ),
    "segment_folder": Task(FolderRequest, folder="output_folder", tree=True),
    "polygonize": Task(PolygonizeRequest, ("input", "confidence"), vectors=("output",)),
    "export_class_polygons": Task(ClassFilesRequest, ("input", "confidence"), folder="output_folder"),
    "regularize_buildings": Task(BuildingsRequest, ("input", "obstacles"), vectors=("output",)),
    "extract_roads": Task(RoadsRequest, ("input", "confidence"), vectors=("output", "nodes")),
    "write_report": Task(
        ReportRequest, ("input", "confidence", "zones"), vectors=("zones_layer",), pages=("report", "csv")
    ),
    "draw_accuracy_sample": Task(AccuracySampleRequest, ("input",), vectors=("output",)),
    "assess_accuracy": Task(AccuracyRequest, ("input", "reference"), pages=("report", "table")),
    "map_change": Task(
        ChangeRequest,
        ("earlier", "later", "earlier_confidence", "later_confidence"),
        rasters=("output",),
        vectors=("polygons",),
        pages=("csv", "report"),
    ),
}
"""Tasks by name; each is the function of that name in :mod:`dubai_landcover_plugin.core`."""


def task_of(request: Request) -> Task:
    """Return the task that a request is for."""
    return next(task for task in TASKS.values() if isinstance(request, task.request))


def paths(request: Mapping[str, Any], fields: tuple[str, ...]) -> list[str]:
    """Return the paths that some fields of a request name; fields that are missing or empty are left out."""
    return [request[field] for field in fields if request.get(field)]
