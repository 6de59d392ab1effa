"""Segment Folder: every raster in a folder, with a manifest."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterString,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.parameters import (
    add_advanced,
    add_min_confidence,
    add_model,
    add_polygon_shape,
    segment_options,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES
from dubai_landcover_plugin.protocol.requests.segmentation import FolderRequest

DEFAULT_PATTERN = FolderRequest.pattern
NO_POLYGONS = "none"


class SegmentFolder(LandCoverAlgorithm):
    """Segments every raster of a folder into an output folder with the same tree."""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "segmentfolder"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Segment Folder")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Segmentation")

    def groupId(self) -> str:
        """Return the group's id."""
        return "segmentation"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("land cover,segmentation,classification,batch,folder,directory,bulk,many").split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Classifies every raster of a folder and writes a manifest of what was done.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Runs <i>Segment Land Cover</i> on every raster of a folder. The output folder gets the same tree of "
            "folders, and a manifest (CSV and JSON) with status, time and areas of each raster.</p>"
            "<p>A raster that fails is reported and the others go on. A second run skips rasters that are done already "
            "with the same model and the same parameters.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add(
            QgsProcessingParameterFile(
                "INPUT_FOLDER", tr("Folder of rasters"), behavior=QgsProcessingParameterFile.Behavior.Folder
            ),
            tr("The folder that holds the images."),
        )
        self.add(
            QgsProcessingParameterString("PATTERN", tr("File names"), defaultValue=DEFAULT_PATTERN),
            tr("Which files to take, such as *.tif; several patterns are separated by semicolons."),
        )
        self.add(
            QgsProcessingParameterBoolean("RECURSIVE", tr("Include the folders inside"), defaultValue=False),
            tr("Look for rasters in the folders inside the folder too."),
        )
        add_model(self)
        add_min_confidence(self)
        self._add_results()
        add_advanced(self)
        add_polygon_shape(self, advanced=True)

    def _add_results(self) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "POLYGON_FORMAT",
                tr("Polygons"),
                options=[NO_POLYGONS, *(suffix[1:] for suffix in VECTOR_SUFFIXES)],
                defaultValue=NO_POLYGONS,
                usesStaticStrings=True,
            ),
            tr("Whether to draw polygons of each raster, and in which format."),
        )
        self.add(
            QgsProcessingParameterBoolean("CONFIDENCE", tr("Confidence rasters"), defaultValue=False),
            tr("Write how sure the model is of each pixel, in percent."),
        )
        self.add(
            QgsProcessingParameterBoolean("REPORT", tr("HTML reports"), defaultValue=False),
            tr("Write a web page with areas and a chart for each raster."),
        )
        self.add(
            QgsProcessingParameterBoolean("REDO", tr("Segment again what is done already"), defaultValue=False),
            tr("Off: rasters with a result of the same model and the same parameters are skipped."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterFolderDestination("OUTPUT_FOLDER", tr("Output folder")),
            tr("Gets the results and the manifest; its tree mirrors that of the folder of rasters."),
        )
        self.addOutput(QgsProcessingOutputFile("MANIFEST_CSV", tr("Manifest (CSV)")))
        self.addOutput(QgsProcessingOutputFile("MANIFEST_JSON", tr("Manifest (JSON)")))
        self.addOutput(QgsProcessingOutputNumber("DONE", tr("Rasters segmented")))
        self.addOutput(QgsProcessingOutputNumber("SKIPPED", tr("Rasters skipped, for they were done")))
        self.addOutput(QgsProcessingOutputNumber("FAILED", tr("Rasters that failed")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            read_metadata(segment_options(self, parameters, context).model)
            folder = self.parameterAsFile(parameters, "INPUT_FOLDER", context)
            if folder and not os.path.isdir(folder):
                raise RequestError(tr("The folder {folder} does not exist.").format(folder=folder))
            if not self.parameterAsString(parameters, "PATTERN", context).strip("; "):
                raise RequestError(tr("The pattern of file names is empty."), tr("Give one such as *.tif."))
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine over the folder and report what failed."""
        output_folder = self.parameterAsFileOutput(parameters, "OUTPUT_FOLDER", context)
        try:
            request = self._request(parameters, context, output_folder)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("segment_folder", request.to_json(), feedback)
        for item in value["items"]:
            if item["status"] == "failed":
                feedback.reportError(f"{item['input']}: {item['message']}")
        feedback.pushInfo(
            tr("{done} segmented, {skipped} skipped, {failed} failed. Manifest: {manifest}").format(
                done=value["done"], skipped=value["skipped"], failed=value["failed"], manifest=value["manifest_csv"]
            )
        )
        return {
            "OUTPUT_FOLDER": output_folder,
            "MANIFEST_CSV": value["manifest_csv"],
            "MANIFEST_JSON": value["manifest_json"],
            "DONE": value["done"],
            "SKIPPED": value["skipped"],
            "FAILED": value["failed"],
        }

    def _request(self, parameters: dict[str, Any], context: QgsProcessingContext, output_folder: str) -> FolderRequest:
        """Return the engine's request; paths become absolute, for the engine works in another folder."""
        polygons = self.parameterAsEnumString(parameters, "POLYGON_FORMAT", context)
        return FolderRequest(
            folder=os.path.abspath(self.parameterAsFile(parameters, "INPUT_FOLDER", context)),
            output_folder=os.path.abspath(output_folder),
            pattern=self.parameterAsString(parameters, "PATTERN", context),
            recursive=self.parameterAsBool(parameters, "RECURSIVE", context),
            polygons=None if polygons == NO_POLYGONS else f".{polygons}",
            confidence=self.parameterAsBool(parameters, "CONFIDENCE", context),
            report=self.parameterAsBool(parameters, "REPORT", context),
            redo=self.parameterAsBool(parameters, "REDO", context),
            options=segment_options(self, parameters, context),
        )
