"""Base class of algorithms that classify an image with a model: its raster, model, bands and options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterNumber,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.band_choice import add_bands
from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.layer_nodata import user_nodata
from dubai_landcover_plugin.processing.parameters import add_inputs, add_parameter, make_parameter
from dubai_landcover_plugin.processing.raster_copies import RasterInput
from dubai_landcover_plugin.processing.second_raster import opened_second, second_input
from dubai_landcover_plugin.processing.segment_request import add_model, check_parameters, segment_options
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

Extent = Optional[tuple[float, float, float, float]]


class ImageAlgorithm(LandCoverAlgorithm):
    """Classifies an image with a model; subclasses set the request."""

    REQUEST: ClassVar[type[Request]]
    FIRST: ClassVar[tuple[str, ...]]
    """Options that come first in the dialog."""
    UNUSED: ClassVar[tuple[str, ...]] = ()
    """Options without a parameter."""

    _source: RasterInput | None = None
    _second: RasterInput | None = None

    def add_image_inputs(self, **own: Any) -> None:
        """Add the inputs of the request and the resolution for web layers.

        Args:
            **own: By option name, functions that add another parameter than the general one; they take the option.
        """
        general = {
            "model": partial(add_model, self),
            "bands": partial(add_bands, self),
            "extent": self._add_extent,
            "gsd": self._add_resolutions,
        }
        add_inputs(self, self.REQUEST, first=self.FIRST, own={**general, **own}, skip=self.UNUSED)

    def _add_extent(self, item: Described) -> None:
        self.add(make_parameter(item), f"{tr(item.option.help)} {tr('Web layers (WMS, XYZ) need an extent.')}")

    def _add_resolutions(self, item: Described) -> None:
        add_parameter(self, item)
        parameter = QgsProcessingParameterNumber(
            "DRAWING_GSD",
            f"{tr(item.option.section)}: {tr('Resolution for web layers (m/px)')}",
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
        check_parameters(self, self.REQUEST, parameters, context)

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
        try:
            self._second = second_input(self, parameters, context)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    @property
    def source(self) -> RasterInput:
        """The raster.

        Raises:
            QgsProcessingException: if the algorithm was not prepared.
        """
        if self._source is None:
            raise QgsProcessingException("The algorithm was not prepared.")
        return self._source

    def options(
        self, parameters: Mapping[str, Any], context: QgsProcessingContext
    ) -> tuple[SegmentOptions, BundleMetadata]:
        """Return the engine's options and the metadata of the model.

        Raises:
            QgsProcessingException: for values that no run can use.
        """
        try:
            options = segment_options(self, parameters, context, self.source.crs_override, self.source.nodata)
            return options, read_metadata(options.model)
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error

    @contextmanager
    def opened(
        self,
        extent: QgsRectangle,
        chosen: tuple[SegmentOptions, BundleMetadata],
        parameters: Mapping[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> Iterator[tuple[str, Extent, SegmentOptions]]:
        """Yield path, extent and options for the request; copies of layers are deleted afterwards.

        Args:
            extent: Part of the raster, in its CRS; an empty one takes all.
            chosen: Options without the second raster, and the model: its ground sampling distance is that of drawn
                web layers by default.
            parameters: Values of the parameters.
            context: Processing's context.
            feedback: Receives progress; may cancel.
        """
        options, model = chosen
        gsd = self.parameterAsDouble(parameters, "DRAWING_GSD", context) or model.gsd
        with ExitStack() as stack:
            first = opened_for_engine(self.source, extent, gsd, context.transformContext(), feedback)
            path, part = stack.enter_context(first)
            second = stack.enter_context(opened_second(self._second, context, feedback))
            yield path, part, replace(options, second=second)
