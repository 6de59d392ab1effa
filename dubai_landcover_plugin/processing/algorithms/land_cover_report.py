"""Land Cover Report: areas of the classes of a classified raster, for the raster and for zones, as a page."""

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
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.inputs import vector_source
from dubai_landcover_plugin.processing.layer_styles import ResultStyle
from dubai_landcover_plugin.processing.segment_request import is_skipped
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.runner.settings import natural_colours


class LandCoverReport(ClassifiedRasterAlgorithm):
    """Counts the classes of a classified raster and writes a report."""

    def __init__(self) -> None:
        super().__init__()
        self._zones = ""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "landcoverreport"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Land Cover Report")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Reports")

    def groupId(self) -> str:
        """Return the group's id."""
        return "reports"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "land cover,report,area,areas,hectares,share,statistics,zonal,zones,districts,histogram,unique values,"
            "uncertainty,confidence,html,csv,print"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Areas of the classes of a classified raster, whole and by zone, with their uncertainty, as a page.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Counts the classes of a raster made by <i>Segment Land Cover</i> and writes a page to print or hand "
            "on, with map, areas and charts, in one file. The same figures go into a table (CSV).</p>"
            "<p><b>Zones</b>: with a polygon layer (districts, plots, catchments), areas and shares are also given for "
            "each of its polygons. A pixel counts where its centre lies; zones may overlap, have holes, reach out of "
            "the raster and have another CRS. The zones can be written as a layer with a column for each class.</p>"
            "<p><b>Uncertainty</b>: with the confidence raster of the same run, the report tells for each class how "
            "sure the model was, which area is probably wrong, and how far that figure may be off. It tells nothing "
            "of what a class misses; for that, reference points are needed.</p>"
            "<p>Areas are on the ground, also where the raster is in degrees. A raster without a CRS is counted in "
            "pixels. Pixels without data are never counted.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_classified()
        self.add_confidence()
        self.add(
            QgsProcessingParameterFeatureSource(
                "ZONES", tr("Zones"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            tr("Polygons to report one by one, in any CRS. Empty reports the raster as a whole."),
        )
        self.add(
            QgsProcessingParameterField(
                "ZONE_FIELD", tr("Zone name field"), parentLayerParameterName="ZONES", optional=True
            ),
            tr("The attribute with the names of the zones. Empty numbers them."),
        )
        self.add(
            QgsProcessingParameterString("TITLE", tr("Title"), defaultValue=ReportRequest.title, optional=True),
            tr("The heading of the page."),
        )
        self.add(
            QgsProcessingParameterBoolean(
                "NATURAL_COLOURS", tr("Natural colours"), defaultValue=natural_colours(), optional=True
            ),
            tr("Draw water blue, vegetation green and so on, not in the colours of the dataset."),
            advanced=True,
        )
        self._add_outputs()

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("HTML files (*.html)")),
            tr("The page. Print it from a browser to get a PDF."),
        )
        self.add(
            QgsProcessingParameterFileDestination("CSV", tr("Table"), tr("CSV files (*.csv)"), optional=True),
            tr("One row for each class of each zone; zone 0 is the whole raster."),
            created=False,
        )
        self.add(
            QgsProcessingParameterVectorDestination(
                "ZONES_LAYER", tr("Zones with areas"), QgsProcessing.SourceType.TypeVectorPolygon, optional=True
            ),
            tr("A copy of the zones with area and share (percent) of each class, to map or to join."),
            created=False,
        )
        for name, told in (
            ("AREAS", tr("Areas in m² by class, as JSON; px without a CRS")),
            ("PIXELS", tr("Pixels by class, as JSON")),
            ("SHARES", tr("Shares by class, 0 to 1, as JSON")),
            ("WRONG", tr("Areas that are probably wrong, by class, as JSON")),
        ):
            self.addOutput(QgsProcessingOutputString(name, told))
        for name, told in (
            ("TOTAL_AREA", tr("Classified area in m²; px without a CRS")),
            ("VALID_PIXELS", tr("Pixels with a class")),
            ("MEAN_CONFIDENCE", tr("Mean confidence, percent")),
            ("ZONE_COUNT", tr("Number of zones")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, told))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            wanted = not is_skipped(parameters.get("ZONES_LAYER"), context)
            if wanted and parameters.get("ZONES") in (None, ""):
                raise RequestError(tr("Zones with areas were asked for, but no zones given."), tr("Choose the zones."))
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        self._zones = vector_source(self, parameters, "ZONES", context, feedback)
        if parameters.get("ZONES") not in (None, "") and not self._zones:
            raise QgsProcessingException(self.invalidSourceError(parameters, "ZONES"))
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the figures."""
        paths = self._destinations(parameters, context)
        absolute = {name: os.path.abspath(path) for name, path in paths.items()}
        natural = self.parameterAsBool(parameters, "NATURAL_COLOURS", context)
        fields = self.parameterAsFields(parameters, "ZONE_FIELD", context) if self._zones else []
        try:
            request = ReportRequest(
                input=self._input,
                report=absolute["REPORT"],
                csv=absolute.get("CSV"),
                zones=self._zones or None,
                zone_field=fields[0] if fields else None,
                zones_layer=absolute.get("ZONES_LAYER"),
                confidence=self._confidence,
                title=self.parameterAsString(parameters, "TITLE", context),
                natural_colours=natural,
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("write_report", request.to_json(), feedback)
        _tell(value, feedback)
        style = ResultStyle(DUBAI, natural, Path(self._input).stem)
        style.on_load(context, paths.get("ZONES_LAYER"), "polygons", tr("Zones with areas"))
        return _outputs(value, paths)

    def _destinations(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """Return the wanted outputs. Ask once: each call makes new temporary names."""
        found = {name: self.parameterAsFileOutput(parameters, name, context) for name in ("REPORT", "CSV")}
        if not is_skipped(parameters.get("ZONES_LAYER"), context):
            found["ZONES_LAYER"] = self.parameterAsOutputLayer(parameters, "ZONES_LAYER", context)
        return {name: path for name, path in found.items() if path}


def _tell(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Write a table of classes into the log; the engine has told its warnings already."""
    metres = value["unit"] == "m2"
    for name, area in value["areas"].items():
        told = f"{area / 1e4:14,.2f} ha" if metres else f"{area:14,.0f} px"
        feedback.pushInfo(f"{name:<12} {told} {100 * value['shares'][name]:6.2f} %")


def _outputs(value: dict[str, Any], paths: dict[str, str]) -> dict[str, Any]:
    """Return the results that QGIS, models and scripts see."""
    results = {
        **paths,
        **{name.upper(): dumps(value[name]) for name in ("areas", "pixels", "shares", "wrong")},
        "TOTAL_AREA": value["total_area"],
        "VALID_PIXELS": value["valid_pixels"],
        "ZONE_COUNT": value["zones"],
    }
    if value["mean_confidence"] is not None:
        results["MEAN_CONFIDENCE"] = value["mean_confidence"]
    return results
