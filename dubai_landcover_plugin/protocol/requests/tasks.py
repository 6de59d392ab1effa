"""Tasks of the engine: the request of each, and the fields of it that are paths of files.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.requests.assessment import AccuracyRequest, AccuracySampleRequest
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, RecodeRequest
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.labelling import CheckLabelsRequest, LabelLayerRequest
from dubai_landcover_plugin.protocol.requests.options import VECTORS
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.preview import PreviewRequest
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.requests.teaching import TeachRequest
from dubai_landcover_plugin.protocol.requests.training import (
    EvaluateRequest,
    ExportRequest,
    SampleDataRequest,
    TrainRequest,
)


@dataclass(frozen=True)
class Task:
    """A task and the fields of its request that name files; the fields of unused ones are None.

    Args:
        request: Class of the request.
        tree: Whether it writes into subfolders of its output folder too.
        training: Whether it is a function of the package of training rather than of the engine.
        grace: Time that a cancelled run has to save what it made, s.
    """

    request: type[Request]
    tree: bool = False
    training: bool = False
    grace: float = 1.2

    @property
    def inputs(self) -> tuple[str, ...]:
        """Fields that name files to read."""
        return tuple(item.name for item in self.request.described() if item.option.reads not in ("", "folder"))

    @property
    def rasters(self) -> tuple[str, ...]:
        """Fields that name rasters to write."""
        return self._writing("raster")

    @property
    def vectors(self) -> tuple[str, ...]:
        """Fields that name vector files to write."""
        return self._writing(*VECTORS)

    @property
    def pages(self) -> tuple[str, ...]:
        """Fields that name pages, tables and models to write."""
        return self._writing("page", "table", "model")

    @property
    def folder(self) -> str | None:
        """Field that names a folder in which the engine chooses the names of the files, or None."""
        return next(iter(self._writing("folder")), None)

    @property
    def outputs(self) -> tuple[str, ...]:
        """All fields that name files to write."""
        return (*self.rasters, *self.vectors, *self.pages)

    def _writing(self, *kinds: str) -> tuple[str, ...]:
        return tuple(item.name for item in self.request.described() if item.option.writes in kinds)


TASKS = {
    "segment_raster": Task(SegmentationRequest),
    "segment_folder": Task(FolderRequest, tree=True),
    "polygonize": Task(PolygonizeRequest),
    "export_class_polygons": Task(ClassFilesRequest),
    "regularize_buildings": Task(BuildingsRequest),
    "extract_roads": Task(RoadsRequest),
    "write_report": Task(ReportRequest),
    "draw_accuracy_sample": Task(AccuracySampleRequest),
    "assess_accuracy": Task(AccuracyRequest),
    "map_change": Task(ChangeRequest),
    "apply_corrections": Task(CorrectionsRequest),
    "recode_classes": Task(RecodeRequest),
    "reclassify_probabilities": Task(ReclassifyRequest),
    "teach_model": Task(TeachRequest),
    "preview_land_cover": Task(PreviewRequest),
    "create_label_layer": Task(LabelLayerRequest),
    "check_labels": Task(CheckLabelsRequest, training=True),
    "train_model": Task(TrainRequest, training=True, grace=180.0),
    "evaluate_model": Task(EvaluateRequest, training=True),
    "export_model": Task(ExportRequest, training=True),
    "make_sample_data": Task(SampleDataRequest, training=True),
}
"""Tasks by name; each is the function of that name in :mod:`dubai_landcover_plugin.core` or :mod:`training.tasks`."""


def task_of(request: Request) -> Task:
    """Return the task that a request is for."""
    return next(task for task in TASKS.values() if isinstance(request, task.request))


def paths(request: Mapping[str, Any], fields: tuple[str, ...]) -> list[str]:
    """Return the paths that some fields of a request name; fields that are missing or empty are left out."""
    found: list[str] = []
    for name in fields:
        value = request.get(name) or []
        found += [value] if isinstance(value, str) else value
    return found
