"""Apply Corrections: a classified raster and corrections in, a new classified raster out."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.edited_raster import EditAlgorithm
from dubai_landcover_plugin.processing.vector_inputs import vector_source
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest


class ApplyCorrections(EditAlgorithm):
    """Writes a classified raster with the corrections of a layer."""

    INFO = AlgorithmInfo(
        name="applycorrections",
        title="Apply Corrections",
        group="Corrections",
        tags="land cover,correct,edit,fix,reclassify,paint,burn,rasterize,manual,post-processing,classes",
        summary="Writes a new classified raster in which the features of a layer set classes.",
        help="<p>Applies corrections to a finished classified raster and writes a new one. The given raster stays as "
        "it is, and so does the layer of corrections, which can be applied again to a later result.</p>"
        "<p><b>Corrections</b>: polygons, lines or points with these attributes. <i>to</i>: the class to set, by "
        "name or id. <i>from</i>: only where the raster has this class; empty for everywhere. <i>time</i>: later "
        "corrections are applied after earlier ones. <i>brush</i>: width of points and lines in pixels. A selection, "
        "filters and unsaved edits of the layer count. A correction covers the pixels with their centre "
        "inside; pixels without data stay without.</p>"
        "<p><b>Corrected land cover</b>: GeoTIFF with the pixels, classes and colours of the input; its tags record "
        "the changed pixels by pair of classes. <b>Polygons</b>, <b>Buildings</b> and <b>Road network</b> are made "
        "from it as Segment Land Cover makes them.</p>"
        "<p>The confidence raster of the run is not changed.</p>",
        page="corrections.md#the-new-raster",
    )
    REQUEST = CorrectionsRequest
    TASK = "apply_corrections"
    FIRST = ("input", "corrections")

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        if self.parameterAsSource(parameters, "CORRECTIONS", context) is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, "CORRECTIONS"))
        self.vectors = {"corrections": vector_source(self, parameters, "CORRECTIONS", context, feedback)}
        return True
