"""Regularize Buildings: building polygons in, the same buildings with right angles out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.destinations import check_destinations, destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request
from dubai_landcover_plugin.processing.result_layers import style_on_load
from dubai_landcover_plugin.processing.vector_inputs import vector_source
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.translation import tr


class RegularizeBuildings(LandCoverAlgorithm):
    """Gives building polygons right angles along their own walls."""

    INFO = AlgorithmInfo(
        name="regularizebuildings",
        title="Regularize Buildings",
        group="Polygons",
        tags="buildings,footprints,regularize,regularise,right angles,orthogonalize,square,rectify,simplify,outlines,"
        "split,land cover",
        summary="Gives building outlines straight walls and right angles, within limits that you set.",
        help="<p>Replaces the outlines of buildings, such as those along the pixels of a classified raster, by "
        "outlines of straight walls: at right angles in each building's own main directions, not the map's, and as "
        "chords along curved or oblique streets. Courtyards stay.</p>"
        "<p>An outline that would be too different from the given one (intersection over union, IoU) is not used: "
        "the given one is kept. No outline newly overlaps another building or an obstacle.</p>"
        "<p>Attributes are kept. Added are <i>iou</i>, <i>regular</i> (1: mostly at right angles, 0: mostly walls of "
        "other directions, or the given outline) and <i>angle</i> (direction of the walls, degrees "
        "clockwise from the map's north, 0 to 90); "
        "<i>area_m2</i> and <i>perim_m</i> are computed again.</p>"
        "<p>To get building polygons from a classified raster, run <i>Export Class Polygons</i> first, with a "
        "tolerance of 0.</p>",
        page="buildings.md",
    )

    _input = _name = ""
    _obstacles = ""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, BuildingsRequest)
        add_outputs(self, BuildingsRequest)
        self.addOutput(QgsProcessingOutputNumber("BUILDINGS", tr("Number of buildings")))
        self.addOutput(QgsProcessingOutputNumber("REGULAR", tr("Number of buildings mostly at right angles")))
        self.addOutput(QgsProcessingOutputNumber("MEAN_IOU", tr("Mean IoU of these with the given outlines")))
        self.addOutput(QgsProcessingOutputNumber("SHORTEST_EDGE", tr("Shortest edge that was used, m")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse formats that the engine does not write."""
        super().check(parameters, context)
        check_destinations(self, BuildingsRequest, parameters)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' files; layers belong to the main thread."""
        self._input = self._source(parameters, "INPUT", context, feedback)
        self._name = self.parameterAsSource(parameters, "INPUT", context).sourceName()
        given = parameters.get("OBSTACLES") not in (None, "")
        self._obstacles = self._source(parameters, "OBSTACLES", context, feedback) if given else ""
        return True

    def _source(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> str:
        """Return the file of a layer; a layer in memory and selected features are first written to a file."""
        if self.parameterAsSource(parameters, name, context) is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, name))
        return vector_source(self, parameters, name, context, feedback)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        paths = destinations(self, BuildingsRequest, parameters, context)
        layers = {"input": self._input, "obstacles": self._obstacles or None}
        request = build_request(self, BuildingsRequest, parameters, context, paths, **layers)
        value = self.run_engine("regularize_buildings", request.to_json(), feedback)
        feedback.pushInfo(
            tr("{n} buildings, {regular} mostly at right angles.", n=value["buildings"], regular=value["regular"])
        )
        title = tr("Regular buildings")
        style_on_load(context, paths["OUTPUT"], title, f"{title}: {self._name}")
        return {
            **paths,
            "BUILDINGS": value["buildings"],
            "REGULAR": value["regular"],
            "MEAN_IOU": value["mean_iou"],
            "SHORTEST_EDGE": value["tolerance"],
        }
