"""Make Sample Data: a synthetic town with labels, to try a training."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingOutputNumber, QgsProcessingOutputString

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request
from dubai_landcover_plugin.processing.result_layers import RunLayers, style_on_load
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.training import SampleDataRequest
from dubai_landcover_plugin.protocol.translation import tr


class SampleData(LandCoverAlgorithm):
    """Draws a synthetic image and labels of some places of it."""

    INFO = AlgorithmInfo(
        name="sampledata",
        title="Make Sample Data",
        group="Models",
        tags="land cover,example,sample,demo,synthetic,tutorial,training,labels",
        summary="Draws a synthetic town, and labels of some places of it, to try the tools and Train Model.",
        help="<p>Draws an aerial image of a town that does not exist, and labels of some squares of it, as you would "
        "draw them on your own image. The tutorials <i>From image to buildings in ten minutes</i> and <i>Your first "
        "own model</i> use it; the former needs no labels.</p>",
        page="training-in-qgis.md#make-sample-data",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, SampleDataRequest)
        add_outputs(self, SampleDataRequest)
        self.addOutput(QgsProcessingOutputNumber("COUNT_LABELS", tr("Number of labels")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Labelled pixels by class, as JSON")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        paths = destinations(self, SampleDataRequest, parameters, context)
        request = build_request(self, SampleDataRequest, parameters, context, paths)
        value = self.run_engine("make_sample_data", request.to_json(), feedback)
        layers = RunLayers(paths["OUTPUT"], hidden=())  # labels above the image
        image, labels = tr("Sample town"), tr("Labels of the sample")
        style_on_load(context, paths["OUTPUT"], tr("Image"), image, lambda layer: None, "classes", layers)
        if "LABELS" in paths:
            style_on_load(context, paths["LABELS"], tr("Labels"), labels, kind="polygons", layers=layers)
        return {**paths, "COUNT_LABELS": value["polygons"], "PIXELS": dumps(value["pixels"])}
