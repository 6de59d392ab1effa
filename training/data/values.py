"""Statistics of the pixel values of training images, which a model file keeps for comparison with rasters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dubai_landcover_plugin.protocol.value_statistics import LEVELS, MAX_IMAGES, ValueStatistics

from ..bands import InputBands
from .dataset import Entry, LabelledImage
from .pixels import open_image

_SAMPLE = 100_000  # pixels of an image from which its quantiles are computed
_LEAST = 256  # valid pixels of an image that counts
_OPENED = 9  # files from which their type is taken

Quantiles = tuple[tuple[float, ...], ...]


def value_statistics(images: Iterable[LabelledImage], stretched: bool = False) -> ValueStatistics | None:
    """Return the quantiles of the valid pixels of images; None if no image has enough of them.

    Of more than ``MAX_IMAGES`` images, some are taken that are evenly spaced in the order of their medians, so that the
    spread between images is kept.

    Args:
        images: Images; each is released before the next one is taken.
        stretched: Whether they have more than 8 bits.
    """
    found = [quantiles for image in images if (quantiles := _quantiles(image)) is not None]
    if not found:
        return None
    found.sort(key=lambda image: sum(band[len(LEVELS) // 2] for band in image))
    count = min(len(found), MAX_IMAGES)
    chosen = np.linspace(0, len(found) - 1, count).round().astype(int)
    return ValueStatistics(tuple(found[index] for index in chosen), stretched)


def are_stretched(entries: Sequence[Entry], bands: InputBands) -> bool:
    """Return whether most image files have more than 8 bits, from some of them.

    Args:
        entries: Images.
        bands: Bands that are read; with a scaling nothing is stretched.

    Raises:
        DatasetError: if a file cannot be opened.
    """
    if bands.scaling is not None:
        return False
    opened = entries[:: max(len(entries) // _OPENED, 1)]
    deep = 0
    for entry in opened:
        with open_image(entry.image, bands) as source:
            deep += source.dtype != np.uint8
    return 2 * deep > len(opened)


def _quantiles(image: LabelledImage) -> Quantiles | None:
    """Return the quantiles of each band from a regular sample; None if few pixels are valid."""
    step = max(int((image.labels.size / _SAMPLE) ** 0.5), 1)
    pixels = image.pixels[::step, ::step]  # (h, w, C)
    known = pixels.reshape(-1, pixels.shape[2]) if image.valid is None else pixels[image.valid[::step, ::step]]
    if len(known) < min(_LEAST, image.labels.size):
        return None
    values = np.percentile(known, LEVELS, axis=0).T.round(1)  # (C, 7)
    return tuple(tuple(band) for band in values.tolist())
