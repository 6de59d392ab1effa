"""Check Labels: what is in labelled data, and what would stop or degrade a training."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.labelled_data import LabelledAlgorithm
from dubai_landcover_plugin.processing.parameters import add_outputs
from dubai_landcover_plugin.protocol.requests.labelling import CheckLabelsRequest, LabelledData
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr


class CheckLabels(LabelledAlgorithm):
    """Reports shares and problems of labels."""

    INFO = AlgorithmInfo(
        name="checklabels",
        title="Check Labels",
        group="Models",
        tags="land cover,training,labels,samples,check,validate,quality,ground truth,own model",
        summary="Shares of the classes and problems of labels, with file and feature ids, before a training.",
        help="<p>Reads all labels as a training would, and reports the share of each class and what would stop or "
        "degrade it, with file names and feature ids: classes that do not exist, labels outside of the rasters, "
        "overlaps, broken rasters, too few labels, a single class.</p>"
        "<p>The page shows each image beside its labels.</p>",
        page="training-in-qgis.md#check-labels",
    )
    REQUEST = CheckLabelsRequest

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_data_inputs(start=self.add_start)
        add_outputs(self, CheckLabelsRequest)
        self.addOutput(QgsProcessingOutputBoolean("USABLE", tr("Whether a training can start")))
        self.addOutput(QgsProcessingOutputNumber("ERRORS", tr("Number of errors")))
        self.addOutput(QgsProcessingOutputNumber("PROBLEMS", tr("Number of problems")))
        self.addOutput(QgsProcessingOutputNumber("LABEL_COUNT", tr("Number of labels")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Labelled pixels by class, as JSON")))

    def compute(
        self,
        data: LabelledData,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine and log the shares."""
        paths = destinations(self, CheckLabelsRequest, parameters, context)
        start = self.start(parameters, context)
        value = self.run_task("check_labels", data, paths, parameters, context, feedback, start=start)
        total = max(sum(value["pixels"].values()), 1)
        for name, pixels in value["pixels"].items():
            feedback.pushInfo(class_line(name, pixels=pixels, share=pixels / total))
        if value["usable"]:
            feedback.pushInfo(tr("A training can start."))
        else:
            feedback.reportError(tr("A training cannot start, see the errors above."))
        return {
            **paths,
            "USABLE": value["usable"],
            "ERRORS": len(value["errors"]),
            "PROBLEMS": len(value["problems"]),
            "LABEL_COUNT": value["labels"],
            "PIXELS": dumps(value["pixels"]),
        }
