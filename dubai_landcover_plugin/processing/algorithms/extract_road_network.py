"""Extract Road Network: a classified raster in, centre lines and their nodes out."""

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
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.layer_styles import style_on_load
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest

CLASS_NAMES = [entry.name for entry in DUBAI.entries]
BARRIERS = ["Water", "Building"]
COUNTS = ("lines", "junctions", "ends", "networks", "bridged")


class ExtractRoadNetwork(ClassifiedRasterAlgorithm):
    """Draws the centre lines of the roads of a classified raster."""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "extractroadnetwork"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Extract Road Network")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Polygons")

    def groupId(self) -> str:
        """Return the group's id."""
        return "polygons"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr(
            "land cover,roads,streets,network,centre lines,centerlines,skeleton,medial axis,graph,topology,junctions,"
            "vectorize,lines"
        ).split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Draws the centre lines of the roads of a classified raster as a connected network.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Turns the roads of a raster made by <i>Segment Land Cover</i> into a network of centre lines. Lines "
            "are split at junctions, meet exactly there and cross nowhere else, so that the network analysis tools of "
            "QGIS can use them.</p>"
            "<p>Short branches that only follow the roughness of an edge are cut off. Gaps between ends that face each "
            "other, or that face a road, are bridged where no barrier lies between, such as water or a building. "
            "Networks that are too short as a whole are left out.</p>"
            "<p><b>Road network</b>: class, length, mean and least width, length of bridged gaps, mean confidence, the "
            "two nodes and the network of each line; network 1 is the longest. Widths are measured between the edges "
            "of the class, so they are as good as the classification. <b>Nodes</b>: ends and junctions, with the "
            "number of lines that meet there.</p>"
            "<p>Lengths and widths are metres on the ground, in geographic CRS too. A raster without a CRS is measured "
            "in pixels.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_classified()
        self.add(
            QgsProcessingParameterEnum(
                "CLASS", tr("Class"), options=CLASS_NAMES, defaultValue="Road", usesStaticStrings=True
            ),
            tr("The class whose centre lines are wanted."),
        )
        self.add_confidence()
        self._add_sizes()
        self._add_rarely_needed()
        self._add_classes()
        self._add_outputs()

    def _add_sizes(self) -> None:
        self._add_number(
            "MAX_GAP",
            tr("Widest gap to bridge (m)"),
            RoadsRequest.max_gap,
            tr(
                "Road ends that face each other or a road across at most this much are joined, and more freely where "
                "the gap is short. 0 bridges none. In pixels where the raster has no CRS."
            ),
        )
        self._add_number(
            "MIN_LENGTH",
            tr("Shortest network (m)"),
            RoadsRequest.min_length,
            tr("Connected lines that are shorter than this, all together, are left out. In pixels without a CRS."),
        )
        self._add_number(
            "MAX_WIDTH",
            tr("Widest road (m)"),
            RoadsRequest.max_width,
            tr("Where the class is wider, it is a square or a car park and gets no line. In pixels without a CRS."),
            low=1.0,
        )

    def _add_rarely_needed(self) -> None:
        self._add_number(
            "SPUR",
            tr("Shortest branch (road widths)"),
            RoadsRequest.spur,
            tr("Dead ends shorter than so many widths of the road that they leave are cut off. 0 keeps all."),
            advanced=True,
        )
        self._add_number(
            "MAX_HOLE",
            tr("Largest hole to fill (m²)"),
            RoadsRequest.max_hole,
            tr("Holes in a road, such as cars and trees, that the line ignores. In pixels without a CRS."),
            advanced=True,
        )
        self._add_number(
            "SIMPLIFY",
            tr("Simplification tolerance (m)"),
            RoadsRequest.simplify,
            tr("How far a smoothed line may move to have fewer vertices; 0 keeps all. In pixels without a CRS."),
            advanced=True,
        )

    def _add_classes(self) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "BARRIERS",
                tr("Barriers"),
                options=CLASS_NAMES,
                allowMultiple=True,
                defaultValue=BARRIERS,
                optional=True,
                usesStaticStrings=True,
            ),
            tr(
                "Classes that no bridge over a gap may cross, unless it is shorter than 0.3 of the widest gap. No data "
                "is never crossed."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("OTHER_CLASS", tr("Class of another model"), optional=True),
            tr("Name or id, for rasters of a model with classes of its own. It replaces the class chosen above."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("OTHER_BARRIERS", tr("Barriers of another model"), optional=True),
            tr("Names or ids, separated by semicolons. They replace the barriers chosen above."),
            advanced=True,
        )

    def _add_number(
        self, name: str, description: str, default: float, text: str, low: float = 0.0, advanced: bool = False
    ) -> None:
        parameter = QgsProcessingParameterNumber(
            name, description, QgsProcessingParameterNumber.Type.Double, default, minValue=low
        )
        parameter.setMetadata({"widget_wrapper": {"decimals": 2}})
        self.add(parameter, text, advanced=advanced)

    def _add_outputs(self) -> None:
        self.add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", tr("Road network"), QgsProcessing.SourceType.TypeVectorLine
            ),
            tr("The centre lines: GeoPackage, shapefile, GeoJSON or FlatGeobuf."),
        )
        self.add(
            QgsProcessingParameterVectorDestination(
                "NODES", tr("Nodes"), QgsProcessing.SourceType.TypeVectorPoint, optional=True
            ),
            tr("Ends and junctions as points, with the number of lines that meet there."),
            created=False,
        )
        for name, text in zip(
            COUNTS, (tr("Lines"), tr("Junctions"), tr("Ends"), tr("Networks"), tr("Gaps that were bridged"))
        ):
            self.addOutput(QgsProcessingOutputNumber(name.upper(), text))
        self.addOutput(QgsProcessingOutputNumber("LENGTH", tr("Length of all lines, m (px without a CRS)")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine; its files carry their style, so QGIS draws them with it."""
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        nodes = self.parameterAsOutputLayer(parameters, "NODES", context)
        try:
            request = self._request(parameters, context, output, nodes)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("extract_roads", request.to_json(), feedback)
        for warning in value.get("warnings", []):
            feedback.pushWarning(warning)
        source = Path(self._input).stem
        style_on_load(context, output, tr("Road network"), tr("Road network: {name}").format(name=source))
        style_on_load(context, nodes, tr("Nodes"), tr("Nodes: {name}").format(name=source))
        results = {"OUTPUT": output, **{name.upper(): value[name] for name in COUNTS}}
        results["LENGTH"] = value["length"]
        if nodes:
            results["NODES"] = nodes
        return results

    def _request(
        self, parameters: dict[str, Any], context: QgsProcessingContext, output: str, nodes: str
    ) -> RoadsRequest:
        """Return the engine's request.

        Raises:
            RequestError: if a value is out of range.
        """

        def number(name: str) -> float:
            return self.parameterAsDouble(parameters, name, context)

        other = self.parameterAsString(parameters, "OTHER_CLASS", context).strip()
        return RoadsRequest(
            input=self._input,
            output=os.path.abspath(output),
            nodes=os.path.abspath(nodes) if nodes else None,
            class_name=other or self.parameterAsEnumString(parameters, "CLASS", context),
            confidence=self._confidence,
            max_gap=number("MAX_GAP"),
            barriers=self._barriers(parameters, context),
            spur=number("SPUR"),
            min_length=number("MIN_LENGTH"),
            max_width=number("MAX_WIDTH"),
            max_hole=number("MAX_HOLE"),
            simplify=number("SIMPLIFY"),
            overwrite=True,  # Processing has asked the user already
        )

    def _barriers(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[str, ...] | None:
        """Return the barriers; None leaves them to the engine, which takes those that the raster has."""
        text = self.parameterAsString(parameters, "OTHER_BARRIERS", context)
        others = tuple(part.strip() for part in text.split(";") if part.strip())
        # QGIS replaces an empty list by the default
        none = parameters.get("BARRIERS") in ([], "")
        chosen = [] if none else self.parameterAsEnumStrings(parameters, "BARRIERS", context)
        return others or (None if sorted(chosen) == sorted(BARRIERS) else tuple(chosen))
