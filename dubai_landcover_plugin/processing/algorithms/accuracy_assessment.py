"""Accuracy Assessment: a classified raster against labelled points, polygons or a raster."""

from __future__ import annotations

import os
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
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.algorithms.accuracy_sample import ACCURACY_HELP_URL
from dubai_landcover_plugin.processing.inputs import check_saved, raster_path, vector_source
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.assessment import REFERENCE_FIELD, AccuracyRequest
from dubai_landcover_plugin.protocol.requests.request import dumps


class AccuracyAssessment(LandCoverAlgorithm):
    """Tells how right a classified raster is."""

    _input = ""
    _reference = ""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "accuracyassessment"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Accuracy Assessment")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Accuracy")

    def groupId(self) -> str:
        """Return the group's id."""
        return "accuracy"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "accuracy,validation,ground truth,confusion matrix,error matrix,user's accuracy,producer's accuracy,"
            "overall accuracy,kappa,area estimate,confidence interval,Olofsson,land cover"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Confusion matrix, user's, producer's and overall accuracy and areas of a raster, with intervals.")

    def helpUrl(self) -> str:
        """Return the page that explains assessments."""
        return ACCURACY_HELP_URL

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Compares a raster made by <i>Segment Land Cover</i> with a reference:</p>"
            "<ul><li><b>Labelled points</b> of <i>Draw Accuracy Sample</i>, or another random sample: accuracy and "
            "areas are estimated with 95 % intervals (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015). Areas are "
            "corrected for the errors of the map. Points that were drawn from another map of the same place may be "
            "used again.</li>"
            "<li><b>Polygons</b> with a class: their pixels are counted. Intervals come from polygon to polygon and "
            "hold only if the polygons are a random sample.</li>"
            "<li><b>A raster</b> of class ids: pixels are counted, there are no intervals. One on other pixels is "
            "brought over by the nearest neighbour.</li></ul>"
            "<p>Classes are given by name or id; case does not count. What has no class is left out and counted; "
            "Unlabeled on the map counts as wrong.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add(
            QgsProcessingParameterRasterLayer("INPUT", tr("Classified raster")),
            tr("A raster of class ids, as Segment Land Cover makes it."),
        )
        self.add(
            QgsProcessingParameterFeatureSource(
                "REFERENCE",
                tr("Labelled points or polygons"),
                [QgsProcessing.SourceType.TypeVectorPoint, QgsProcessing.SourceType.TypeVectorPolygon],
                optional=True,
            ),
            tr("What is on the ground. Save edits first. Give this or a reference raster."),
        )
        self.add(
            QgsProcessingParameterField(
                "FIELD",
                tr("Field with the class"),
                defaultValue=REFERENCE_FIELD,
                parentLayerParameterName="REFERENCE",
                optional=True,
            ),
            tr("Name or id of the class of each point or polygon; empty means not labelled."),
        )
        self.add(
            QgsProcessingParameterRasterLayer("REFERENCE_RASTER", tr("Reference raster"), optional=True),
            tr("A raster of class ids, instead of points or polygons. Only the pixels that both have are compared."),
        )
        self._add_outputs()

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("Web page (*.html)"), optional=True),
            tr("A page with accuracy, areas, confusion matrix, warnings and method."),
        )
        self.add(
            QgsProcessingParameterFileDestination("TABLE", tr("Table"), tr("CSV (*.csv)"), optional=True),
            tr("The figures as CSV: a row for each class, with its row of the confusion matrix."),
            created=False,
        )
        self.addOutput(QgsProcessingOutputNumber("OVERALL_ACCURACY", tr("Overall accuracy, 0 to 1")))
        self.addOutput(QgsProcessingOutputNumber("OVERALL_MARGIN", tr("Half its 95 % interval")))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Points used, or pixels compared")))
        self.addOutput(QgsProcessingOutputString("USERS_ACCURACY", tr("User's accuracy by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PRODUCERS_ACCURACY", tr("Producer's accuracy by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas on the ground by class, m² or px, as JSON")))
        self.addOutput(QgsProcessingOutputString("CONFUSION", tr("Confusion matrix, rows the map, as JSON")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            raster_path(self, parameters, "INPUT", context)
            given = [name for name in ("REFERENCE", "REFERENCE_RASTER") if parameters.get(name)]
            if len(given) != 1:
                raise RequestError(
                    tr("{count} references are given.").format(count=len(given)),
                    tr("Give either labelled points or polygons, or a reference raster."),
                )
            raster_path(self, parameters, "REFERENCE_RASTER", context)
            check_saved(parameters.get("REFERENCE"), context)
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        try:
            self._input = raster_path(self, parameters, "INPUT", context)
            self._reference = raster_path(self, parameters, "REFERENCE_RASTER", context)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        if not self._reference:
            self._reference = vector_source(self, parameters, "REFERENCE", context, feedback)
            if not self._reference:
                raise QgsProcessingException(self.invalidSourceError(parameters, "REFERENCE"))
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and tell the figures."""
        report = self.parameterAsFileOutput(parameters, "REPORT", context)
        table = self.parameterAsFileOutput(parameters, "TABLE", context)
        try:
            request = AccuracyRequest(
                input=self._input,
                reference=self._reference,
                field=self.parameterAsString(parameters, "FIELD", context) or REFERENCE_FIELD,
                report=os.path.abspath(report) if report else None,
                table=os.path.abspath(table) if table else None,
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("assess_accuracy", request.to_json(), feedback)
        _tell(value, feedback)
        paths = {name: path for name, path in (("REPORT", report), ("TABLE", table)) if path}
        return {**paths, **_outputs(value)}


def _tell(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Show the figures in the log."""
    feedback.pushInfo(tr("Overall accuracy: {figure}").format(figure=_percent(value["overall"])))
    for name, figures in value["classes"].items():
        feedback.pushInfo(
            tr("{name}: user's accuracy {users}, producer's accuracy {producers}").format(
                name=name, users=_percent(figures["users"]), producers=_percent(figures["producers"])
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
