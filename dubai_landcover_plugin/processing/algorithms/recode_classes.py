"""Recode Classes: a classified raster in, a new one with other classes out."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.edited_raster import EditAlgorithm
from dubai_landcover_plugin.processing.vector_inputs import optional_vector_source
from dubai_landcover_plugin.protocol.requests.corrections import RecodeRequest


class RecodeClasses(EditAlgorithm):
    """Replaces classes of a classified raster."""

    INFO = AlgorithmInfo(
        name="recodeclasses",
        title="Recode Classes",
        group="Corrections",
        tags="land cover,recode,reclassify,replace,merge,exchange,swap,classes,lookup",
        summary="Writes a new classified raster with classes replaced by others, everywhere or within polygons.",
        help="<p>Replaces classes of a classified raster by others and writes a new one. The given raster stays as it "
        "is.</p>"
        "<p><b>Classes to replace</b>: pairs such as <i>Land=Vegetation</i>, by name or id, separated by semicolons. "
        "All are replaced at once, so that <i>Land=Road;Road=Land</i> exchanges them.</p>"
        "<p><b>Only within polygons</b>: only pixels with their centre in one of the polygons change.</p>"
        "<p><b>Recoded land cover</b>: GeoTIFF with the pixels, classes and colours of the input; its tags record the "
        "changed pixels by pair of classes. <b>Polygons</b>, <b>Buildings</b> and <b>Road network</b> are made from "
        "it as Segment Land Cover makes them.</p>",
        page="corrections.md#recoding",
    )
    REQUEST = RecodeRequest
    TASK = "recode_classes"
    FIRST = ("input", "classes", "within")

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        self.vectors = {"within": optional_vector_source(self, parameters, "WITHIN", context, feedback)}
        return True
