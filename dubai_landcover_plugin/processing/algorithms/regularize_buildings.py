"""Regularize Buildings: building polygons in, the same buildings with right angles out."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.inputs import vector_source
from dubai_landcover_plugin.processing.layer_styles import style_on_load
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.options import vector_path

_POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon


class RegularizeBuildings(LandCoverAlgorithm):
    """Gives building polygons right angles along their own walls."""

    _input = ""
    _obstacles = ""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "regularizebuildings"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Regularize Buildings")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Polygons")

    def groupId(self) -> str:
        """Return the group's id."""
        return "polygons"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "buildings,footprints,regularize,regularise,right angles,orthogonalize,square,rectify,simplify,outlines,"
            "split,land cover"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Gives building outlines right angles along each building's own walls, within limits that you set.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Replaces the outlines of buildings, such as those along the pixels of a classified raster, by outlines "
            "with right angles. The angles follow each building's own main direction, not the map's. Courtyards "
            "stay.</p>"
            "<p>An outline that would be too different from the given one (intersection over union, IoU) is not used: "
            "the given one is kept. No outline newly overlaps another building or an obstacle.</p>"
            "<p>Attributes are kept. Added are <i>iou</i>, <i>regular</i> (1: regular, 0: the given outline was kept) "
            "and <i>angle</i> (direction of the walls, degrees clockwise from the map's north, 0 to 90); "
            "<i>area_m2</i> and <i>perim_m</i> are computed again.</p>"
            "<p>To get building polygons from a classified raster, run <i>Export Class Polygons</i> first, with a "
            "tolerance of 0.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add(
            QgsProcessingParameterFeatureSource("INPUT", tr("Building polygons"), [_POLYGONS]),
            tr("Polygons of buildings, along pixel edges or simplified."),
        )
        self.add(
            _number("TOLERANCE", tr("Shortest edge (m)"), low=0.001),
            tr(
                "Steps of the outline shorter than this go. Empty takes two pixels where outlines follow the pixels of "
                "a raster, else 2 m. In units of the layer where it has no CRS."
            ),
        )
        self.add(
            QgsProcessingParameterBoolean("DIAGONALS", tr("Allow edges at 45°"), defaultValue=False),
            tr("Long edges that run at about 45° to the walls become diagonal instead of steps."),
        )
        self.add(
            QgsProcessingParameterFeatureSource("OBSTACLES", tr("Obstacles"), [_POLYGONS], optional=True),
            tr("Polygons that outlines must not newly overlap, such as roads."),
        )
        self._add_rarely_needed()
        self.add(
            QgsProcessingParameterVectorDestination("OUTPUT", tr("Regular buildings"), _POLYGONS),
            tr("GeoPackage, shapefile, GeoJSON or FlatGeobuf."),
        )
        self.addOutput(QgsProcessingOutputNumber("BUILDINGS", tr("Number of buildings")))
        self.addOutput(QgsProcessingOutputNumber("REGULAR", tr("Number of buildings with a regular outline")))
        self.addOutput(QgsProcessingOutputNumber("MEAN_IOU", tr("Mean IoU of regular outlines with the given ones")))
        self.addOutput(QgsProcessingOutputNumber("SHORTEST_EDGE", tr("Shortest edge that was used, m")))

    def _add_rarely_needed(self) -> None:
        self.add(
            _number("MIN_IOU", tr("Smallest IoU"), default=BuildingsRequest.min_iou, low=0, high=1),
            tr(
                "Intersection over union that a regular outline must have with the given one, which is kept otherwise. "
                "Lower it to 0.7 to square small buildings of few pixels too."
            ),
            advanced=True,
        )
        self.add(
            _number("SPLIT", tr("Part touching buildings at necks up to (m)"), default=BuildingsRequest.split, low=0),
            tr("Buildings that are joined by a neck narrower than this become features of their own. 0 parts none."),
            advanced=True,
        )
        self.add(
            _number("MIN_PART", tr("Smallest part (m²)"), default=BuildingsRequest.min_part, low=0),
            tr("Buildings are not parted where a part would be smaller than this."),
            advanced=True,
        )

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        try:
            output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
            vector_path("OUTPUT", output or None)
        except LandCoverError as error:
            return False, str(error)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Take the layers' files; layers belong to the main thread."""
        self._input = self._source(parameters, "INPUT", context, feedback)
        given = parameters.get("OBSTACLES") not in (None, "")
        self._obstacles = self._source(parameters, "OBSTACLES", context, feedback) if given else ""
        return True

    def _source(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> str:
        """Return the file of a layer; one in memory, and selected features, are written to one first."""
        if self.parameterAsSource(parameters, name, context) is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, name))
        return vector_source(self, parameters, name, context, feedback)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        free = parameters.get("TOLERANCE") in (None, "")
        try:
            request = BuildingsRequest(
                input=self._input,
                output=os.path.abspath(output),
                tolerance=None if free else self.parameterAsDouble(parameters, "TOLERANCE", context),
                min_iou=self.parameterAsDouble(parameters, "MIN_IOU", context),
                diagonals=self.parameterAsBool(parameters, "DIAGONALS", context),
                split=self.parameterAsDouble(parameters, "SPLIT", context),
                min_part=self.parameterAsDouble(parameters, "MIN_PART", context),
                obstacles=self._obstacles or None,
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("regularize_buildings", request.to_json(), feedback)
        feedback.pushInfo(
            tr("{n} buildings, {regular} with a regular outline.").format(
                n=value["buildings"], regular=value["regular"]
            )
        )
        style_on_load(context, output, tr("Regular buildings"), tr("Regular buildings"))
        return {
            "OUTPUT": output,
            "BUILDINGS": value["buildings"],
            "REGULAR": value["regular"],
            "MEAN_IOU": value["mean_iou"],
            "SHORTEST_EDGE": value["tolerance"],
        }


def _number(
    name: str, description: str, default: float | None = None, low: float = 0.0, high: float = 1e9
) -> QgsProcessingParameterNumber:
    """Return a parameter of a real number; without a default it is optional."""
    kind = QgsProcessingParameterNumber.Type.Double
    parameter = QgsProcessingParameterNumber(name, description, kind, default, default is None, low, high)
    parameter.setMetadata({"widget_wrapper": {"decimals": 2}})
    return parameter
