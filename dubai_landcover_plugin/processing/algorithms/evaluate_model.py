"""Evaluate Model: figures of a model on labelled rasters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.labelled_data import LabelledAlgorithm
from dubai_landcover_plugin.processing.parameters import add_outputs
from dubai_landcover_plugin.processing.segment_request import add_model, chosen_model
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.requests.labelling import LabelledData
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.training import EvaluateRequest
from dubai_landcover_plugin.protocol.translation import tr


class EvaluateModel(LabelledAlgorithm):
    """Compares a model with labels."""

    INFO = AlgorithmInfo(
        name="evaluatemodel",
        title="Evaluate Model",
        group="Models",
        tags="land cover,evaluation,accuracy,IoU,confusion matrix,test,validation,own model",
        summary="Figures of a model on labelled rasters, with intervals, confusion and pictures.",
        help="<p>Runs a model on labelled rasters as <i>Segment Land Cover</i> does, and compares the result with the "
        "labels. Use labels that the model was not trained on, best at other places.</p>"
        "<p>The page has accuracy, IoU, precision and recall of each class, the confusion of the classes, the "
        "calibration of the confidence and pictures, the worst first. With labels at eight places or more there are "
        "95 % intervals. Pixels outside of polygons do not count.</p>",
        page="training-in-qgis.md#evaluate-model",
    )
    REQUEST = EvaluateRequest

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_data_inputs(skip=("bands",), model=partial(add_model, self))
        add_outputs(self, EvaluateRequest)
        self.addOutput(QgsProcessingOutputNumber("ACCURACY", tr("Share of right pixels, 0 to 1")))
        self.addOutput(QgsProcessingOutputNumber("MIOU", tr("Mean IoU of the classes, 0 to 1")))
        self.addOutput(QgsProcessingOutputString("CLASSES", tr("Figures by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("INTERVALS", tr("95 % intervals, as JSON")))
        self.addOutput(QgsProcessingOutputString("CONFUSION", tr("Confusion matrix, rows the labels, as JSON")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse models that cannot be read."""
        super().check(parameters, context)
        read_metadata(chosen_model(self, parameters, context))

    def compute(
        self,
        data: LabelledData,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine and log the figures."""
        paths = destinations(self, EvaluateRequest, parameters, context)
        model = str(chosen_model(self, parameters, context))
        value = self.run_task("evaluate_model", data, paths, parameters, context, feedback, model=model)
        for name, figures in value["classes"].items():
            feedback.pushInfo(tr("{name}: IoU {iou}", name=name, iou=_figure(figures["iou"])))
        feedback.pushInfo(
            tr(
                "Accuracy {accuracy}, mean IoU {miou} on {count} labelled images",
                accuracy=_figure(value["accuracy"]),
                miou=_figure(value["miou"]),
                count=value["images"],
            )
        )
        results = {key: value[name] for key, name in (("ACCURACY", "accuracy"), ("MIOU", "miou"))}
        return {
            **paths,
            **{key: number for key, number in results.items() if number is not None},
            "CLASSES": dumps(value["classes"]),
            "INTERVALS": dumps(value["intervals"]),
            "CONFUSION": dumps(value["confusion"]),
        }


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
