"""Change Between Dates: two classified rasters in, a from–to raster, polygons, matrix and report out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import check_destinations, destinations
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.layer_styles import style_change
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request
from dubai_landcover_plugin.processing.result_layers import load_styled
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr

_CONFIDENCES = ("EARLIER_CONFIDENCE", "LATER_CONFIDENCE")


class ChangeBetweenDates(ClassifiedRasterAlgorithm):
    """Maps the change between two classified rasters."""

    INFO = AlgorithmInfo(
        name="changebetweendates",
        title="Change Between Dates",
        group="Change",
        tags="land cover,change detection,from-to,transition,change matrix,gains,losses,difference,multitemporal,"
        "compare",
        summary="Maps and measures change between two classified rasters: where, from and to which class, how much.",
        help="<p>Compares two classified rasters and maps the change from the earlier to the "
        "later date.</p>"
        "<p><b>Change</b>: GeoTIFF on the pixels of the earlier raster. 24 means from class 2 to class 4 (Land to "
        "Building), 22 that class 2 stayed; 1 is Uncertain, 0 no data. <b>Polygons</b>: each area that changed, "
        "with the class before and after, its size and, where confidence rasters are given, its mean confidence. "
        "<b>Change matrix</b>: a line for each pair of classes, CSV. <b>Report</b>: matrix, gains and losses with "
        "a chart, HTML.</p>"
        "<p>The later raster may have another CRS, resolution or extent: it is read on the pixels of the earlier "
        "one (nearest neighbour), and the common area is compared. Classes are matched by name.</p>"
        "<p>A shift between the rasters makes strips of false change along all edges. It is estimated, written to "
        "the log and the report, and corrected in whole pixels on request.</p>"
        "<p>The errors of both maps end up in the change. Use the confidence rasters and a minimum confidence to "
        "leave out pixels that either map is unsure of.</p>",
        page="change.md",
    )

    RASTERS = ("EARLIER", "LATER", *_CONFIDENCES)

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, ChangeRequest)
        add_outputs(self, ChangeRequest)
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas by transition (m², or px without a CRS), as JSON")))
        self.addOutput(QgsProcessingOutputString("CLASSES", tr("Gains and losses by class, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("CHANGED", tr("Changed area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputNumber("UNCHANGED", tr("Unchanged area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputNumber("UNCERTAIN", tr("Uncertain area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputString("SHIFT", tr("Estimated shift, as JSON; null where it is not known")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse layers that are not files, equal dates, and a minimum confidence without a confidence raster."""
        super().check(parameters, context)
        check_destinations(self, ChangeRequest, parameters)
        least = self.parameterAsDouble(parameters, "MIN_CONFIDENCE", context)
        if least > 0 and not any(parameters.get(name) for name in _CONFIDENCES):
            raise RequestError(
                tr("A minimum confidence of {value:g} needs a confidence raster.", value=least),
                tr("Give that of one date or, better, of both; or set the minimum to 0."),
            )

    def layers(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> dict[str, QgsRasterLayer]:
        """Return the rasters that are given; refuse equal dates."""
        found = super().layers(parameters, context)
        if found["EARLIER"].source() == found["LATER"].source():
            raise RequestError(tr("Both dates are the same raster."), tr("Choose two different rasters."))
        return found

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the results; QGIS styles those that it loads."""
        paths = destinations(self, ChangeRequest, parameters, context)
        request = build_request(self, ChangeRequest, parameters, context, paths, **self.inputs)
        value = self.run_engine("map_change", request.to_json(), feedback)
        _log_areas(value, feedback)
        results = [
            (paths.get("OUTPUT"), "classes", tr("Change")),
            (paths.get("POLYGONS"), "polygons", tr("Polygons of change")),
        ]
        title = f"{self.names['earlier']} → {self.names['later']}"
        load_styled(
            context, results, title, paths["OUTPUT"], lambda kind: partial(style_change, legend=value["legend"])
        )
        return {
            **paths,
            "AREAS": dumps({code["name"]: code["area"] for code in value["legend"]}),
            "CLASSES": dumps(value["classes"]),
            "CHANGED": value["changed"],
            "UNCHANGED": value["unchanged"],
            "UNCERTAIN": value["uncertain"],
            "SHIFT": dumps(value["shift"]),
        }


def _log_areas(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Write a table of the transitions and the shift into the log."""
    whole = value["compared"] or 1.0
    for code in value["legend"]:
        size = {"area": code["area"]} if value["unit"] == "m²" else {"pixels": round(code["area"])}
        feedback.pushInfo(class_line(f"{code['code']} {code['name']}", share=code["area"] / whole, **size))
    shift = value["shift"]
    if shift is not None:
        on_ground = "" if shift["metres"] is None else tr(", {metres:.2f} m", metres=shift["metres"])
        feedback.pushInfo(
            tr(
                "Shift of the later raster: {cols:+.2f} columns, {rows:+.2f} rows{on_ground}",
                cols=shift["cols"],
                rows=shift["rows"],
                on_ground=on_ground,
            )
        )
