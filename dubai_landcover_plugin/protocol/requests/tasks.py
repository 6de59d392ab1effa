"""Tasks of the engine: the request of each, and the fields of it that are paths of files.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from dubai_landcover_plugin.protocol.requests.options import VECTORS
from dubai_landcover_plugin.protocol.requests.request import Request


@dataclass(frozen=True)
class Task:
    """A task and the fields of its request that name files; the fields of unused ones are None.

    Args:
        place: Module and class of the request; it is imported on first use.
        tree: Whether it writes into subfolders of its output folder too.
        training: Whether it is a function of the package of training rather than of the engine.
        grace: Time that a cancelled run has to save what it made, s.
    """

    place: str
    tree: bool = False
    training: bool = False
    grace: float = 1.2

    @cached_property
    def request(self) -> type[Request]:
        """Class of the request."""
        module, _, name = self.place.partition(".")
        found: type[Request] = getattr(import_module(f"{__package__}.{module}"), name)
        return found

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
    "segment_raster": Task("segmentation.SegmentationRequest"),
    "segment_folder": Task("folder.FolderRequest", tree=True),
    "polygonize": Task("polygons.PolygonizeRequest"),
    "export_class_polygons": Task("polygons.ClassFilesRequest"),
    "regularize_buildings": Task("buildings.BuildingsRequest"),
    "extract_roads": Task("roads.RoadsRequest"),
    "write_report": Task("report.ReportRequest"),
    "draw_accuracy_sample": Task("assessment.AccuracySampleRequest"),
    "assess_accuracy": Task("assessment.AccuracyRequest"),
    "map_change": Task("change.ChangeRequest"),
    "apply_corrections": Task("corrections.CorrectionsRequest"),
    "recode_classes": Task("corrections.RecodeRequest"),
    "reclassify_probabilities": Task("probabilities.ReclassifyRequest"),
    "teach_model": Task("teaching.TeachRequest"),
    "preview_land_cover": Task("preview.PreviewRequest"),
    "create_label_layer": Task("labelling.LabelLayerRequest"),
    "check_labels": Task("labelling.CheckLabelsRequest", training=True),
    "train_model": Task("training.TrainRequest", training=True, grace=180.0),
    "evaluate_model": Task("training.EvaluateRequest", training=True),
    "export_model": Task("training.ExportRequest", training=True),
    "make_sample_data": Task("training.SampleDataRequest", training=True),
}
"""Tasks by name; each is the function of that name in :mod:`dubai_landcover_plugin.core` or :mod:`training.tasks`."""


def task_of(request: Request) -> Task:
    """Return the task that a request is for."""
    kind = type(request)
    return next(
        task for task in TASKS.values() if f"{__package__}.{task.place}" == f"{kind.__module__}.{kind.__name__}"
    )


def paths(request: Mapping[str, Any], fields: tuple[str, ...]) -> list[str]:
    """Return the paths that some fields of a request name; fields that are missing or empty are left out."""
    found: list[str] = []
    for name in fields:
        value = request.get(name) or []
        found += [value] if isinstance(value, str) else value
    return found
