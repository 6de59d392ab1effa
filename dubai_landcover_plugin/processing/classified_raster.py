"""Base class of algorithms whose input is a classified raster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsRasterLayer,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.layer_nodata import open_source
from dubai_landcover_plugin.processing.raster_copies import RasterInput, has_pixels
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import tr


def image_name(layer: QgsRasterLayer) -> str:
    """Return the name of the image that a classified raster was made from; that of the layer where it is not known.

    Temporary results are called OUTPUT, whatever the image.
    """
    dataset = open_source(layer.source()) if layer.providerType() == "gdal" else None
    text = dataset.GetMetadataItem("LANDCOVER_RUN") if dataset is not None else None
    try:
        request = json.loads(text or "{}")["request"]
        name = request.get("source") or Path(request["input"].replace("\\", "/")).stem
    except (ValueError, KeyError, TypeError, AttributeError):
        name = ""
    return str(name or layer.name())


class ClassifiedRasterAlgorithm(LandCoverAlgorithm):
    """An algorithm that reads classified rasters and, optionally, their confidence; subclasses define ``compute``."""

    RASTERS: ClassVar[tuple[str, ...]] = ("INPUT", "CONFIDENCE")
    """Parameters that take such a raster, as far as the algorithm has them."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        """Paths of the rasters by option name, while the algorithm computes."""
        self.names: dict[str, str] = {}
        """Names of the images that the rasters were made from, by option name."""
        self._sources: dict[str, RasterInput] = {}

    def help_page(self) -> str:
        """Return the help beside the dialog, with what counts as a classified raster."""
        return super().help_page() + tr(
            "<p>Classified rasters are those of <i>Segment Land Cover</i>, mosaics and edited copies of them, and "
            "other rasters of one band with class ids.</p>"
        )

    def layers(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> dict[str, QgsRasterLayer]:
        """Return the rasters that are given, by parameter.

        Raises:
            RequestError: if one is missing, broken or has no pixels of its own, as web layers that are drawn.
        """
        found = {}
        for name in self.RASTERS:
            definition = self.parameterDefinition(name)
            if definition is None:
                continue
            layer = self.parameterAsRasterLayer(parameters, name, context)
            if layer is None or not layer.isValid():
                if parameters.get(name) or not definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional:
                    raise RequestError(self.invalidRasterError(parameters, name))
                continue
            if not has_pixels(layer.dataProvider()):
                raise RequestError(
                    tr("The layer '{name}' is not a raster of class ids.", name=layer.name()),
                    tr("Choose a raster that Segment Land Cover has written, a mosaic or an edited copy."),
                )
            found[name] = layer
        return found

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse layers that are not rasters of class ids."""
        super().check(parameters, context)
        self.layers(parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Take the layers' paths; layers belong to the main thread."""
        try:
            layers = self.layers(parameters, context)
        except RequestError as error:
            raise QgsProcessingException(str(error)) from error
        for name, layer in layers.items():
            chosen = parameters.get("SCHEME") or parameters.get(f"{name}_SCHEME")
            source = raster_input(layer, has_options=False)
            self.names[name.lower()] = image_name(layer)
            self._sources[name.lower()] = replace(source, has_names=not chosen)
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Copy the layers that the engine cannot read as they are, and compute."""
        with ExitStack() as stack:
            for name, source in self._sources.items():
                copied = opened_for_engine(source, QgsRectangle(), 1.0, context.transformContext(), feedback)
                self.inputs[name], _ = stack.enter_context(copied)
            return self.compute(parameters, context, feedback)

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine on :attr:`inputs` and return the results."""
        raise NotImplementedError
