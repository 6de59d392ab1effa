"""Base class of algorithms that write an edited copy of a classified raster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import check_destinations, check_not_input, destinations
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request, option_of
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, RecodeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours

_KINDS = {"OUTPUT": "classes", "POLYGONS": "polygons", "BUILDINGS": "buildings", "ROADS": "roads"}


class EditAlgorithm(ClassifiedRasterAlgorithm):
    """Writes an edited copy of a classified raster; subclasses set the request and take their vector layers."""

    REQUEST: ClassVar[type[CorrectionsRequest | RecodeRequest]]
    TASK: ClassVar[str]
    FIRST: ClassVar[tuple[str, ...]]
    """Options that come first in the dialog."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors: dict[str, Any] = {}
        """Files of the vector layers by option name, set in :meth:`prepareAlgorithm`."""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, self.REQUEST, first=self.FIRST)
        add_outputs(self, self.REQUEST)
        self.addOutput(QgsProcessingOutputString("CHANGES", tr("Changed pixels by pair of classes, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("CHANGED", tr("Changed pixels")))
        self.addOutput(QgsProcessingOutputNumber("UNUSED", tr("Corrections or pairs without effect")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Pixels by class, as JSON")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse formats that the engine does not write, and the input as output."""
        super().check(parameters, context)
        check_destinations(self, self.REQUEST, parameters)
        check_not_input(parameters, "OUTPUT", engine_path(self.layers(parameters, context)["INPUT"]))

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine; QGIS styles the results that it loads."""
        paths = destinations(self, self.REQUEST, parameters, context)
        request = build_request(self, self.REQUEST, parameters, context, paths, **self.inputs, **self.vectors)
        value = self.run_engine(self.TASK, request.to_json(), feedback)
        for pair, pixels in value["changes"].items():
            feedback.pushInfo(class_line(pair, pixels=pixels))
        feedback.pushInfo(
            tr(
                "{n} edits, {unused} without effect: {changed:,} px changed.",
                n=value["edits"],
                unused=value["unused"],
                changed=value["changed"],
            )
        )
        style = ResultStyle(ClassScheme.from_json(value["scheme"]), natural_colours(), self.names["input"])
        titles = {key: tr(option_of(self.REQUEST, key.lower()).option.title) for key in _KINDS}
        results = [(paths.get(key), kind, titles[key]) for key, kind in _KINDS.items()]
        style.on_load(context, results, paths["OUTPUT"])
        return {
            **paths,
            "CHANGES": dumps(value["changes"]),
            "CHANGED": value["changed"],
            "UNUSED": value["unused"],
            "AREAS": dumps(value["area_m2"] or {}),
            "PIXELS": dumps(value["pixels"]),
        }
