"""Segment Folder: every raster in a folder, with a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request
from dubai_landcover_plugin.processing.segment_request import (
    add_model,
    chosen_model,
    segment_options,
    warn_of_novel_rasters,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import FolderRequest
from dubai_landcover_plugin.protocol.translation import tr


class SegmentFolder(LandCoverAlgorithm):
    """Segments every raster of a folder into an output folder with the same tree."""

    INFO = AlgorithmInfo(
        name="segmentfolder",
        title="Segment Folder",
        group="Segmentation",
        tags="land cover,segmentation,classification,batch,folder,directory,bulk,many",
        summary="Classifies every raster of a folder and writes a manifest.",
        help="<p>Runs <i>Segment Land Cover</i> on every raster of a folder. The output folder gets the same tree of "
        "folders, and a manifest (CSV and JSON) with status, time and areas of each raster.</p>"
        "<p>A raster that fails is reported and the others go on. A second run skips rasters that have a result "
        "of the same model and the same parameters.</p>",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(
            self,
            FolderRequest,
            first=("folder", "pattern", "recursive", "model"),
            own={"model": partial(add_model, self)},
            skip=("bands",),
        )
        add_outputs(self, FolderRequest)
        self.addOutput(QgsProcessingOutputFile("MANIFEST_CSV", tr("Manifest (CSV)")))
        self.addOutput(QgsProcessingOutputFile("MANIFEST_JSON", tr("Manifest (JSON)")))
        self.addOutput(QgsProcessingOutputNumber("DONE", tr("Rasters segmented")))
        self.addOutput(QgsProcessingOutputNumber("SKIPPED", tr("Rasters skipped (already processed)")))
        self.addOutput(QgsProcessingOutputNumber("FAILED", tr("Rasters that failed")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse a missing folder, an empty pattern and options that no run can use."""
        super().check(parameters, context)
        read_metadata(segment_options(self, parameters, context).model)
        folder = self.parameterAsFile(parameters, "INPUT_FOLDER", context)
        if folder and not os.path.isdir(folder):
            raise RequestError(tr("The folder {folder} does not exist.").format(folder=folder))
        if not self.parameterAsString(parameters, "PATTERN", context).strip("; "):
            raise RequestError(tr("The pattern of file names is empty."), tr("Give one such as *.tif."))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine over the folder and report the rasters that failed."""
        paths = destinations(self, FolderRequest, parameters, context)
        folder = os.path.abspath(self.parameterAsFile(parameters, "INPUT_FOLDER", context))
        try:
            model = str(chosen_model(self, parameters, context))
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        request = build_request(self, FolderRequest, parameters, context, paths, folder=folder, model=model)
        value = self.run_engine("segment_folder", request.to_json(), feedback)
        for item in value["items"]:
            if item["status"] == "failed":
                feedback.reportError(f"{item['input']}: {item['message']}")
        feedback.pushInfo(
            tr("{done} segmented, {skipped} skipped, {failed} failed. Manifest: {manifest}").format(
                done=value["done"], skipped=value["skipped"], failed=value["failed"], manifest=value["manifest_csv"]
            )
        )
        warn_of_novel_rasters(value["items"], read_metadata(model).name, os.path.basename(folder))
        figures = ("manifest_csv", "manifest_json", "done", "skipped", "failed")
        return {**paths, **{name.upper(): value[name] for name in figures}}
