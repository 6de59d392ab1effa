"""Draw Accuracy Sample: points of a classified raster, to be labelled in QGIS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request, option_values
from dubai_landcover_plugin.processing.result_layers import style_on_load
from dubai_landcover_plugin.protocol.requests.assessment import AccuracySampleRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr


class AccuracySample(ClassifiedRasterAlgorithm):
    """Draws a stratified random sample of a classified raster."""

    INFO = AlgorithmInfo(
        name="accuracysample",
        title="Draw Accuracy Sample",
        group="Accuracy",
        tags="accuracy,validation,ground truth,sample,stratified,random points,reference,Olofsson,Cochran,land cover",
        summary="Draws random points from each class of a classified raster, to be labelled by eye.",
        help="<p>The first of two steps to assess the accuracy of a map. Points are drawn at random from each class of "
        "a classified raster, at the centres of pixels.</p>"
        "<p>Then label them: put the layer over an image, start editing, and choose the class that you see at "
        "each point from the list in the form. The form does not show the class of the map, and the points are in "
        "random order, so that your labels do not depend on it. Choose Unlabeled where the class cannot be "
        "recognised. Save the edits.</p>"
        "<p><i>Accuracy Assessment</i> then gives accuracy and areas with intervals. Do not add points by hand, "
        "and do not move or select the points: the estimates assume a random sample.</p>"
        "<p>The number of points follows from the target standard error (Cochran's formula, after Olofsson et al. "
        "2014, doi:10.1016/j.rse.2014.02.015): 0.02 gives an interval of about ± 4 %.</p>",
        page="accuracy.md#1-draw-points",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, AccuracySampleRequest)
        add_outputs(self, AccuracySampleRequest)
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of points")))
        self.addOutput(QgsProcessingOutputString("POINTS", tr("Points by class, as JSON")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse expected accuracies that cannot be read."""
        super().check(parameters, context)
        option_values(self, AccuracySampleRequest, parameters, context)

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and log the number of points of each class."""
        paths = destinations(self, AccuracySampleRequest, parameters, context)
        request = build_request(self, AccuracySampleRequest, parameters, context, paths, **self.inputs)
        value = self.run_engine("draw_accuracy_sample", request.to_json(), feedback)
        total = sum(value["pixels"].values())
        for name, points in value["points"].items():
            share = 100 * value["pixels"][name] / total
            feedback.pushInfo(
                tr("{name}: {points} points, {share:.1f} % of the map", name=name, points=points, share=share)
            )
        title = tr("Points to label")
        style_on_load(context, paths["OUTPUT"], title, f"{title}: {self.names['input']}")
        return {**paths, "COUNT": value["size"], "POINTS": dumps(value["points"])}
