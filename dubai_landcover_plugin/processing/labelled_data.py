"""Base class of algorithms that read labelled rasters: rasters or a folder, and a label layer or masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsRasterLayer,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.parameters import (
    NONE,
    add_inputs,
    add_parameter,
    build_request,
    enumeration,
    label,
    option_values,
)
from dubai_landcover_plugin.processing.raster_copies import RasterInput, has_pixels
from dubai_landcover_plugin.processing.second_raster import opened_second, second_input, second_layer
from dubai_landcover_plugin.processing.segment_request import chosen_name, installed_model, model_words
from dubai_landcover_plugin.processing.vector_inputs import check_saved, vector_source
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, LandCoverError, RequestError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import readable_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.requests.labelling import LabelledData
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import available_models, default_model

_FIRST = ("rasters", "folder", "labels", "class_field", "masks")


class LabelledAlgorithm(LandCoverAlgorithm):
    """An algorithm whose request has :class:`.LabelledData`; subclasses set the request and define ``compute``."""

    REQUEST: ClassVar[type[Request]]

    def __init__(self) -> None:
        super().__init__()
        self._rasters: list[RasterInput] = []
        self._labels = ""
        self._second: RasterInput | None = None

    def add_data_inputs(self, skip: Sequence[str] = (), **own: Any) -> None:
        """Add the inputs of the request.

        Args:
            skip: Names of options without a parameter.
            **own: By option name, functions that add another parameter than the general one; they take the option.
        """
        add_inputs(self, self.REQUEST, first=_FIRST, own={"class_field": self._add_class_field, **own}, skip=skip)

    def _add_class_field(self, item: Described) -> None:
        parameter = QgsProcessingParameterField(item.key, label(item), parentLayerParameterName="LABELS", optional=True)
        add_parameter(self, item, parameter)

    def add_start(self, item: Described) -> None:
        """Add the choice of the model to start from: an installed one, none, or a file."""
        readable, _ = readable_models(available_models())
        names = [name for name, metadata in readable.items() if metadata.spec.architecture != "onnx"]
        words = [model_words(name, readable[name]) for name in names]
        default = next((name for name in (default_model(), item.default, *names) if name in names), NONE)
        parameter = enumeration(
            str(item.key), label(item), [*names, NONE], [*words, tr("None: a new network")], default
        )
        add_parameter(self, item, parameter)
        file = QgsProcessingParameterFile(
            "START_FILE", tr("Start from a model file"), optional=True, fileFilter=f"{tr('Models')} (*{BUNDLE_SUFFIX})"
        )
        self.add(file, tr("A model that is not in the list. It replaces the start chosen above."), advanced=True)

    def start(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> str:
        """Return the path of the model to start from; empty for none.

        Raises:
            BundleError: if it is not installed or cannot be read.
        """
        file = self.parameterAsFile(parameters, "START_FILE", context)
        name = chosen_name(self, "START", parameters, context)
        if not file and name == NONE:
            return ""
        path = file or str(installed_model(name))
        read_metadata(path)  # refuses what is no model
        return path

    def raster_layers(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> list[QgsRasterLayer]:
        """Return the layers of the rasters.

        Raises:
            RequestError: if one is missing, or is drawn and has no pixels of its own, as web layers.
        """
        layers = self.parameterAsLayerList(parameters, "RASTERS", context) if parameters.get("RASTERS") else []
        for layer in layers:
            if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
                raise RequestError(self.invalidRasterError(parameters, "RASTERS"))
            if not has_pixels(layer.dataProvider()):
                raise RequestError(
                    tr("The layer '{name}' is drawn from the web, and has no pixels of its own.", name=layer.name()),
                    tr("Save the part that you labelled as a GeoTIFF (Export > Save As…) and use that."),
                )
        if parameters.get("RASTERS") and not layers:
            raise RequestError(self.invalidRasterError(parameters, "RASTERS"))
        return layers

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse missing data, unsaved labels, and layers without a CRS."""
        super().check(parameters, context)
        layers = self.raster_layers(parameters, context)
        self._data(parameters, context, tuple(layer.name() for layer in layers)).check_complete()
        if parameters.get("LABELS"):
            check_saved(parameters["LABELS"], context)
            for layer in layers:
                check_crs(layer)
        second_layer(self, parameters, context)
        if self.parameterDefinition("START") is not None:
            self.start(parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        self._rasters = [raster_input(layer, has_options=False) for layer in self.raster_layers(parameters, context)]
        try:
            self._second = second_input(self, parameters, context)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        if parameters.get("LABELS"):
            fields = self.parameterAsFields(parameters, "CLASS_FIELD", context)
            self._labels = vector_source(self, parameters, "LABELS", context, feedback, *fields[:1])
            if not self._labels:
                raise QgsProcessingException(self.invalidSourceError(parameters, "LABELS"))
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Copy the layers that the engine cannot read as they are, and compute."""
        with self._opened(context, feedback) as paths, opened_second(self._second, context, feedback) as second:
            data = replace(self._data(parameters, context, paths), second=second)
            return self.compute(data, parameters, context, feedback)

    def compute(
        self,
        data: LabelledData,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the engine on labelled data and return the results."""
        raise NotImplementedError

    def run_task(
        self,
        task: str,
        data: LabelledData,
        paths: Mapping[str, str],
        parameters: Mapping[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        **values: Any,
    ) -> dict[str, Any]:
        """Run a task of the engine on labelled data and return its result.

        Args:
            task: Name of the task.
            data: The labelled data.
            paths: Result of :func:`.destinations`.
            parameters: Values of the parameters.
            context: Processing's context.
            feedback: Receives progress and messages.
            **values: Options that the algorithm reads itself.
        """
        own = {item.name: getattr(data, item.name) for item in LabelledData.described()}
        request = build_request(self, self.REQUEST, parameters, context, paths, **values, **own)
        return self.run_engine(task, request.to_json(), feedback)

    @contextmanager
    def _opened(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> Iterator[tuple[str, ...]]:
        """Yield the paths of the rasters."""
        with ExitStack() as stack:
            yield tuple(
                stack.enter_context(
                    opened_for_engine(source, QgsRectangle(), 1.0, context.transformContext(), feedback)
                )[0]
                for source in self._rasters
            )

    def _data(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext, rasters: tuple[str, ...]
    ) -> LabelledData:
        fields = self.parameterAsFields(parameters, "CLASS_FIELD", context)
        plain = option_values(self, LabelledData, parameters, context, skip=("class_field",))
        return LabelledData(
            rasters=rasters,
            folder=self.parameterAsFile(parameters, "FOLDER", context) or None,
            labels=self._labels or (str(parameters["LABELS"]) if parameters.get("LABELS") else None),
            masks=self.parameterAsFile(parameters, "MASKS", context) or None,
            class_field=fields[0] if fields else None,
            **plain,
        )


def check_crs(layer: QgsRasterLayer) -> None:
    """Refuse a raster on which labels cannot be placed.

    Raises:
        GeoreferenceError: if it has no CRS.
    """
    if not layer.crs().isValid():
        raise GeoreferenceError(
            tr("The raster '{name}' has no CRS, so labels cannot be placed on it.", name=layer.name()),
            tr("Set the CRS of the layer first."),
        )
