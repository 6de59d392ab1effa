"""Land Cover Report: areas of the classes of a classified raster, for the raster and for zones, as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations, is_skipped
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    build_request,
    label,
)
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.processing.vector_inputs import vector_source
from dubai_landcover_plugin.protocol.classes import DUBAI, NATURAL
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours


class LandCoverReport(ClassifiedRasterAlgorithm):
    """Counts the classes of a classified raster and writes a report."""

    INFO = AlgorithmInfo(
        name="landcoverreport",
        title="Land Cover Report",
        group="Reports",
        tags="land cover,report,area,areas,hectares,share,statistics,zonal,zones,districts,histogram,unique values,"
        "uncertainty,confidence,html,csv,print",
        summary="Areas of the classes of a classified raster, whole and by zone, with their uncertainty, as a page.",
        help="<p>Counts the classes of a classified raster and writes a page to print or share, "
        "with map, areas and charts, in one file. The same figures go into a table (CSV).</p>"
        "<p><b>Zones</b>: with a polygon layer (districts, plots, catchments), areas and shares are also given "
        "for each of its polygons. A pixel belongs to the zones that contain its centre; zones may overlap, have "
        "holes, extend beyond the raster and have another CRS. The zones can be written as a layer with a column "
        "for each class.</p>"
        "<p><b>Uncertainty</b>: with the confidence raster of the same run, the report gives for each class the "
        "mean confidence, the area that is probably wrong, and an interval of that area. Areas that a class "
        "misses are not included; they need reference points.</p>"
        "<p>Areas are on the ground, also where the raster is in degrees. A raster without a CRS is counted in "
        "pixels. Pixels without data are never counted.</p>",
        page="report.md",
    )

    def __init__(self) -> None:
        super().__init__()
        self._zones = ""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        own = {"zone_field": self._add_zone_field, "title": self._add_title, "colours": self._add_colours}
        add_inputs(self, ReportRequest, first=("input", "confidence", "zones", "zone_field"), own=own)
        add_outputs(self, ReportRequest)
        for name, text in (
            ("AREAS", tr("Areas in m² by class, as JSON; px without a CRS")),
            ("PIXELS", tr("Pixels by class, as JSON")),
            ("SHARES", tr("Shares by class, 0 to 1, as JSON")),
            ("WRONG", tr("Areas that are probably wrong, by class, as JSON")),
        ):
            self.addOutput(QgsProcessingOutputString(name, text))
        for name, text in (
            ("TOTAL_AREA", tr("Classified area in m²; px without a CRS")),
            ("VALID_PIXELS", tr("Pixels with a class")),
            ("MEAN_CONFIDENCE", tr("Mean confidence, percent")),
            ("ZONE_COUNT", tr("Number of zones")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, text))

    def _add_zone_field(self, item: Described) -> None:
        parameter = QgsProcessingParameterField(item.key, label(item), parentLayerParameterName="ZONES", optional=True)
        add_parameter(self, item, parameter)

    def _add_title(self, item: Described) -> None:
        parameter = QgsProcessingParameterString(item.key, label(item), defaultValue=tr(item.default), optional=True)
        add_parameter(self, item, parameter)

    def _add_colours(self, item: Described) -> None:
        parameter = QgsProcessingParameterBoolean(item.key, label(item), defaultValue=natural_colours())
        add_parameter(self, item, parameter)

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse a layer of zones without zones."""
        super().check(parameters, context)
        requested = not is_skipped(parameters.get("ZONES_LAYER"), context)
        if requested and parameters.get("ZONES") in (None, ""):
            raise RequestError(tr("Zones with areas were asked for, but no zones given."), tr("Choose the zones."))

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        fields = self.parameterAsFields(parameters, "ZONE_FIELD", context)
        self._zones = vector_source(self, parameters, "ZONES", context, feedback, *fields[:1])
        if parameters.get("ZONES") not in (None, "") and not self._zones:
            raise QgsProcessingException(self.invalidSourceError(parameters, "ZONES"))
        return True

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the figures."""
        paths = destinations(self, ReportRequest, parameters, context)
        fields = self.parameterAsFields(parameters, "ZONE_FIELD", context) if self._zones else []
        values = {**self.inputs, "zones": self._zones or None, "zone_field": fields[0] if fields else None}
        request = build_request(self, ReportRequest, parameters, context, paths, **values)
        value = self.run_engine("write_report", request.to_json(), feedback)
        _log_areas(value, feedback)
        style = ResultStyle(DUBAI, request.colours == NATURAL, self.names["input"])
        style.on_load(context, [(paths.get("ZONES_LAYER"), "polygons", tr("Zones with areas"))], paths["REPORT"])
        return _outputs(value, paths)


def _log_areas(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Write a table of classes into the log; the engine has logged its warnings."""
    for name, area in value["areas"].items():
        size = {"area": area} if value["unit"] == "m2" else {"pixels": round(area)}
        feedback.pushInfo(class_line(name, share=value["shares"][name], **size))


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
