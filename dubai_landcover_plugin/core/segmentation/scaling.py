"""Applies the scaling that a model has for its bands, and tells rasters whose values are of another kind."""

from __future__ import annotations

import numpy as np

from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.core.segmentation.stretch_choice import StretchChoice
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

_MOST_OUTSIDE = 0.5  # share of the values of a band beyond the limits above which they are of another kind
_LEAST_SPREAD = 0.1  # of that of the training rasters
_REMEDY = (
    "Give a raster in the unit of the training rasters, or choose the bands yourself (--bands) if their order differs."
)


def fixed_scaling(
    source: RasterSource, options: SegmentOptions, metadata: BundleMetadata, scaling: BandScaling
) -> StretchChoice:
    """Return the scaling of a model, with warnings about bands whose values are unlike those of the training.

    Args:
        source: The open raster.
        options: Options of the run.
        metadata: Metadata of the model.
        scaling: Its scaling.

    Raises:
        RequestError: if the options ask for another stretch.
        RasterReadError: if a sample cannot be read.
    """
    if options.stretch != "auto" or options.limits not in (None, scaling.limits):
        raise RequestError(
            tr(
                "The model {model} scales its bands as in its training: {scaling}. Its input is not stretched.",
                model=metadata.name,
                scaling=scaling.describe(metadata.bands),
            ),
            tr("Leave out the stretch and its limits (--stretch, --limits)."),
        )
    choice = StretchChoice(Stretch(scaling.limits, rounded=False))
    choice.notes.append(
        tr(
            "{dtype} values are scaled as in the training, not stretched: {scaling}.",
            dtype=source.dtype,
            scaling=scaling.describe(metadata.bands),
        )
    )
    values = source.sample_values()  # (C, N)
    deviations = scaling.raw(metadata.std, spread=True)
    for name, own, (low, high), deviation in zip(metadata.bands, values, scaling.limits, deviations, strict=True):
        known = own[np.isfinite(own)].astype(np.float64)
        if not known.size:
            continue
        outside = float(((known < low) | (known > high)).mean())
        if outside > _MOST_OUTSIDE:
            choice.warnings.append(
                tr(
                    "{outside:.0%} of the values of {name} are outside of {low:.4g} to {high:.4g}, the range of the "
                    "training rasters: they are {smallest:.4g} to {largest:.4g}. {remedy}",
                    outside=outside,
                    name=name,
                    low=low,
                    high=high,
                    smallest=known.min(),
                    largest=known.max(),
                    remedy=tr(_REMEDY),
                )
            )
        elif known.std() < _LEAST_SPREAD * deviation:
            choice.warnings.append(
                tr(
                    "{name} hardly varies: the standard deviation of its values is {found_deviation:.3g}, that of "
                    "the training rasters {deviation:.3g}. If it does vary, its unit is another one. {remedy}",
                    name=name,
                    found_deviation=known.std(),
                    deviation=deviation,
                    remedy=tr(_REMEDY),
                )
            )
    return choice
