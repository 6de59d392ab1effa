"""Draw Accuracy Sample: points of a classified raster, to be labelled in QGIS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import HELP_URL, tr
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.layer_styles import style_on_load
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.assessment import (
    ALLOCATIONS,
    MOST_POINTS,
    AccuracySampleRequest,
    expected_accuracies,
)
from dubai_landcover_plugin.protocol.requests.request import dumps

ACCURACY_HELP_URL = HELP_URL.replace("qgis.md", "accuracy.md")
_INTEGER = QgsProcessingParameterNumber.Type.Integer
_DOUBLE = QgsProcessingParameterNumber.Type.Double


class AccuracySample(ClassifiedRasterAlgorithm):
    """Draws a stratified random sample of a classified raster."""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "accuracysample"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Draw Accuracy Sample")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Accuracy")

    def groupId(self) -> str:
        """Return the group's id."""
        return "accuracy"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "accuracy,validation,ground truth,sample,stratified,random points,reference,Olofsson,Cochran,land cover"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Draws random points from each class of a classified raster, to be labelled by eye.")

    def helpUrl(self) -> str:
        """Return the page that explains assessments."""
        return ACCURACY_HELP_URL

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>The first of two steps to find out how right a map is. Points are drawn at random from each class of a "
            "raster made by <i>Segment Land Cover</i>, at the centres of pixels.</p>"
            "<p>Then label them: put the layer over an image, start editing, and choose the class that you see at each "
            "point from the list in the form. The form does not show the class of the map, and the points are in "
            "random order, so that you judge without knowing it. Choose Unlabeled where nobody can tell. Save the "
            "edits.</p>"
            "<p><i>Accuracy Assessment</i> then gives accuracy and areas with intervals. Do not add points by hand, "
            "and do not move or choose among those that were drawn: the figures rest on chance.</p>"
            "<p>The number of points follows from the standard error that you want (Cochran's formula, after Olofsson "
            "et al. 2014, doi:10.1016/j.rse.2014.02.015): 0.02 gives an interval of about ± 4 %.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_classified()
        self._add_size()
        self._add_allocation()
        self.add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", tr("Points to label"), QgsProcessing.SourceType.TypeVectorPoint
            ),
            tr("A point layer with a form for labelling; a GeoPackage keeps the form inside."),
        )
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of points")))
        self.addOutput(QgsProcessingOutputString("POINTS", tr("Points by class, as JSON")))

    def _add_size(self) -> None:
        defaults = AccuracySampleRequest
        self.add(
            _number("STANDARD_ERROR", tr("Standard error of overall accuracy"), _DOUBLE, 1e-4, 0.5,
                    defaults.standard_error),
            tr(
                "How exact overall accuracy is to be. Half an interval of 95 % is about twice as wide. Half the "
                "standard error needs four times as many points."
            ),
        )  # fmt: skip
        self.add(
            _number("EXPECTED_ACCURACY", tr("User's accuracy to be expected"), _DOUBLE, 0, 1,
                    defaults.expected_accuracy),
            tr("A guess of how often the map is right, 0 to 1. Nearer to 0.5 gives more points."),
        )  # fmt: skip
        self.add(
            QgsProcessingParameterString("EXPECTED", tr("The same for single classes"), optional=True),
            tr("Classes by name or id, separated by semicolons, for example Road=0.6; Building=0.7."),
            advanced=True,
        )
        self.add(
            _number("SIZE", tr("Number of points"), _INTEGER, 2, MOST_POINTS),
            tr("How many points to draw, whatever standard error they give. Empty computes the number."),
            advanced=True,
        )

    def _add_allocation(self) -> None:
        defaults = AccuracySampleRequest
        self.add(
            QgsProcessingParameterEnum(
                "ALLOCATION",
                tr("Allocation to classes"),
                options=list(ALLOCATIONS),
                defaultValue=defaults.allocation,
                usesStaticStrings=True,
            ),
            tr(
                "minimum: rare classes get the fewest set below, the others share the rest by their area. "
                "proportional: by area alone, best for overall accuracy. equal: the same for each, best for user's "
                "accuracy."
            ),
        )
        self.add(
            _number("MIN_PER_CLASS", tr("Fewest points of a class"), _INTEGER, 2, MOST_POINTS, defaults.min_per_class),
            tr("Used by the allocation 'minimum'. 50 to 100 give usable figures for rare classes."),
        )
        self.add(
            _number("SEED", tr("Seed"), _INTEGER, 0, 2**31 - 1, defaults.seed),
            tr("The same seed and raster give the same points."),
            advanced=True,
        )

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            self._expected(parameters, context)
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and tell how many points each class got."""
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        try:
            request = AccuracySampleRequest(
                input=self._input,
                output=os.path.abspath(output),
                standard_error=self.parameterAsDouble(parameters, "STANDARD_ERROR", context),
                expected=self._expected(parameters, context),
                expected_accuracy=self.parameterAsDouble(parameters, "EXPECTED_ACCURACY", context),
                size=self._size(parameters, context),
                allocation=self.parameterAsEnumString(parameters, "ALLOCATION", context),
                min_per_class=self.parameterAsInt(parameters, "MIN_PER_CLASS", context),
                seed=self.parameterAsInt(parameters, "SEED", context),
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("draw_accuracy_sample", request.to_json(), feedback)
        total = sum(value["pixels"].values())
        for name, points in value["points"].items():
            share = 100 * value["pixels"][name] / total
            feedback.pushInfo(
                tr("{name}: {points} points, {share:.1f} % of the map").format(name=name, points=points, share=share)
            )
        title = tr("Points to label")
        style_on_load(context, output, title, f"{title}: {Path(self._input).stem}")
        return {"OUTPUT": output, "COUNT": value["size"], "POINTS": dumps(value["points"])}

    def _size(self, parameters: dict[str, Any], context: QgsProcessingContext) -> int | None:
        return None if parameters.get("SIZE") is None else self.parameterAsInt(parameters, "SIZE", context)

    def _expected(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, float]:
        text = self.parameterAsString(parameters, "EXPECTED", context)
        return expected_accuracies(part.strip() for part in text.split(";") if part.strip())


def _number(
    name: str, title: str, kind: Any, low: float, high: float, default: float | None = None
) -> QgsProcessingParameterNumber:
    return QgsProcessingParameterNumber(
        name, title, kind, defaultValue=default, optional=default is None, minValue=low, maxValue=high
    )
