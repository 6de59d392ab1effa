"""Segment Land Cover: a raster layer in, a classified raster and polygons out."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations, output_values
from dubai_landcover_plugin.processing.image_input import ImageAlgorithm
from dubai_landcover_plugin.processing.inputs import path_is_temporary
from dubai_landcover_plugin.processing.parameters import (
    add_outputs,
    option_of,
)
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.processing.segment_request import (
    outputs,
    report_areas,
    warn_of_novelty,
)
from dubai_landcover_plugin.processing.vector_inputs import optional_vector_source
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours

CLASS_CHOICES = ("building_class", "road_class")


class SegmentLandCover(ImageAlgorithm):
    """Assigns a land-cover class to every pixel of a raster."""

    INFO = AlgorithmInfo(
        name="segmentlandcover",
        title="Segment Land Cover",
        group="Segmentation",
        tags="land cover,land use,lulc,segmentation,classification,classify,deep learning,machine learning,neural,ai,"
        "cnn,image,imagery,aerial,satellite,orthophoto,building,roof,urban,road,vegetation,water",
        summary="Classifies an aerial or satellite image into water, land, road, building and vegetation.",
        help="<p>Assigns every pixel of an aerial or satellite image to water, land, road, building or vegetation with "
        "a neural network, and draws the classes as polygons.</p>"
        "<p><b>Input</b>: any raster with red, green and blue bands; pixels of 0.3 to 2 m suit the shipped "
        "models. Web layers (WMS, XYZ) are first drawn to a temporary file: give an extent.</p>"
        "<p><b>Area of interest</b>: polygons in any CRS, all or the selected ones. Outside is no data, and windows "
        "outside are not computed.</p>"
        "<p><b>Model</b>: <i>dubai</i> for arid Gulf cities, <i>world</i> for other places, or your own. "
        "A warning appears where the ground is unlike the images that taught the model.</p>"
        "<p><b>Land cover</b>: GeoTIFF of class ids on exactly the pixels of the input, with colours and class "
        "names; 0 is no data. <b>Polygons</b>: one feature for each area, with class and size, without gaps and "
        "overlaps. <b>Buildings</b>: outlines of straight walls. <b>Road network</b>: centre lines with widths. "
        "<b>Confidence</b>: highest probability of each pixel, in percent. <b>Novelty</b>: how far the ground is from "
        "the images that taught the model, in percent. <b>Probabilities</b>: a band in percent for each class, for "
        "<i>Reclassify Probabilities</i>. <b>Report</b>: map, areas and chart as HTML; with a confidence "
        "raster, also an estimate of the errors.</p>"
        "<p>The computation runs in a separate process and can be cancelled at any time; a cancelled run leaves "
        "no file behind. The log shows the request, which <i>landcover segment --request</i> repeats on a "
        "server.</p>",
        page="qgis.md#segment-land-cover",
    )

    REQUEST = SegmentationRequest
    FIRST = ("input", "model", "extent", "within")
    _within: str | None = None

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_image_inputs()
        add_outputs(self, SegmentationRequest)
        self.addOutput(QgsProcessingOutputString("AREAS", tr("Areas in m² by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Pixels by class, as JSON")))
        self.addOutput(QgsProcessingOutputNumber("VALID_PIXELS", tr("Pixels with a class")))
        self.addOutput(QgsProcessingOutputNumber("NOVELTY", tr("Distance of the ground from the training images, %")))
        self.addOutput(
            QgsProcessingOutputNumber("SECONDS", tr("Seconds from opening the raster to the finished result"))
        )
        self.addOutput(QgsProcessingOutputString("MODEL_HASH", tr("SHA-256 of the model")))
        self.addOutput(QgsProcessingOutputFile("RECORD", tr("Run record (JSON)")))

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        self._within = optional_vector_source(self, parameters, "WITHIN", context, feedback)
        return super().prepareAlgorithm(parameters, context, feedback)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the results; QGIS styles those that it loads."""
        options, model = self.options(parameters, context)
        paths = destinations(self, SegmentationRequest, parameters, context)
        extent = self.parameterAsExtent(parameters, "EXTENT", context, self.source.crs)
        with self.opened(extent, (options, model), parameters, context, feedback) as (path, engine_extent, options):
            try:
                values = {
                    **output_values(SegmentationRequest, paths),
                    **{name: self.parameterAsString(parameters, name.upper(), context) for name in CLASS_CHOICES},
                }
                name = self.source.name if path_is_temporary(path) else ""
                request = SegmentationRequest(
                    path, options=options, extent=engine_extent, within=self._within, source=name, **values
                )
            except LandCoverError as error:
                raise QgsProcessingException(str(error)) from error
            result = SegmentationResult.from_json(self.run_engine("segment_raster", request.to_json(), feedback))
        report_areas(result, feedback)
        warn_of_novelty(result, model.name, self.source.name)
        style = ResultStyle(model.scheme, natural_colours(), self.source.name)
        results = []
        for name in ("output", "confidence", "probabilities", "novelty", "polygons", "buildings", "roads"):
            item, kind = option_of(SegmentationRequest, name), "classes" if name == "output" else name
            results.append((paths.get(str(item.key)), kind, tr(item.option.title)))
        style.on_load(context, results, paths["OUTPUT"])
        return outputs(result, paths)
