"""Change Between Dates: two classified rasters in, a from–to raster, polygons, matrix and report out."""

from __future__ import annotations

import os
from functools import partial
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
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
    QgsRasterLayer,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.classified_raster import check_is_file
from dubai_landcover_plugin.processing.inputs import engine_path
from dubai_landcover_plugin.processing.layer_styles import style_change, style_on_load
from dubai_landcover_plugin.processing.parameters import number_parameter
from dubai_landcover_plugin.processing.segment_request import destination_text, is_skipped
from dubai_landcover_plugin.protocol.errors import LandCoverError, RequestError
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps

_MAPS = ("EARLIER", "LATER")
_CONFIDENCES = ("EARLIER_CONFIDENCE", "LATER_CONFIDENCE")
_DOUBLE = QgsProcessingParameterNumber.Type.Double


class ChangeBetweenDates(LandCoverAlgorithm):
    """Compares two classified rasters."""

    def __init__(self) -> None:
        super().__init__()
        self._inputs: dict[str, str] = {}
        self._overridden: list[str] = []

    def name(self) -> str:
        """Return the algorithm's id."""
        return "changebetweendates"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Change Between Dates")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Change")

    def groupId(self) -> str:
        """Return the group's id."""
        return "change"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "land cover,change detection,from-to,transition,change matrix,gains,losses,difference,multitemporal,compare"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Tells what changed between two classified rasters: where, from what to what, and how much.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Compares two rasters made by <i>Segment Land Cover</i> and tells what changed from the earlier to the "
            "later date.</p>"
            "<p><b>Change</b>: GeoTIFF on the pixels of the earlier raster. 24 means from class 2 to class 4 (Land to "
            "Building), 22 that class 2 stayed; 1 is Uncertain, 0 no data. <b>Polygons</b>: each area that changed, "
            "with the class before and after, its size and, where confidence rasters are given, its mean confidence. "
            "<b>Change matrix</b>: a line for each pair of classes, CSV. <b>Report</b>: matrix, gains and losses with "
            "a chart, HTML.</p>"
            "<p>The later raster may have another CRS, resolution or extent: it is read on the pixels of the earlier "
            "one (nearest neighbour), and the common area is compared. Classes are matched by name.</p>"
            "<p>A shift between the rasters makes strips of false change along all edges. It is estimated, told in "
            "the log and the report, and, if wanted, corrected in whole pixels.</p>"
            "<p>The errors of both maps end up in the change. Use the confidence rasters and a minimum confidence to "
            "leave out what either map is unsure of.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add(
            QgsProcessingParameterRasterLayer("EARLIER", tr("Classified raster, earlier date")),
            tr("Made by Segment Land Cover. The result has its pixels."),
        )
        self.add(
            QgsProcessingParameterRasterLayer("LATER", tr("Classified raster, later date")),
            tr("Made by Segment Land Cover, best with the same model."),
        )
        self.add(
            QgsProcessingParameterRasterLayer(
                "EARLIER_CONFIDENCE", tr("Confidence raster, earlier date"), optional=True
            ),
            tr("In percent, made together with the classified raster of the earlier date."),
        )
        self.add(
            QgsProcessingParameterRasterLayer("LATER_CONFIDENCE", tr("Confidence raster, later date"), optional=True),
            tr("In percent, made together with the classified raster of the later date."),
        )
        self.add(
            number_parameter("MIN_CONFIDENCE", tr("Minimum confidence"), _DOUBLE, 0.0, 1.0, 0.0),
            tr(
                "Pixels that are less sure than this in either date become Uncertain and count as no change. Needs a "
                "confidence raster. 0 takes every pixel."
            ),
        )
        self.add(
            number_parameter(
                "MIN_AREA", tr("Smallest polygon of change (m²)"), _DOUBLE, 0.0, default=ChangeRequest.min_area
            ),
            tr(
                "Smaller polygons are left out; raster, matrix and report count every pixel. In pixels where the "
                "rasters have no CRS."
            ),
        )
        self.add(
            QgsProcessingParameterBoolean("CORRECT_SHIFT", tr("Correct the shift"), defaultValue=False),
            tr("Move the later raster by the estimated shift, rounded to whole pixels, before comparing."),
        )
        self._add_destinations()

    def _add_destinations(self) -> None:
        self.add(
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Change")),
            tr("The from–to raster, a GeoTIFF with colours and names."),
        )
        self.add(
            QgsProcessingParameterVectorDestination(
                "POLYGONS", tr("Polygons of change"), QgsProcessing.SourceType.TypeVectorPolygon, optional=True
            ),
            tr("The areas that changed: GeoPackage, shapefile, GeoJSON or FlatGeobuf."),
        )
        self.add(
            QgsProcessingParameterFileDestination("CSV", tr("Change matrix"), tr("CSV files (*.csv)"), optional=True),
            tr("Pixels and area of each pair of classes, as a table."),
            created=False,
        )
        self.add(
            QgsProcessingParameterFileDestination("REPORT", tr("Report"), tr("HTML files (*.html)"), optional=True),
            tr("Change matrix, gains and losses with a chart, and the shift, as a web page."),
            created=False,
        )
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas by transition (m², or px without a CRS), as JSON")))
        self.addOutput(QgsProcessingOutputString("CLASSES", tr("Gains and losses by class, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("CHANGED", tr("Changed area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputNumber("UNCHANGED", tr("Unchanged area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputNumber("UNCERTAIN", tr("Uncertain area (m², or px without a CRS)")))
        self.addOutput(QgsProcessingOutputString("SHIFT", tr("Estimated shift, as JSON; null where it is not known")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            self._check_layers(parameters, context)
            self._check_formats(parameters)
            least = self.parameterAsDouble(parameters, "MIN_CONFIDENCE", context)
            if least > 0 and not any(parameters.get(name) for name in _CONFIDENCES):
                raise RequestError(
                    tr("A minimum confidence of {value:g} needs a confidence raster.").format(value=least),
                    tr("Give that of one date or, better, of both; or set the minimum to 0."),
                )
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def _check_layers(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        paths = []
        for name in (*_MAPS, *_CONFIDENCES):
            layer = self._layer(parameters, name, context)
            if layer is None:
                continue
            check_is_file(layer)
            paths.append(engine_path(layer))
        if len(paths) > 1 and paths[0] == paths[1]:
            raise RequestError(tr("Both dates are the same raster."), tr("Choose two different rasters."))

    def _check_formats(self, parameters: dict[str, Any]) -> None:
        provider = self.provider()
        rasters = provider.supportedOutputRasterLayerExtensions()
        vectors = provider.supportedOutputVectorLayerExtensions()
        for name, allowed in {"OUTPUT": rasters, "POLYGONS": vectors}.items():
            target = destination_text(parameters.get(name))
            if target and target != QgsProcessing.TEMPORARY_OUTPUT and Path(target).suffix.lower()[1:] not in allowed:
                raise RequestError(
                    tr("{name} cannot be written to '{target}'.").format(name=name, target=target),
                    tr("Choose a file that ends in {suffixes}.").format(suffixes=", ".join(f".{s}" for s in allowed)),
                )

    def _layer(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> QgsRasterLayer | None:
        """Return the layer of a parameter; None where none is given or it is broken."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        return layer if layer is not None and layer.isValid() else None

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        for name in (*_MAPS, *_CONFIDENCES):
            layer = self._layer(parameters, name, context)
            if layer is None:
                if name in _MAPS or parameters.get(name):
                    raise QgsProcessingException(self.invalidRasterError(parameters, name))
                continue
            self._inputs[name] = engine_path(layer)
            if layer.crs().isValid() and layer.crs() != layer.dataProvider().crs():
                self._overridden.append(layer.name())
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the results; QGIS styles those that it loads."""
        for name in self._overridden:
            feedback.pushWarning(tr("The file's own CRS is used for '{name}', not the layer's.").format(name=name))
        paths = self._destinations(parameters, context)
        try:
            request = self._request(parameters, context, paths)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("map_change", request.to_json(), feedback)
        _tell(value, feedback)
        title = f"{Path(self._inputs['EARLIER']).stem} → {Path(self._inputs['LATER']).stem}"
        style = partial(style_change, legend=value["legend"])
        for key, kind, name in (
            ("OUTPUT", "classes", tr("Change")),
            ("POLYGONS", "polygons", tr("Polygons of change")),
        ):
            style_on_load(context, paths.get(key), name, f"{name}: {title}", style, kind, paths["OUTPUT"])
        return {
            **paths,
            "AREAS": dumps({code["name"]: code["area"] for code in value["legend"]}),
            "CLASSES": dumps(value["classes"]),
            "CHANGED": value["changed"],
            "UNCHANGED": value["unchanged"],
            "UNCERTAIN": value["uncertain"],
            "SHIFT": dumps(value["shift"]),
        }

    def _destinations(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """Return the wanted outputs by parameter name. Ask once: each call makes new temporary names."""
        found = {"OUTPUT": self.parameterAsOutputLayer(parameters, "OUTPUT", context)}
        if not is_skipped(parameters.get("POLYGONS"), context):  # asking for it then would announce a layer
            found["POLYGONS"] = self.parameterAsOutputLayer(parameters, "POLYGONS", context)
        for name in ("CSV", "REPORT"):
            found[name] = self.parameterAsFileOutput(parameters, name, context)
        return {name: path for name, path in found.items() if path}

    def _request(
        self, parameters: dict[str, Any], context: QgsProcessingContext, paths: dict[str, str]
    ) -> ChangeRequest:
        """Return the engine's request; paths become absolute, for the engine works in another folder."""
        absolute = {name: os.path.abspath(path) for name, path in paths.items()}
        return ChangeRequest(
            earlier=self._inputs["EARLIER"],
            later=self._inputs["LATER"],
            output=absolute["OUTPUT"],
            polygons=absolute.get("POLYGONS"),
            csv=absolute.get("CSV"),
            report=absolute.get("REPORT"),
            earlier_confidence=self._inputs.get("EARLIER_CONFIDENCE"),
            later_confidence=self._inputs.get("LATER_CONFIDENCE"),
            min_confidence=self.parameterAsDouble(parameters, "MIN_CONFIDENCE", context),
            min_area=self.parameterAsDouble(parameters, "MIN_AREA", context),
            correct_shift=self.parameterAsBool(parameters, "CORRECT_SHIFT", context),
            overwrite=True,  # Processing has asked the user already
        )


def _tell(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Write a table of the transitions and the shift into the log."""
    whole = value["compared"] or 1.0
    for code in value["legend"]:
        area = f"{code['area'] / 1e4:,.2f} ha" if value["unit"] == "m²" else f"{code['area']:,.0f} px"
        feedback.pushInfo(f"{code['code']:>5} {code['name']:<28} {100 * code['area'] / whole:6.2f} % {area:>16}")
    shift = value["shift"]
    if shift is not None:
        on_ground = "" if shift["metres"] is None else f", {shift['metres']:.2f} m"
        feedback.pushInfo(
            tr("Shift of the later raster: {cols:+.2f} columns, {rows:+.2f} rows{on_ground}").format(
                cols=shift["cols"], rows=shift["rows"], on_ground=on_ground
            )
        )
