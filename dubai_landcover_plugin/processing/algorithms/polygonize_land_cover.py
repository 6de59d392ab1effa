"""Classified Raster to Polygons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.layer_styles import ResultStyle
from dubai_landcover_plugin.processing.parameters import add_corners, add_polygon_shape
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.polygons import PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.runner.settings import natural_colours


class PolygonizeLandCover(ClassifiedRasterAlgorithm):
    """Draws a classified raster as polygons without gaps and overlaps."""

    def name(self) -> str:
        """Return the algorithm's id."""
        return "polygonizelandcover"

    def displayName(self) -> str:
        """Return the name shown to the user."""
        return tr("Classified Raster to Polygons")

    def group(self) -> str:
        """Return the group shown in the toolbox."""
        return tr("Polygons")

    def groupId(self) -> str:
        """Return the group's id."""
        return "polygons"

    def tags(self) -> list[str]:
        """Return words that find the algorithm."""
        return tr("land cover,polygons,vectorize,polygonize,coverage,simplify,minimum mapping unit,sieve").split(",")

    def shortDescription(self) -> str:
        """Return one line for lists."""
        return tr("Draws all classes of a classified raster as polygons that share their borders.")

    def shortHelpString(self) -> str:
        """Return the help shown beside the dialog."""
        return tr(
            "<p>Draws a raster made by <i>Segment Land Cover</i> as polygons, of any size, in the memory of some "
            "rows.</p><p>Regions below the minimum mapping unit take the class of the neighbour with the longest "
            "common border. Outlines are simplified together: neighbours share their borders, there are no gaps and no "
            "overlaps, and the outer border stays. This is proved edge by edge; the log has the areas before and "
            "after.</p><p>Attributes: class, area and perimeter on the ground (m², m), compactness (1 for a circle), "
            "confidence of the class where its raster is given (mean and 10th percentile, percent), raster and model."
            "</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_classified()
        self.add_confidence()
        add_polygon_shape(self, advanced=False)
        self.add(
            QgsProcessingParameterString("CLASSES", tr("Only these classes"), optional=True),
            tr("Names or ids, separated by semicolons, such as Building;Road. Empty takes all."),
            advanced=True,
        )
        add_corners(self)
        self.add(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon
            ),
            tr(
                "GeoPackage (.gpkg), shapefile (.shp), GeoJSON (.geojson, in WGS 84), FlatGeobuf (.fgb) or GeoParquet "
                "(.parquet). Shapefiles end at 2 GB."
            ),
        )
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Polygons")))
        self.addOutput(QgsProcessingOutputString("COUNTS", tr("Polygons by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("CONSERVATION", tr("Areas before and after, gaps, overlaps; JSON")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and style what it made."""
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        text = self.parameterAsString(parameters, "CLASSES", context)
        try:
            request = PolygonizeRequest(
                input=self._input,
                output=output,
                classes=tuple(part.strip() for part in text.split(";") if part.strip()),
                min_area=self.parameterAsDouble(parameters, "MIN_AREA", context),
                simplify=self.parameterAsDouble(parameters, "SIMPLIFY", context),
                corners=self.parameterAsBool(parameters, "CORNERS", context),
                confidence=self._confidence,
                overwrite=True,  # Processing has asked the user already
            )
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        value = self.run_engine("polygonize", request.to_json(), feedback)
        self._tell(value, feedback)
        style = ResultStyle(ClassScheme.from_json(value["scheme"]), natural_colours(), Path(self._input).stem)
        style.on_load(context, output, "polygons", tr("Polygons"))
        return {
            "OUTPUT": output,
            "COUNT": sum(value["counts"].values()),
            "COUNTS": dumps(value["counts"]),
            "AREAS": dumps(value["area_m2"] or {}),
            "CONSERVATION": dumps(value["conservation"]),
        }

    @staticmethod
    def _tell(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
        """Write the areas before and after into the log."""
        unit = "px" if value["area_m2"] is None else "m²"
        feedback.pushInfo(
            tr("Areas in {unit}: raster, after merging small regions, polygons. 0 gaps, 0 overlaps.").format(unit=unit)
        )
        for name, areas in value["conservation"]["areas"].items():
            numbers = "  ".join(f"{area:15,.0f}" for area in areas.values())
            feedback.pushInfo(f"{name:12}  {numbers}  ({value['counts'].get(name, 0):,})")
