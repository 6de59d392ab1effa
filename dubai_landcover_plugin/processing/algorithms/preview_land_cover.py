"""Preview Land Cover: a quick look at the classes of a part of a raster."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations, output_values
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.image_input import ImageAlgorithm
from dubai_landcover_plugin.processing.parameters import add_outputs, option_of
from dubai_landcover_plugin.processing.result_layers import ResultStyle
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.preview import UNUSED_OPTIONS, PreviewRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import natural_colours


class PreviewLandCover(ImageAlgorithm):
    """Classifies a part of a raster quickly."""

    INFO = AlgorithmInfo(
        name="previewlandcover",
        title="Preview Land Cover",
        group="Segmentation",
        tags="land cover,preview,look,test,try,sample,quick,extent,segmentation,classification",
        summary="Classifies a part of an image for a quick look, before a run over all of it.",
        help="<p>Classifies a part of an image, of at most 16 million pixels, to see what <i>Segment Land Cover</i> "
        "would give with this model and these options. It writes a small raster in the colours of the classes: "
        "without polygons, overviews and run record, and without reading the file back.</p>"
        "<p>With models that can be taught, such as the shipped ones, the classes are those of a run over the whole "
        "raster. Other models run over the extent alone: a few pixels can differ.</p>"
        "<p><b>Extent</b>: draw it on the canvas, or take that of the canvas. By default the whole raster.</p>",
        page="qgis.md#preview-land-cover",
    )
    REQUEST = PreviewRequest
    FIRST = ("input", "model", "extent")
    UNUSED = UNUSED_OPTIONS

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_image_inputs()
        add_outputs(self, PreviewRequest)
        self.addOutput(QgsProcessingOutputString("PIXELS", tr("Pixels by class, as JSON")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine; QGIS styles the results that it loads."""
        options, model = self.options(parameters, context)
        paths = destinations(self, PreviewRequest, parameters, context)
        extent = self.parameterAsExtent(parameters, "EXTENT", context, self.source.crs)
        with self.opened(extent, (options, model), parameters, context, feedback) as (path, engine_extent, options):
            try:
                values = output_values(PreviewRequest, paths)
                request = PreviewRequest(path, options=options, extent=engine_extent, **values)
            except LandCoverError as error:
                raise QgsProcessingException(str(error)) from error
            value = self.run_engine("preview_land_cover", request.to_json(), feedback)
        total = max(sum(value["pixels"].values()), 1)
        for name, pixels in value["pixels"].items():
            feedback.pushInfo(class_line(name, pixels=pixels, share=pixels / total))
        style = ResultStyle(ClassScheme.from_json(value["scheme"]), natural_colours(), self.source.name)
        kinds = {"OUTPUT": "classes", "CONFIDENCE": "confidence"}
        titles = {key: tr(option_of(PreviewRequest, key.lower()).option.title) for key in kinds}
        style.on_load(context, [(paths.get(key), kind, titles[key]) for key, kind in kinds.items()], paths["OUTPUT"])
        return {**paths, "PIXELS": dumps(value["pixels"])}
