"""Segment Folder: every raster in a folder, with a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingUtils,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request, option_of
from dubai_landcover_plugin.processing.raster_copies import RasterInput
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.processing.second_raster import opened_second, second_input, second_layer
from dubai_landcover_plugin.processing.segment_request import (
    add_model,
    chosen_model,
    segment_options,
    warn_of_novel_rasters,
)
from dubai_landcover_plugin.processing.vector_inputs import optional_vector_source
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours


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
        "<p>Results of this plugin in the folder are known by their tags and left out, whatever their names. The log "
        "lists every image that was left out, and why.</p>"
        "<p><b>Area of interest</b>: polygons in any CRS, all or the selected ones. Outside is no data; rasters "
        "outside are left out.</p>"
        "<p>A raster that fails is reported and the others go on. A second run skips rasters that have a result "
        "of the same model and the same parameters.</p>",
        page="qgis.md#segment-folder",
    )

    _within: str | None = None
    _second: RasterInput | None = None

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(
            self,
            FolderRequest,
            first=("folder", "pattern", "recursive", "model", "within"),
            own={"model": partial(add_model, self)},
            skip=("bands",),
        )
        self.add(
            QgsProcessingParameterBoolean("LOAD_LAYERS", tr("Load the results into the project"), defaultValue=False),
            tr("Add the rasters and vector files to the project after the run, a group for each image."),
        )
        add_outputs(self, FolderRequest)
        self.addOutput(QgsProcessingOutputFile("MANIFEST_CSV", tr("Manifest (CSV)")))
        self.addOutput(QgsProcessingOutputFile("MANIFEST_JSON", tr("Manifest (JSON)")))
        self.addOutput(QgsProcessingOutputNumber("DONE", tr("Rasters segmented")))
        self.addOutput(QgsProcessingOutputNumber("SKIPPED", tr("Rasters skipped (already processed)")))
        self.addOutput(QgsProcessingOutputNumber("FAILED", tr("Rasters that failed")))
        self.addOutput(QgsProcessingOutputString("LEFT_OUT", tr("Images that were left out, as JSON")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse a missing folder, an empty pattern and options that no run can use."""
        super().check(parameters, context)
        read_metadata(segment_options(self, parameters, context).model)
        folder = self.parameterAsFile(parameters, "INPUT_FOLDER", context)
        if folder and not os.path.isdir(folder):
            raise RequestError(tr("The folder {folder} does not exist.", folder=folder))
        if not self.parameterAsString(parameters, "PATTERN", context).strip("; "):
            raise RequestError(tr("The pattern of file names is empty."), tr("Give one such as *.tif."))
        second_layer(self, parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        self._within = optional_vector_source(self, parameters, "WITHIN", context, feedback)
        try:
            self._second = second_input(self, parameters, context)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        return True

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
        with opened_second(self._second, context, feedback) as second:
            values = {"folder": folder, "model": model, "within": self._within, "second": second}
            request = build_request(self, FolderRequest, parameters, context, paths, **values)
            value = self.run_engine("segment_folder", request.to_json(), feedback)
        for item in value["items"]:
            if item["status"] == "failed":
                feedback.reportError(f"{item['input']}: {item['message']}")
        feedback.pushInfo(
            tr(
                "{done} segmented, {skipped} skipped, {failed} failed. Manifest: {manifest}",
                done=value["done"],
                skipped=value["skipped"],
                failed=value["failed"],
                manifest=value["manifest_csv"],
            )
        )
        metadata = read_metadata(model)
        warn_of_novel_rasters(value["items"], metadata.name, os.path.basename(folder))
        if self.parameterAsBool(parameters, "LOAD_LAYERS", context):
            for item in value["items"]:
                if item["status"] != "failed":
                    _load(item, metadata.scheme, context)
        figures = ("manifest_csv", "manifest_json", "done", "skipped", "failed")
        results = {name.upper(): value[name] for name in figures}
        return {**paths, **results, "LEFT_OUT": dumps(value["left_out"])}


def _load(item: Mapping[str, Any], scheme: ClassScheme, context: QgsProcessingContext) -> None:
    """Add the results of one raster to the project, with style, in a group named after the image."""
    titles = {name: option_of(SegmentationRequest, name).option.title for name in ("output", *item["files"])}
    results = []
    for name, path in {"output": item["output"], **item["files"]}.items():
        kind = "classes" if name == "output" else name
        hints = QgsProcessingUtils.LayerHint
        hint = hints.Raster if name == "output" else hints.Vector
        title = tr(titles[name])
        details = QgsProcessingContext.LayerDetails(title, context.project(), name, hint)
        context.addLayerToLoadOnCompletion(path, details)
        results.append((path, kind, title))
    style = ResultStyle(scheme, natural_colours(), Path(item["input"]).stem)
    style.on_load(context, results, item["output"])
