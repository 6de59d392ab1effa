"""Segment Land Cover: a raster layer in, a classified raster and polygons out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterNumber,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm, tr
from dubai_landcover_plugin.processing.destinations import destinations, output_values
from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.layer_nodata import user_nodata
from dubai_landcover_plugin.processing.layer_styles import ResultStyle
from dubai_landcover_plugin.processing.parameters import (
    add_inputs,
    add_outputs,
    add_parameter,
    label,
    make_parameter,
    option_of,
)
from dubai_landcover_plugin.processing.raster_copies import RasterInput
from dubai_landcover_plugin.processing.segment_request import (
    add_model,
    check_parameters,
    outputs,
    report_areas,
    segment_options,
    warn_of_novelty,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.runner.settings import natural_colours

CLASS_CHOICES = ("building_class", "road_class")


class SegmentLandCover(LandCoverAlgorithm):
    """Assigns a land-cover class to every pixel of a raster."""

    INFO = AlgorithmInfo(
        name="segmentlandcover",
        title="Segment Land Cover",
        group="Segmentation",
        tags="land cover,land use,segmentation,classification,deep learning,building,road,vegetation,water",
        summary="Classifies an aerial or satellite image into water, land, road, building and vegetation.",
        help="<p>Assigns every pixel of an aerial or satellite image to water, land, road, building or vegetation with "
        "a neural network, and draws the classes as polygons.</p>"
        "<p><b>Input</b>: any raster with red, green and blue bands; pixels of 0.3 to 2 m suit the shipped "
        "models. Web layers (WMS, XYZ) are first drawn to a temporary file: give an extent.</p>"
        "<p><b>Model</b>: <i>dubai</i> for arid Gulf cities, <i>world</i> for other places, or your own. "
        "A warning appears where the ground is unlike the images that taught the model.</p>"
        "<p><b>Land cover</b>: GeoTIFF of class ids on exactly the pixels of the input, with colours and class "
        "names; 0 is no data. <b>Polygons</b>: one feature for each area, with class and size, without gaps and "
        "overlaps. <b>Buildings</b>: outlines of straight walls. <b>Road network</b>: centre lines with widths. "
        "<b>Confidence</b>: highest probability of each pixel, in percent. <b>Novelty</b>: how far the ground is from "
        "the images that taught the model, in percent. <b>Report</b>: areas, chart and run record as HTML.</p>"
        "<p>The computation runs in a separate process and can be cancelled at any time; a cancelled run leaves "
        "no file behind. The log shows the request, which <i>landcover segment --request</i> repeats on a "
        "server.</p>",
    )

    _source: RasterInput | None = None

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        add_inputs(
            self,
            SegmentationRequest,
            first=("input", "model", "bands", "extent"),
            own={"model": partial(add_model, self), "bands": self._add_bands, "extent": self._add_extent},
        )
        self._add_drawing()
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

    def _add_bands(self, item: Described) -> None:
        parameter = QgsProcessingParameterBand(
            item.key, label(item), parentLayerParameterName="INPUT", optional=True, allowMultiple=True
        )
        add_parameter(self, item, parameter)

    def _add_extent(self, item: Described) -> None:
        self.add(make_parameter(item), f"{tr(item.option.help)} {tr('Web layers (WMS, XYZ) need an extent.')}")

    def _add_drawing(self) -> None:
        parameter = QgsProcessingParameterNumber(
            "DRAWING_GSD",
            tr("Resolution for web layers (m/px)"),
            QgsProcessingParameterNumber.Type.Double,
            optional=True,
        )
        parameter.setMinimum(0.001)
        parameter.setMetadata({"widget_wrapper": {"decimals": 3}})
        self.add(
            parameter,
            tr(
                "Resolution at which a web layer is drawn before it is classified. By default that of the model's "
                "training data."
            ),
            advanced=True,
        )

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse formats, bands, models and paths that no run can use."""
        super().check(parameters, context)
        check_parameters(self, parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layer's path or provider; layers belong to the main thread."""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None or not layer.isValid():
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        # The request has one further no data value: the parameter's or the layer's.
        given = parameters.get("NODATA") not in (None, "")
        self._source = raster_input(layer, has_options=not (given and user_nodata(layer.dataProvider())))
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine and return the results; QGIS styles those that it loads."""
        source = self._source
        if source is None:
            raise QgsProcessingException("The algorithm was not prepared.")
        try:
            options = segment_options(self, parameters, context, source.crs_override, source.nodata)
            model = read_metadata(options.model)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        paths = destinations(self, SegmentationRequest, parameters, context)
        extent = self.parameterAsExtent(parameters, "EXTENT", context, source.crs)
        gsd = self.parameterAsDouble(parameters, "DRAWING_GSD", context) or model.gsd
        with opened_for_engine(source, extent, gsd, context.transformContext(), feedback) as (path, engine_extent):
            try:
                values = {
                    **output_values(SegmentationRequest, paths),
                    **{name: self.parameterAsString(parameters, name.upper(), context) for name in CLASS_CHOICES},
                }
                request = SegmentationRequest(path, options=options, extent=engine_extent, **values)
            except LandCoverError as error:
                raise QgsProcessingException(str(error)) from error
            result = SegmentationResult.from_json(self.run_engine("segment_raster", request.to_json(), feedback))
        report_areas(result, feedback)
        warn_of_novelty(result, model.name, source.name)
        style = ResultStyle(model.scheme, natural_colours(), source.name)
        for name in ("output", "confidence", "novelty", "polygons", "buildings", "roads"):
            item, kind = option_of(SegmentationRequest, name), "classes" if name == "output" else name
            style.on_load(context, paths.get(str(item.key)), kind, tr(item.option.title), paths["OUTPUT"])
        return outputs(result, paths)
