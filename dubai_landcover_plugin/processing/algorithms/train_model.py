"""Train Model: a model from labelled rasters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destination_text, destinations
from dubai_landcover_plugin.processing.labelled_data import LabelledAlgorithm
from dubai_landcover_plugin.processing.parameters import add_parameter, label
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.labelling import LabelledData
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.training import TrainRequest
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import available_models, free_model_path

_NAME = "own-model"
_NUMBERS = {
    "BEFORE": ("before", "Mean IoU of the start on held-out labels, 0 to 1"),
    "AFTER": ("after", "Mean IoU of the trained model on held-out labels, 0 to 1"),
    "GAIN": ("gain", "Gain in mean IoU"),
    "ERROR": ("error", "Standard error of the gain"),
    "STEPS": ("steps", "Steps done"),
    "MINUTES": ("minutes", "Time of the training, min"),
    "ESTIMATED": ("estimated", "Estimated time, min"),
}


class TrainModel(LabelledAlgorithm):
    """Trains a model, and compares it with the one that it started from."""

    INFO = AlgorithmInfo(
        name="trainmodel",
        title="Train Model",
        group="Models",
        tags="land cover,train,training,fine-tune,own model,deep learning,labels,samples,learning,AI",
        summary="Trains a model with labelled rasters and compares it with the one that it started from.",
        help="<p>Trains a model with labels of your own, best from one that is installed: a few places that are "
        "labelled completely adapt it to other ground, another sensor or season. <i>Create Label Layer</i> makes the "
        "layer and proposes places, <i>Check Labels</i> finds problems.</p>"
        "<p>Before it starts, the log says how many minutes it will take; <b>Only estimate the time</b> stops there. "
        "Part of the labels is held out. At the end the model is compared with its start on them. If it is not better, "
        "the log and the report say so, the file has the weights of the start, and your default model stays.</p>"
        "<p><b>Cancel</b> keeps the best so far. With <b>Resume</b>, the same labels and the same name, the training "
        "goes on.</p>"
        "<p>A model in the proposed folder is listed in all dialogs at once.</p>",
        page="training-in-qgis.md#train-model",
    )
    REQUEST = TrainRequest

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_data_inputs(start=self.add_start)
        for item in TrainRequest.described():
            if item.name == "output":
                self._add_output(item)
            elif item.option.writes:
                add_parameter(self, item)
        self.addOutput(QgsProcessingOutputBoolean("BETTER", tr("Whether the model is better than its start")))
        self.addOutput(QgsProcessingOutputBoolean("CANCELLED", tr("Whether the training was cancelled")))
        self.addOutput(QgsProcessingOutputString("VERDICT", tr("The comparison in words")))
        self.addOutput(QgsProcessingOutputString("CURVE", tr("Learning curve, as JSON")))
        for name, (_, title) in _NUMBERS.items():
            self.addOutput(QgsProcessingOutputNumber(name, tr(title)))

    def _add_output(self, item: Described) -> None:
        parameter = QgsProcessingParameterFileDestination(
            str(item.key), label(item), tr("Models (*.safetensors)"), defaultValue=str(free_model_path(_NAME))
        )
        add_parameter(self, item, parameter)

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse to write over a model that is installed, unless a training of it is resumed."""
        super().check(parameters, context)
        target = destination_text(parameters.get("OUTPUT"))
        taken = {os.path.realpath(path) for path in available_models().values()}
        resumes = self.parameterAsBool(parameters, "RESUME", context)
        if target and os.path.realpath(target) in taken and not resumes:
            raise RequestError(
                tr("The model {name} is installed.", name=Path(target).stem),
                tr("Choose another name for the trained model, or remove that model first."),
            )

    def compute(
        self,
        data: LabelledData,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine."""
        paths = destinations(self, TrainRequest, parameters, context)
        Path(paths["OUTPUT"]).parent.mkdir(parents=True, exist_ok=True)
        start = self.start(parameters, context)
        value = self.run_task("train_model", data, paths, parameters, context, feedback, start=start)
        results = {name: value[key] for name, (key, _) in _NUMBERS.items() if value[key] is not None}
        results |= {"CANCELLED": value["cancelled"], "VERDICT": value["verdict"], "CURVE": dumps(value["curve"])}
        if value["better"] is not None:
            results["BETTER"] = value["better"]
        if value["output"] is None:
            return results
        return {**{key: path for key, path in paths.items() if os.path.exists(path)}, **results}
