"""Stretch of a raster to the brightness of a model's training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dubai_landcover_plugin.core.segmentation.appearance import BLACK, WHITE, Quantiles, UsualRange
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

MAX_EXPANSION = 2.0
"""Largest factor on the contrast, beyond the factor on the white point.

A dark image of a town needs 1 and one in strong haze 1.7; sand or fog alone would need more and become noise.
"""
MAX_GAIN = 4.0
"""Largest factor on the white point of 8-bit values that is applied without being asked for: deep water needs more."""


@dataclass(frozen=True)
class Match:
    """A stretch to the training images.

    Args:
        stretch: The stretch.
        together: Whether it is the same for all bands, which keeps the colours.
        limited: Whether the contrast stays lower than that of the training images, see :data:`MAX_EXPANSION`.
        gain: Factor on the mean white point.
    """

    stretch: Stretch
    together: bool
    limited: bool
    gain: float

    @property
    def is_safe(self) -> bool:
        """Whether 8-bit values may be stretched so without being asked for."""
        return self.together and not self.limited and self.gain <= MAX_GAIN


def match(quantiles: Quantiles, statistics: ValueStatistics) -> Match:
    """Return the stretch of black and white point to their means over the training images.

    Bands are stretched together if they have the proportions of the training images, else one by one.

    Args:
        quantiles: Quantiles of the raster, in its own unit.
        statistics: Values of the training images.
    """
    targets = np.array(statistics.images, np.float64).mean(axis=0)  # (C, 7)
    together = bool((quantiles[:, BLACK] >= 0).all()) and UsualRange(statistics).is_balanced(quantiles)
    gain = float(targets[:, WHITE].mean() / max(quantiles[:, WHITE].mean(), 1e-9))
    if together:
        limits, limited = _limits(*_points(quantiles.mean(axis=0)), *_points(targets.mean(axis=0)))
        return Match(Stretch((limits,) * len(quantiles)), True, limited, gain)
    pairs = [_limits(*_points(band), *_points(target)) for band, target in zip(quantiles, targets, strict=True)]
    return Match(Stretch(tuple(limits for limits, _ in pairs)), False, any(limited for _, limited in pairs), gain)


def _points(quantiles: Quantiles) -> tuple[float, float]:
    """Return black and white point of (7,) quantiles."""
    return float(quantiles[BLACK]), float(quantiles[WHITE])


def _limits(black: float, white: float, new_black: float, new_white: float) -> tuple[tuple[float, float], bool]:
    """Return the values mapped to 0 and 255, and whether the contrast is limited; ``white`` becomes ``new_white``."""
    span = max(white - black, abs(white) * 1e-6, 1e-6)
    slope = (new_white - new_black) / span
    limited = False
    if black >= 0 and white > 0:  # proportions mean nothing where values are shifted below zero
        most = MAX_EXPANSION * new_white / white
        limited = slope > most
        slope = min(slope, most)
    low = white - new_white / slope
    return (low, low + 255 / slope), limited
