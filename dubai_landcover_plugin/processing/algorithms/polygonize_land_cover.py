"""Classified Raster to Polygons."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.classified_raster import ClassifiedRasterAlgorithm
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.parameters import add_inputs, add_outputs, build_request
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.polygons import PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours


class PolygonizeLandCover(ClassifiedRasterAlgorithm):
    """Draws a classified raster as polygons without gaps and overlaps."""

    INFO = AlgorithmInfo(
        name="polygonizelandcover",
        title="Classified Raster to Polygons",
        group="Polygons",
        tags="land cover,polygons,vectorize,polygonize,coverage,simplify,minimum mapping unit,sieve",
        summary="Draws all classes of a classified raster as polygons that share their borders.",
        help="<p>Draws a classified raster as polygons. Rasters of any size need the memory of "
        "some rows only.</p>"
        "<p>Regions below the minimum mapping unit take the class of the neighbour with the longest common "
        "border. Outlines are simplified together: neighbours share their borders, there are no gaps and no "
        "overlaps, and the outer border stays. This is verified edge by edge; the log shows the areas before and "
        "after.</p>"
        "<p>Attributes: class, area and perimeter on the ground (m², m), compactness (1 for a circle), confidence "
        "of the class where its raster is given (mean and 10th percentile, percent), raster and model.</p>",
        page="polygons.md",
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(self, PolygonizeRequest)
        add_outputs(self, PolygonizeRequest)
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Polygons")))
        self.addOutput(QgsProcessingOutputString("COUNTS", tr("Polygons by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("CONSERVATION", tr("Areas before and after, gaps, overlaps; JSON")))

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and style the polygons."""
        paths = destinations(self, PolygonizeRequest, parameters, context)
        request = build_request(self, PolygonizeRequest, parameters, context, paths, **self.inputs)
        value = self.run_engine("polygonize", request.to_json(), feedback)
        _log_areas(value, feedback)
        style = ResultStyle(ClassScheme.from_json(value["scheme"]), natural_colours(), self.names["input"])
        style.on_load(context, [(paths["OUTPUT"], "polygons", tr("Polygons"))], paths["OUTPUT"])
        return {
            **paths,
            "COUNT": sum(value["counts"].values()),
            "COUNTS": dumps(value["counts"]),
            "AREAS": dumps(value["area_m2"] or {}),
            "CONSERVATION": dumps(value["conservation"]),
        }


def _log_areas(value: dict[str, Any], feedback: QgsProcessingFeedback) -> None:
    """Write the areas before and after into the log."""
    unit = tr("px" if value["area_m2"] is None else "m²")
    feedback.pushInfo(tr("Areas in {unit}, without gaps and overlaps:", unit=unit))
    for name, areas in value["conservation"]["areas"].items():
        feedback.pushInfo(
            tr(
                "{name}: {raster:,.0f} in the raster, {merged:,.0f} after merging small regions, {polygons:,.0f} in "
                "{count:,} polygons",
                name=name,
                count=value["counts"].get(name, 0),
                **areas,
            )
        )
