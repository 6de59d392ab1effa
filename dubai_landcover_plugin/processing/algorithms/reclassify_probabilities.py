"""Reclassify Probabilities: the probabilities of a run in, other classes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import check_destinations, check_not_input, destinations
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request, option_of
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours

_KINDS = {
    "OUTPUT": "classes", "CONFIDENCE": "confidence", "UNCERTAINTY": "uncertainty", "POLYGONS": "polygons",
    "BUILDINGS": "buildings", "ROADS": "roads",
}  # fmt: skip


class ReclassifyProbabilities(LandCoverAlgorithm):
    """Applies weights and thresholds of classes to the probabilities of a run."""

    INFO = AlgorithmInfo(
        name="reclassifyprobabilities",
        title="Reclassify Probabilities",
        group="Segmentation",
        tags="land cover,probability,threshold,weight,reclassify,entropy,margin,uncertainty,ensemble,average,models",
        summary="Makes other classes of the probabilities of a run, with weights and thresholds, in seconds.",
        help="<p>Takes the raster <b>Probabilities</b> of <i>Segment Land Cover</i> and classifies it anew, without "
        "running the model again.</p>"
        "<p><b>Weights of classes</b>: <i>Building=1.5;Road=0.8</i> gives more buildings and fewer roads. "
        "<b>Minimum probabilities</b>: <i>Building=0.6</i> takes only buildings that are likely; other pixels take the "
        "most probable of the remaining classes, or become Unlabeled.</p>"
        "<p><b>Average with</b>: probability rasters of other models over the same image; their mean is "
        "classified.</p>"
        "<p><b>Land cover</b>: GeoTIFF with the classes and colours of the run; its tags record the run, weights and "
        "thresholds. <b>Uncertainty</b>: margin or entropy of each pixel, 0 where the model is certain.</p>",
        page="probabilities.md#reclassify",
    )

    def __init__(self) -> None:
        super().__init__()
        self._paths: dict[str, Any] = {}

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, ReclassifyRequest, first=("input", "weights", "minimums"))
        add_outputs(self, ReclassifyRequest)
        self.addOutput(QgsProcessingOutputString("CHANGES", tr("Changed pixels by pair of classes, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("CHANGED", tr("Changed pixels")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Pixels by class, as JSON")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse formats that the engine does not write, layers that it cannot read, and an input as output."""
        super().check(parameters, context)
        check_destinations(self, ReclassifyRequest, parameters)
        rasters = self._rasters(parameters, context)
        for path in (rasters["input"], *rasters["average"]):
            check_not_input(parameters, "OUTPUT", path)

    def _rasters(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Return the files of the rasters by option name.

        Raises:
            RequestError: if a layer is missing or has no file.
        """
        first = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if first is None or not first.isValid():
            raise RequestError(self.invalidRasterError(parameters, "INPUT"))
        paths = []
        for layer in [first, *self.parameterAsLayerList(parameters, "AVERAGE", context)]:
            path = engine_path(layer)
            if not path:
                raise RequestError(
                    tr("The layer '{name}' is not a file of probabilities.", name=layer.name()),
                    tr("Choose the raster of probabilities that Segment Land Cover has written."),
                )
            paths.append(path)
        return {"input": paths[0], "average": tuple(paths[1:])}

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        try:
            self._paths = self._rasters(parameters, context)
        except RequestError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine; QGIS styles the results that it loads."""
        paths = destinations(self, ReclassifyRequest, parameters, context)
        request = build_request(self, ReclassifyRequest, parameters, context, paths, **self._paths)
        value = self.run_engine("reclassify_probabilities", request.to_json(), feedback)
        for pair, pixels in value["changes"].items():
            feedback.pushInfo(class_line(pair, pixels=pixels))
        style = ResultStyle(ClassScheme.from_json(value["scheme"]), natural_colours(), Path(request.input).stem)
        titles = {key: tr(option_of(ReclassifyRequest, key.lower()).option.title) for key in _KINDS}
        results = [(paths.get(key), kind, titles[key]) for key, kind in _KINDS.items()]
        style.on_load(context, results, paths["OUTPUT"])
        return {
            **paths,
            "CHANGES": dumps(value["changes"]),
            "CHANGED": value["changed"],
            "AREAS": dumps(value["area_m2"] or {}),
            "PIXELS": dumps(value["pixels"]),
        }
