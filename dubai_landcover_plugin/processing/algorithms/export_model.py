"""Export Model: a model in forms that other programs read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    build_request,
    checkboxes,
    label,
)
from dubai_landcover_plugin.processing.segment_request import add_model, chosen_model
from dubai_landcover_plugin.protocol.errors import BundleError, RequestError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.training import FORMATS, ExportRequest
from dubai_landcover_plugin.protocol.translation import tr

_WORDS = ("ONNX", "OpenVINO", "Esri", "STAC")
"""What the dialog shows of the formats, in their order."""


class ExportModel(LandCoverAlgorithm):
    """Writes a model for other programs."""

    INFO = AlgorithmInfo(
        name="exportmodel",
        title="Export Model",
        group="Models",
        tags="land cover,export,ONNX,Deepness,OpenVINO,ArcGIS,Esri,emd,STAC,own model",
        summary="Writes a model as ONNX for Deepness, OpenVINO IR, Esri model definition or STAC item.",
        help="<p>Writes files named after the model into a folder:</p><ul>"
        "<li><b>ONNX</b>: for ONNX Runtime and the plugin Deepness, which reads classes, resolution and tile size from "
        "the file.</li>"
        "<li><b>OpenVINO</b>: OpenVINO IR (.xml and .bin), from 8-bit pixels to probabilities.</li>"
        "<li><b>Esri</b>: model definition (.emd) for the deep-learning tools of ArcGIS, with ONNX and a Python raster "
        "function, which needs onnxruntime there.</li>"
        "<li><b>STAC</b>: STAC item with the Machine Learning Model extension.</li></ul>"
        "<p>What ONNX and OpenVINO compute is compared with the model; files that do not agree are not written.</p>",
        page="training-in-qgis.md#export-model",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, ExportRequest, own={"model": partial(add_model, self), "formats": self._add_formats})
        add_outputs(self, ExportRequest)
        self.addOutput(QgsProcessingOutputString("FILES", tr("Paths of the files, as JSON")))

    def _add_formats(self, item: Described) -> None:
        add_parameter(self, item, checkboxes(str(item.key), label(item), FORMATS, item.default, words=_WORDS))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse models that cannot be exported, and no format."""
        super().check(parameters, context)
        path = chosen_model(self, parameters, context)
        read_metadata(path)
        if path.suffix.lower() == ONNX_SUFFIX:
            raise BundleError(tr("{path} is an ONNX file already.", path=path), tr("Choose another model."))
        if not self._formats(parameters, context):
            raise RequestError(tr("No format is chosen."), tr("Choose one."))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        paths = destinations(self, ExportRequest, parameters, context)
        os.makedirs(paths["OUTPUT"], exist_ok=True)
        values = {
            "model": str(chosen_model(self, parameters, context)),
            "formats": self._formats(parameters, context),
        }
        request = build_request(self, ExportRequest, parameters, context, paths, **values)
        value = self.run_engine("export_model", request.to_json(), feedback)
        return {**paths, "FILES": dumps(value["files"])}

    def _formats(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> tuple[str, ...]:
        return tuple(self.parameterAsEnumStrings(parameters, "FORMATS", context))
