"""Accuracy Assessment: a classified raster against labelled points, polygons or a raster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    build_request,
    label,
)
from dubai_landcover_plugin.processing.vector_inputs import check_saved, vector_source
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.assessment import REFERENCE_FIELD, AccuracyRequest
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr


class AccuracyAssessment(ClassifiedRasterAlgorithm):
    """Compares a classified raster with a reference."""

    INFO = AlgorithmInfo(
        name="accuracyassessment",
        title="Accuracy Assessment",
        group="Accuracy",
        tags="accuracy,validation,ground truth,confusion matrix,error matrix,user's accuracy,producer's accuracy,"
        "overall accuracy,kappa,area estimate,confidence interval,Olofsson,land cover",
        summary="Confusion matrix, user's, producer's and overall accuracy and areas of a raster, with intervals.",
        help="<p>Compares a classified raster with a reference:</p>"
        "<ul><li><b>Labelled points</b> of <i>Draw Accuracy Sample</i>, or another random sample: accuracy and "
        "areas are estimated with 95 % intervals (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015). Areas are "
        "corrected for the errors of the map. Points that were drawn from another map of the same place may be "
        "used again.</li>"
        "<li><b>Polygons</b> with a class: their pixels are counted. Intervals come from the variation between "
        "polygons and are valid only if the polygons are a random sample.</li>"
        "<li><b>A raster</b> of class ids: pixels are counted, there are no intervals. A raster on another grid "
        "is resampled by nearest neighbour.</li></ul>"
        "<p>Classes are given by name or id; case does not matter. References without a class are left out; their "
        "number is reported. Unlabeled on the map counts as wrong.</p>",
        page="accuracy.md#3-assess",
    )

    RASTERS = ("INPUT", "REFERENCE_RASTER")
    _reference = ""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        own = {"reference": self._add_references, "field": self._add_field}
        add_inputs(self, AccuracyRequest, first=("input", "reference", "field"), own=own)
        self.add(
            QgsProcessingParameterRasterLayer("REFERENCE_RASTER", tr("Reference raster"), optional=True),
            tr(
                "A raster of class ids, instead of points or polygons. Only the pixels with data in both rasters are "
                "compared."
            ),
        )
        add_outputs(self, AccuracyRequest)
        self.addOutput(QgsProcessingOutputNumber("OVERALL_ACCURACY", tr("Overall accuracy, 0 to 1")))
        self.addOutput(QgsProcessingOutputNumber("OVERALL_MARGIN", tr("Half its 95 % interval")))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Points used, or pixels compared")))
        self.addOutput(QgsProcessingOutputString("USERS_ACCURACY", tr("User's accuracy by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PRODUCERS_ACCURACY", tr("Producer's accuracy by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas on the ground by class, m² or px, as JSON")))
        self.addOutput(QgsProcessingOutputString("CONFUSION", tr("Confusion matrix, rows the map, as JSON")))

    def _add_references(self, item: Described) -> None:
        kinds = QgsProcessing.SourceType
        self.add(
            QgsProcessingParameterFeatureSource(
                item.key,
                tr("Labelled points or polygons"),
                [kinds.TypeVectorPoint, kinds.TypeVectorPolygon],
                optional=True,
            ),
            tr("The classes on the ground. Save edits first. Give this or a reference raster."),
        )

    def _add_field(self, item: Described) -> None:
        parameter = QgsProcessingParameterField(
            item.key,
            label(item),
            defaultValue=item.default,
            parentLayerParameterName="REFERENCE",
            optional=True,
        )
        add_parameter(self, item, parameter)

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse layers that are not files, unsaved edits, and no or two references."""
        super().check(parameters, context)
        given = [name for name in ("REFERENCE", "REFERENCE_RASTER") if parameters.get(name)]
        if len(given) != 1:
            raise RequestError(
                tr("{count} references are given.", count=len(given)),
                tr("Give either labelled points or polygons, or a reference raster."),
            )
        check_saved(parameters.get("REFERENCE"), context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        if not parameters.get("REFERENCE_RASTER"):
            field = self.parameterAsString(parameters, "FIELD", context)
            self._reference = vector_source(self, parameters, "REFERENCE", context, feedback, field)
            if not self._reference:
                raise QgsProcessingException(self.invalidSourceError(parameters, "REFERENCE"))
        return True

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and log the figures."""
        paths = destinations(self, AccuracyRequest, parameters, context)
        field = self.parameterAsString(parameters, "FIELD", context) or REFERENCE_FIELD
        reference = self.inputs.get("reference_raster", self._reference)
        values = {"input": self.inputs["input"], "reference": reference, "field": field}
        request = build_request(self, AccuracyRequest, parameters, context, paths, **values)
        value = self.run_engine("assess_accuracy", request.to_json(), feedback)
        _log_figures(value, feedback)
        return {**paths, **_outputs(value)}


def _log_figures(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Show the figures in the log."""
    feedback.pushInfo(tr("Overall accuracy: {figure}", figure=_percent(value["overall"])))
    for name, figures in value["classes"].items():
        feedback.pushInfo(
            tr(
                "{name}: user's accuracy {users}, producer's accuracy {producers}",
                name=name,
                users=_percent(figures["users"]),
                producers=_percent(figures["producers"]),
            )
        )


def _percent(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    margin = "" if figure["margin"] is None else f" ± {100 * figure['margin']:.1f}"
    return f"{100 * figure['value']:.1f}{margin} %"


def _outputs(value: dict[str, Any]) -> dict[str, Any]:
    """Return the figures for models; those that are not defined are left out or null."""
    found: dict[str, Any] = {
        "COUNT": value["facts"]["points" if value["kind"] == "points" else "pixels"],
        "CONFUSION": dumps(value["confusion"]),
    }
    for key, number in (("OVERALL_ACCURACY", "value"), ("OVERALL_MARGIN", "margin")):
        if value["overall"][number] is not None:
            found[key] = value["overall"][number]
    for key, figure in (("USERS_ACCURACY", "users"), ("PRODUCERS_ACCURACY", "producers"), ("AREAS", "area")):
        found[key] = dumps({name: of_class[figure] for name, of_class in value["classes"].items()})
    return found
