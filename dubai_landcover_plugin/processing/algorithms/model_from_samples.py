"""Model from Samples: a raster, samples and a model in, a taught model file out."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterField,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo
from dubai_landcover_plugin.processing.destinations import destinations
from dubai_landcover_plugin.processing.image_input import ImageAlgorithm
from dubai_landcover_plugin.processing.parameters import add_outputs, add_parameter, build_request, label
from dubai_landcover_plugin.processing.raster_copies import has_pixels
from dubai_landcover_plugin.processing.vector_inputs import vector_source
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.teaching import UNUSED_OPTIONS, TeachRequest
from dubai_landcover_plugin.protocol.translation import tr

_MARGIN = 0.1  # of the samples' extent, drawn around them on web layers


class ModelFromSamples(ImageAlgorithm):
    """Corrects the last layers of a model with samples."""

    INFO = AlgorithmInfo(
        name="modelfromsamples",
        title="Model from Samples",
        group="Segmentation",
        tags="land cover,teach,train,samples,labels,training,own model,fine-tune,correct,learning,classes",
        summary="Teaches a model with points, lines or polygons of known classes and writes a model file.",
        help="<p>Corrects the last layers of a model with samples on an image: points, lines or polygons with a class. "
        "The result is a model file for <i>Segment Land Cover</i> and all other tools; give it there as <i>Model "
        "file</i>, or put it into the folder of models.</p>"
        "<p><b>Labels</b>: the attribute with the class has names or ids of classes of the model, or names of "
        "<b>New classes</b>. A layer of corrections can be used as it is. Draw some samples where the map is right, "
        "too, so that the model keeps it.</p>"
        "<p>The log shows for each class which share of the samples' pixels has the class, before, and after in "
        "cross-validation: each sample is judged by a model without it. If <i>after</i> is not higher than "
        "<i>before</i>, do not use the model.</p>"
        "<p>Only networks of the type of the shipped models can be taught, ONNX files cannot. The computation takes "
        "seconds to minutes.</p>",
        page="teaching.md",
    )
    REQUEST = TeachRequest
    FIRST = ("input", "labels", "class_field", "model")
    UNUSED = UNUSED_OPTIONS

    def __init__(self) -> None:
        super().__init__()
        self._labels = ""
        self._extent = QgsRectangle()

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare parameters and outputs."""
        self.add_image_inputs(class_field=self._add_class_field)
        add_outputs(self, TeachRequest)
        self.addOutput(
            QgsProcessingOutputNumber("BEFORE", tr("Agreement of the samples with the model before, 0 to 1"))
        )
        self.addOutput(QgsProcessingOutputNumber("AFTER", tr("The same after teaching, in cross-validation")))
        self.addOutput(QgsProcessingOutputString("SAMPLES", tr("Samples used by class, as JSON")))
        self.addOutput(QgsProcessingOutputString("MODEL_HASH", tr("SHA-256 of the model")))

    def _add_class_field(self, item: Described) -> None:
        parameter = QgsProcessingParameterField(item.key, label(item), parentLayerParameterName="LABELS", optional=True)
        add_parameter(self, item, parameter)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        super().prepareAlgorithm(parameters, context, feedback)
        samples = self.parameterAsSource(parameters, "LABELS", context)
        if samples is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, "LABELS"))
        fields = self.parameterAsFields(parameters, "CLASS_FIELD", context)
        self._labels = vector_source(self, parameters, "LABELS", context, feedback, *fields[:1])
        provider = self.source.provider
        if provider is not None and not has_pixels(provider):  # a web layer is drawn around the samples
            self._extent = self._around(samples.sourceExtent(), samples.sourceCrs(), context)
        return True

    def _around(self, extent: QgsRectangle, crs: Any, context: QgsProcessingContext) -> QgsRectangle:
        """Return the extent of the samples with a margin, in the CRS of the raster."""
        try:
            moved = QgsCoordinateTransform(crs, self.source.crs, context.transformContext()).transformBoundingBox(
                extent
            )
        except QgsCsException as error:
            raise QgsProcessingException(
                tr("The samples cannot be transformed to the CRS of the raster: {error}", error=error)
            ) from error
        return moved.buffered(_MARGIN * max(moved.width(), moved.height()))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine."""
        options, model = self.options(parameters, context)
        paths = destinations(self, TeachRequest, parameters, context)
        fields = self.parameterAsFields(parameters, "CLASS_FIELD", context)
        values = {"labels": self._labels, "class_field": fields[0] if fields else None}
        with self.opened(self._extent, (options, model), parameters, context, feedback) as (path, _, options):
            shared = {item.name: getattr(options, item.name) for item in type(options).described()}
            request = build_request(
                self, TeachRequest, parameters, context, paths, **{**shared, **values, "input": path}
            )
            value = self.run_engine("teach_model", request.to_json(), feedback)
        for name, found in value["classes"].items():
            feedback.pushInfo(
                tr(
                    "{name}: {count:,} samples, {before} → {after}",
                    name=name,
                    count=value["samples"][name],
                    before=_percent(found["before"]),
                    after=_percent(found["after"]),
                )
            )
        feedback.pushInfo(
            tr(
                "Agreement with the samples, before → after in cross-validation: {before} → {after}",
                before=_percent(value["before"]),
                after=_percent(value["after"]),
            )
        )
        results = {**paths, "BEFORE": value["before"], "SAMPLES": dumps(value["samples"])}
        return {**results, "AFTER": value["after"], "MODEL_HASH": value["model_hash"]}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
