"""A second raster with further bands, such as a height model: its layer, the check of it, its path for the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsRasterLayer, QgsRectangle

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.band_choice import COLOURS
from dubai_landcover_plugin.processing.inputs import opened_for_engine, raster_input
from dubai_landcover_plugin.processing.raster_copies import RasterInput, has_pixels
from dubai_landcover_plugin.protocol.derived_bands import RECIPES
from dubai_landcover_plugin.protocol.errors import BandError, GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.translation import joined, tr

_SECOND = "SECOND"


def second_layer(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> QgsRasterLayer | None:
    """Return the layer of the second raster; None where none was chosen.

    Raises:
        RequestError: if it cannot be found, or is drawn and has no values of its own, as web layers.
        GeoreferenceError: if it has no CRS.
    """
    if parameters.get(_SECOND) in (None, ""):
        return None
    layer = algorithm.parameterAsRasterLayer(parameters, _SECOND, context)
    if layer is None or not layer.isValid():
        raise RequestError(algorithm.invalidRasterError(parameters, _SECOND))
    if not has_pixels(layer.dataProvider()):
        raise RequestError(
            tr("The layer '{name}' is drawn from the web, and has no values of its own.", name=layer.name()),
            tr("Choose a raster with values, such as a height model, as second raster."),
        )
    if not layer.crs().isValid():
        raise GeoreferenceError(
            tr("The second raster '{name}' has no CRS, so it cannot be placed on the first.", name=layer.name()),
            tr("Set the CRS of the layer first."),
        )
    return layer


def check_enough_bands(names: Sequence[str], layer: QgsRasterLayer, second: QgsRasterLayer | None) -> None:
    """Refuse rasters that have fewer bands than a model reads.

    Args:
        names: Bands of the model. Those that the raster may have, or that are computed, count once.
        layer: The raster.
        second: The second raster; None without.

    Raises:
        BandError: with the bands of the model.
    """
    if sorted(names) == sorted(COLOURS):
        return  # a palette has one band; the engine says what else is wrong
    own = [name for name in names if name not in RECIPES]
    given = layer.bandCount() + (second.bandCount() if second is not None else 0)
    if given >= len(own) + (len(own) < len(names)):
        return
    raise BandError(
        tr(
            "The model reads {n} bands ({names}), '{layer}' has {given}.",
            n=len(names),
            names=joined(names),
            layer=layer.name(),
            given=given,
        )
        if second is None
        else tr(
            "The model reads {n} bands ({names}), '{layer}' and '{second}' have {given}.",
            n=len(names),
            names=joined(names),
            layer=layer.name(),
            second=second.name(),
            given=given,
        ),
        tr("Give the raster that has the others as second raster, or choose another model."),
    )


def second_input(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> RasterInput | None:
    """Return how the engine reads the second raster; None where none was chosen. Call it in the main thread.

    Raises:
        LandCoverError: see :func:`second_layer`.
    """
    layer = second_layer(algorithm, parameters, context)
    return None if layer is None else raster_input(layer, has_options=False)


@contextmanager
def opened_second(
    source: RasterInput | None, context: QgsProcessingContext, feedback: QgsProcessingFeedback
) -> Iterator[str | None]:
    """Yield the path of the second raster for the request, None without; a copy of the layer is deleted afterwards."""
    if source is None:
        yield None
        return
    with opened_for_engine(source, QgsRectangle(), 1.0, context.transformContext(), feedback) as (path, _):
        yield path
