"""Brightness, contrast and colour of a raster, compared with the training images of a model.

The measures are those of an image as a whole. Limits come from the spread between the training images, widened by
margins that were chosen with the shipped model: see docs/inputs.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.protocol.value_statistics import LEVELS, ValueStatistics

Quantiles = npt.NDArray[np.float64]
"""(C, 7) values of each band at the percentages of ``LEVELS``."""

BLACK, MEDIAN, WHITE = LEVELS.index(2), LEVELS.index(50), LEVELS.index(98)
_LOWER, _BRIGHT = LEVELS.index(25), LEVELS.index(75)  # the bands are compared from the latter on
_RARE = 0.02  # share of training images beyond a limit of brightness or colour
_FOGGY = 0.05  # share of training images beyond a limit of haze
_DARKER = 0.8  # factor on the lowest white point: pictures of other places have at least this much
_HAZIER = 40.0  # grey levels above the highest black point
_NARROW = 0.5  # contrast, relative to the white point, below which a bright raster may be sand or snow alone
_UNIFORM = 0.35  # range of the middle half of its values, relative to the contrast, below which it is
_STRONGER = 0.12  # relative difference of a band, beyond that of the training images


@dataclass(frozen=True)
class Appearance:
    """Measures of an image.

    Args:
        black: Black point: the 2nd percentile, mean over bands, 0..255.
        median: Median, mean over bands.
        middle: Range of the middle half of the values, mean over bands.
        white: White point: the 98th percentile, mean over bands.
        casts: For each band its relative difference from the mean of the bands in the brighter half of its values.
    """

    black: float
    median: float
    middle: float
    white: float
    casts: tuple[float, ...]

    @classmethod
    def of(cls, quantiles: Quantiles) -> Appearance:
        """Return the measures of an image from its quantiles."""
        mean = quantiles.mean(axis=0)
        middle = float(mean[_BRIGHT] - mean[_LOWER])
        casts = tuple(_casts(quantiles).tolist())
        return cls(float(mean[BLACK]), float(mean[MEDIAN]), middle, float(mean[WHITE]), casts)


@dataclass(frozen=True)
class Departure:
    """A measure of a raster that is beyond its limit.

    Args:
        kind: ``dark``, ``hazy`` or ``cast``.
        text: Sentence with value and limit.
    """

    kind: str
    text: str


class UsualRange:
    """Limits of the measures of images that are like the training images.

    Args:
        statistics: Values of the training images.
    """

    def __init__(self, statistics: ValueStatistics) -> None:
        images = np.array(statistics.images, np.float64)  # (I, C, 7)
        mean = images.mean(axis=1)  # (I, 7)
        self.white = _DARKER * float(np.quantile(mean[:, WHITE], _RARE))
        self.black = _HAZIER + float(np.quantile(mean[:, BLACK], 1 - _FOGGY))
        self.median = float(np.quantile(mean[:, MEDIAN], 1 - _FOGGY))
        low, high = np.quantile(_casts(images), (_RARE, 1 - _RARE), axis=0)  # (C,) each
        self.cast_limits = list(zip((low - _STRONGER).tolist(), (high + _STRONGER).tolist(), strict=True))

    def departures(self, quantiles: Quantiles) -> list[Departure]:
        """Return the measures of a raster that are beyond their limits, from its quantiles on the scale 0..255."""
        found = Appearance.of(quantiles)
        departures = []
        if found.white < self.white:
            departures.append(
                Departure(
                    "dark",
                    tr(
                        "The raster is darker than the training images of the model: the 98th percentile of its values "
                        "is {value:.0f}, the limit {limit:.0f} of 255.",
                        value=found.white,
                        limit=self.white,
                    ),
                )
            )
        elif found.black > self.black and not self._is_uniform(found):
            departures.append(
                Departure(
                    "hazy",
                    tr(
                        "The raster has less contrast than the training images of the model, as in haze: the 2nd "
                        "percentile of its values is {value:.0f}, the limit {limit:.0f} of 255.",
                        value=found.black,
                        limit=self.black,
                    ),
                )
            )
        if strongest := self._strongest_cast(found.casts):
            departures.append(Departure("cast", strongest))
        return departures

    def is_balanced(self, quantiles: Quantiles) -> bool:
        """Return whether the bands have the proportions of the training images; the unit of the values is free."""
        return self._strongest_cast(Appearance.of(quantiles).casts) is None

    def _is_uniform(self, found: Appearance) -> bool:
        """Return whether a raster is bright and uniform, as sand and snow are, but rarely a town in haze."""
        contrast = found.white - found.black
        return found.median > self.median and contrast < _NARROW * found.white and found.middle < _UNIFORM * contrast

    def _strongest_cast(self, casts: Sequence[float]) -> str | None:
        """Return a sentence about the band that is farthest beyond its limits, None if all are within."""
        excess = [max(low - cast, cast - high) for cast, (low, high) in zip(casts, self.cast_limits, strict=True)]
        index = int(np.argmax(excess))
        if excess[index] <= 0:
            return None
        low, high = self.cast_limits[index]
        return tr(
            "The raster has other colours than the training images of the model: the bright values of input "
            "band {band} differ by {cast:+.0%} from the mean of the bands, the limits are {low:+.0%} and "
            "{high:+.0%}.",
            band=index + 1,
            cast=casts[index],
            low=low,
            high=high,
        )


def quantiles_of(values: Sequence[npt.NDArray[np.generic]]) -> Quantiles | None:
    """Return the quantiles of the finite values of each band; None if a band has none.

    Args:
        values: Values of each band, of any type and number.
    """
    found = []
    for band in values:
        known = band[np.isfinite(band)]
        if not known.size:
            return None
        found.append(np.percentile(known, LEVELS))
    return np.array(found, np.float64)


def _casts(quantiles: Quantiles) -> Quantiles:
    """Return the relative difference of each band from the mean of the bands, (…, C) for (…, C, 7) quantiles."""
    bright = quantiles[..., _BRIGHT:].sum(axis=-1)
    casts: Quantiles = bright / np.maximum(bright.mean(axis=-1, keepdims=True), 1e-9) - 1
    return casts
