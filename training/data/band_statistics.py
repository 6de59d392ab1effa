"""Mean and standard deviation of the bands of training images, with which a model standardizes rasters of any type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import InputBands
from ..errors import DatasetError
from .dataset import Entry
from .pixels import open_image

_REACH = 4.0  # standard deviations from the mean at which values are cut off


def standardized(entries: Sequence[Entry], bands: InputBands) -> InputBands:
    """Return bands with a scaling, a mean and a standard deviation from the valid pixels of training images.

    The limits of a band are its mean plus and minus four standard deviations; the lower one is 0 for bands of light
    without negative values, so that a factor on the values stays a factor on the network's input. Of each file at most
    1024 px a side are sampled, and every sampled pixel counts alike.

    Args:
        entries: Training images; each file is read once.
        bands: Bands to read.

    Raises:
        DatasetError: if a file cannot be read, or a band has one value everywhere.
    """
    count, total, squares = (np.zeros(len(bands.names)) for _ in range(3))
    least = np.full(len(bands.names), np.inf)
    units: dict[tuple[str, ...], None] = {}
    for path in dict.fromkeys(entry.image for entry in entries):
        with open_image(path, bands) as source:
            sample = source.read_sample()
            units[source.units] = None
        values = sample.values[:, sample.valid]  # (C, N) float64 with NaN
        known = np.isfinite(values)
        count += known.sum(axis=1)
        total += np.where(known, values, 0).sum(axis=1)
        squares += np.square(np.where(known, values, 0)).sum(axis=1)
        least = np.minimum(least, np.where(known, values, np.inf).min(axis=1, initial=np.inf))
    mean = total / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
    for name, pixels, deviation, level in zip(bands.names, count, spread, mean, strict=True):
        if not pixels or deviation <= 1e-9 * max(abs(level), 1e-9):
            raise DatasetError(
                tr("The band {name} has the value {level:g} everywhere in the training images.", name=name, level=level)
                if pixels
                else tr("The band {name} has no valid pixel in the training images.", name=name),
                tr("Leave this band out, or check the files."),
            )
    low, high = mean - _REACH * spread, mean + _REACH * spread
    of_light = np.isin(np.arange(len(mean)), bands.light) & (least >= 0)
    low = np.where(of_light, 0.0, low)
    span = high - low
    limits = tuple((float(first), float(last)) for first, last in zip(low, high, strict=True))
    found = next(iter(units)) if len(units) == 1 else ()
    return replace(
        bands,
        scaling=BandScaling(limits, found if any(found) else ()),
        mean=tuple(((mean - low) / span).tolist()),
        std=tuple((spread / span).tolist()),
    )
