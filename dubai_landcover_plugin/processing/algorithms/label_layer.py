"""Create Label Layer: a layer to draw labels on, and places that are worth labelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingOutputNumber, QgsRectangle

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.image_input import ImageAlgorithm
from dubai_landcover_plugin.processing.labelled_data import check_crs
from dubai_landcover_plugin.processing.parameters import add_outputs, build_request
from dubai_landcover_plugin.processing.raster_copies import has_pixels
from dubai_landcover_plugin.processing.result_layers import style_on_load
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.labelling import UNUSED_OPTIONS, LabelLayerRequest
from dubai_landcover_plugin.protocol.translation import tr


class LabelLayer(ImageAlgorithm):
    """Writes an empty label layer and proposes places."""

    INFO = AlgorithmInfo(
        name="createlabellayer",
        title="Create Label Layer",
        group="Models",
        tags="land cover,training,labels,samples,digitise,digitize,annotation,ground truth,active learning,own model",
        summary="A layer to draw labels on, with a form that lists the classes, and places that are worth labelling.",
        help="<p>Writes an empty layer of polygons whose form has a list of the model's classes, and squares that are "
        "worth labelling, in order of their worth: where the model is unsure or the ground is unlike its training "
        "images, or spread at random.</p>"
        "<p>Then draw: start editing the label layer, and draw polygons in a square until all of it has a class. "
        "Pixels outside of polygons are not used. Save the edits, and go on with <i>Check Labels</i> and <i>Train "
        "Model</i>.</p>",
        page="training-in-qgis.md#create-label-layer",
    )
    REQUEST = LabelLayerRequest
    FIRST = ("input", "model", "sampling", "count", "size", "new_classes", "seed", "bands")
    UNUSED = UNUSED_OPTIONS

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_image_inputs()
        add_outputs(self, LabelLayerRequest)
        self.addOutput(QgsProcessingOutputNumber("COUNT_PLACES", tr("Number of places")))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse layers on which labels cannot be placed."""
        super().check(parameters, context)
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            return  # QGIS says so itself
        if not has_pixels(layer.dataProvider()):
            raise RequestError(
                tr("The layer '{name}' is drawn from the web, and has no pixels of its own.", name=layer.name()),
                tr("Save the part that you want to label as a GeoTIFF (Export > Save As…) and use that."),
            )
        check_crs(layer)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        options, model = self.options(parameters, context)
        paths = destinations(self, LabelLayerRequest, parameters, context)
        with self.opened(QgsRectangle(), (options, model), parameters, context, feedback) as (path, _, options):
            shared = {item.name: getattr(options, item.name) for item in type(options).described()}
            values = {**shared, "input": path}
            request = build_request(self, LabelLayerRequest, parameters, context, paths, **values)
            value = self.run_engine("create_label_layer", request.to_json(), feedback)
        style_on_load(context, paths["OUTPUT"], tr("Label layer"), f"{tr('Labels')}: {self.source.name}")
        style_on_load(context, paths.get("PLACES"), tr("Places to label"), f"{tr('To label')}: {self.source.name}")
        return {**paths, "COUNT_PLACES": value["count"]}
