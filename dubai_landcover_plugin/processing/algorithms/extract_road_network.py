"""Extract Road Network: a classified raster in, centre lines and their nodes out."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.layer_styles import style_as_stored
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    build_request,
    checkboxes,
    label,
    text_list,
)
from dubai_landcover_plugin.processing.result_layers import load_styled
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.translation import tr

CLASS_NAMES = [entry.name for entry in DUBAI.entries]
BARRIERS = ["Water", "Building"]
COUNTS = ("lines", "junctions", "ends", "networks", "bridged")


class ExtractRoadNetwork(ClassifiedRasterAlgorithm):
    """Draws the centre lines of the roads of a classified raster."""

    INFO = AlgorithmInfo(
        name="extractroadnetwork",
        title="Extract Road Network",
        group="Polygons",
        tags="land cover,roads,streets,network,centre lines,centerlines,skeleton,medial axis,graph,topology,junctions,"
        "vectorize,lines",
        summary="Draws the centre lines of the roads of a classified raster as a connected network.",
        help="<p>Turns the roads of a classified raster into a network of centre lines. Lines "
        "are split at junctions, meet exactly there and cross nowhere else, so that the network analysis tools of "
        "QGIS can use them.</p>"
        "<p>Short branches that only follow the roughness of an edge are cut off. Gaps between ends that face "
        "each other, or that face a road, are bridged unless a barrier, such as water or a building, is between "
        "them. Networks that are too short as a whole are left out.</p>"
        "<p><b>Road network</b>: class, length, mean and least width, length of bridged gaps, mean confidence, "
        "the two nodes and the network of each line; network 1 is the longest. Widths are measured between the "
        "edges of the class, so they are as accurate as the classification. <b>Nodes</b>: ends and junctions, "
        "with the number of lines that meet there.</p>"
        "<p>Lengths and widths are metres on the ground, in geographic CRS too. A raster without a CRS is "
        "measured in pixels.</p>",
        page="roads.md",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        own = {"class_name": self._add_class, "barriers": self._add_barriers}
        add_inputs(self, RoadsRequest, first=("input", "class_name"), own=own)
        self.add(
            QgsProcessingParameterString("OTHER_CLASS", tr("Class of another model"), optional=True),
            tr("Name or id, for rasters of a model with other classes. It replaces the class chosen above."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("OTHER_BARRIERS", tr("Barriers of another model"), optional=True),
            tr("Names or ids, separated by semicolons. They replace the barriers chosen above."),
            advanced=True,
        )
        add_outputs(self, RoadsRequest)
        for name, text in zip(COUNTS, (tr("Lines"), tr("Junctions"), tr("Ends"), tr("Networks"), tr("Bridged gaps"))):
            self.addOutput(QgsProcessingOutputNumber(name.upper(), text))
        self.addOutput(QgsProcessingOutputNumber("LENGTH", tr("Length of all lines, m (px without a CRS)")))

    def _add_class(self, item: Described) -> None:
        parameter = QgsProcessingParameterEnum(
            item.key, label(item), options=CLASS_NAMES, defaultValue=item.default, usesStaticStrings=True
        )
        add_parameter(self, item, parameter)

    def _add_barriers(self, item: Described) -> None:
        add_parameter(self, item, checkboxes(str(item.key), label(item), CLASS_NAMES, BARRIERS, optional=True))

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine; QGIS draws its files with the style that they contain."""
        paths = destinations(self, RoadsRequest, parameters, context)
        other = self.parameterAsString(parameters, "OTHER_CLASS", context).strip()
        values = {
            **self.inputs,
            "class_name": other or self.parameterAsEnumString(parameters, "CLASS", context),
            "barriers": self._barriers(parameters, context),
        }
        request = build_request(self, RoadsRequest, parameters, context, paths, **values)
        value = self.run_engine("extract_roads", request.to_json(), feedback)
        results = [(paths["OUTPUT"], "roads", tr("Road network")), (paths.get("NODES"), "nodes", tr("Nodes"))]
        load_styled(context, results, self.names["input"], paths["OUTPUT"], lambda kind: style_as_stored)
        return {**paths, **{name.upper(): value[name] for name in COUNTS}, "LENGTH": value["length"]}

    def _barriers(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, ...] | None:
        """Return the barriers; None for the default, of which the engine takes those that the raster has."""
        others = text_list(self.parameterAsString(parameters, "OTHER_BARRIERS", context))
        # QGIS replaces an empty list by the default
        none = parameters.get("BARRIERS") in ([], "")
        chosen = [] if none else self.parameterAsEnumStrings(parameters, "BARRIERS", context)
        return others or (None if sorted(chosen) == sorted(BARRIERS) else tuple(chosen))
