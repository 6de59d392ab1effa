"""Chooses the stretch of a raster to 8 bits, and compares its values with those of the training images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.appearance import (
    BLACK,
    WHITE,
    Departure,
    Quantiles,
    UsualRange,
    quantiles_of,
)
from dubai_landcover_plugin.core.segmentation.matching import match
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.translation import joined, tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

_COARSE = 3  # windows along each axis, which are read for other checks too
_DENSE = 10  # windows along each axis where nine windows depart: 10 × 10 of 64 px decide
_LEAST = 256  # valid pixels that a comparison needs
_REMEDIES = {
    "dark": "If it is underexposed, stretch it: --stretch match. If it shows water or shadow alone, this is right.",
    "hazy": "If it is in haze, stretch it: --stretch match. If it shows sand, snow or fog alone, this is right.",
    "cast": "Check the order of its bands (--bands), or match each band: --stretch match.",
}


@dataclass
class StretchChoice:
    """A stretch with what the user should know about it.

    Args:
        stretch: The stretch.
        notes: Messages for the log.
        warnings: Warnings for the user.
    """

    stretch: Stretch
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add_constant(self, bands: list[int]) -> None:
        """Add a warning about bands that have one value, if there are any."""
        if bands:
            listed = joined(map(str, bands))
            self.warnings.append(tr("Band {listed} is constant: classes cannot be distinguished by it.", listed=listed))


def choose_stretch(source: RasterSource, options: SegmentOptions, statistics: ValueStatistics | None) -> StretchChoice:
    """Return the stretch of a raster.

    It depends on the whole raster, not on the extent.

    Args:
        source: The open raster.
        options: Options of the run.
        statistics: Values of the model's training images; None for models without them.

    Raises:
        RequestError: if limits do not fit the raster, or its type has no range for the stretch ``none``.
        RasterReadError: if a sample cannot be read.
    """
    if options.limits is not None or options.stretch == "none":
        choice = StretchChoice(_fixed(source, options))
        if options.limits is None and source.dtype == np.uint8:
            choice.add_constant(source.constant_bands())
        _compare(choice, source, statistics)
        return choice
    if source.dtype == np.uint8 and options.stretch == "auto":
        return _of_bytes(source, statistics)
    return _of_sample(source, options, statistics)


def _fixed(source: RasterSource, options: SegmentOptions) -> Stretch:
    """Return the given limits, or the full range of the type."""
    bands = _count(source)
    if options.limits is not None:
        if len(options.limits) not in (1, bands):
            raise RequestError(
                tr(
                    "The stretch needs a low and a high value for each of {bands} bands, got {given} pairs.",
                    bands=bands,
                    given=len(options.limits),
                )
            )
        return Stretch(options.limits if len(options.limits) == bands else options.limits * bands)
    if source.dtype == np.uint8:
        return Stretch.identity(bands)
    if source.dtype.kind not in "iu":
        raise RequestError(
            tr("A raster of type {dtype} has no fixed value range for stretch 'none'.", dtype=source.dtype),
            tr("Use the automatic stretch, or give a low and a high value for each band."),
        )
    return Stretch(((0.0, float(2 ** (8 * source.dtype.itemsize - (source.dtype.kind == "i")) - 1)),) * bands)


def _of_bytes(source: RasterSource, statistics: ValueStatistics | None) -> StretchChoice:
    """Return the automatic stretch of 8 bits: none, unless it is clear that the raster is dark or in haze."""
    choice = StretchChoice(Stretch.identity(_count(source)))
    choice.add_constant(source.constant_bands())
    found = _departures(source, choice.stretch, statistics)
    if statistics is None or found is None:
        return choice
    departures, quantiles = found
    matched = match(quantiles, statistics)
    if {one.kind for one in departures} <= {"dark", "hazy"} and matched.is_safe:
        choice.stretch = matched.stretch
        text = " ".join(one.text for one in departures)
        choice.warnings.append(
            tr(
                "{text} Its values {listed} are stretched to 0–255, the brightness of the training images. "
                "--stretch none leaves them as they are.",
                text=text,
                listed=_listed(choice.stretch),
            )
        )
    else:
        _warn(choice, departures)
    return choice


def _of_sample(source: RasterSource, options: SegmentOptions, statistics: ValueStatistics | None) -> StretchChoice:
    """Return a stretch by the values of a sample of the whole raster."""
    if source.dtype == np.uint8:  # as the automatic stretch of 8 bits
        values: npt.NDArray[np.generic] = source.sample_values(_DENSE)
    else:
        sample = source.read_sample()
        values = sample.values[:, sample.valid]
    quantiles = None if statistics is None else quantiles_of(list(values))
    by_percentiles = options.stretch == "percentiles" or (
        statistics is not None and statistics.stretched and source.dtype != np.uint8 and options.stretch == "auto"
    )
    if statistics is None or quantiles is None or by_percentiles or _is_sparse(quantiles):
        choice = StretchChoice(Stretch.from_sample(values[:, None], np.ones((1, values.shape[1]), bool)))
        how = tr("2nd to 98th percentile of each band")
    else:
        matched = match(quantiles, statistics)
        choice = StretchChoice(matched.stretch)
        how = (
            tr("to the brightness of the training images, all bands alike")
            if matched.together
            else tr("to the brightness of the training images, band by band")
        )
        if matched.limited:
            choice.warnings.append(
                tr(
                    "The raster has little contrast, as of water, sand or snow alone, and is stretched less than "
                    "others. If it shows more than that, give the limits (--limits), or use --stretch percentiles."
                )
            )
    choice.notes.append(
        tr(
            "{dtype} values are stretched from {listed} ({how}).",
            dtype=source.dtype,
            listed=_listed(choice.stretch),
            how=how,
        )
    )
    flat = [known.size > 0 and bool(np.ptp(known) == 0) for known in (band[np.isfinite(band)] for band in values)]
    choice.add_constant([band for band, constant in zip(source.bands, flat, strict=False) if constant])
    return choice


def _compare(choice: StretchChoice, source: RasterSource, statistics: ValueStatistics | None) -> None:
    """Warn if the stretched raster is unlike the training images."""
    found = _departures(source, choice.stretch, statistics)
    if found is not None:
        _warn(choice, found[0])


def _warn(choice: StretchChoice, departures: Sequence[Departure]) -> None:
    choice.warnings += [f"{one.text} {tr(_REMEDIES[one.kind])}" for one in departures]


def _departures(
    source: RasterSource, stretch: Stretch, statistics: ValueStatistics | None
) -> tuple[list[Departure], Quantiles] | None:
    """Return the departures of a stretched raster, and its quantiles before the stretch; None if there are none.

    The nine windows that are read anyway are compared first. Where they depart, a hundred windows decide.
    """
    if statistics is None:
        return None
    usual = UsualRange(statistics)
    found: list[Departure] = []
    quantiles = None
    for side in (_COARSE, _DENSE):
        values = source.sample_values(side)
        quantiles = quantiles_of(list(values)) if values.shape[1] >= _LEAST else None
        found = [] if quantiles is None else usual.departures(_stretched(quantiles, stretch))
        if not found:
            return None
    return None if quantiles is None else (found, quantiles)


def _stretched(quantiles: Quantiles, stretch: Stretch) -> Quantiles:
    """Return (C, 7) quantiles after a stretch, which keeps their order."""
    low, high = np.array(stretch.limits).T[:, :, None]  # (C, 1) each
    after: Quantiles = np.clip((quantiles - low) / (high - low), 0, 1) * 255
    return after


def _is_sparse(quantiles: Quantiles) -> bool:
    """Return whether a band has one value nearly everywhere."""
    return bool((quantiles[:, BLACK] == quantiles[:, WHITE]).any())


def _count(source: RasterSource) -> int:
    return 3 if source.has_palette else len(source.bands)


def _listed(stretch: Stretch) -> str:
    """Return the limits for messages, once if they are those of all bands."""
    limits = list(dict.fromkeys(stretch.limits))
    return joined(f"{low:.6g}–{high:.6g}" if low >= 0 else f"({low:.6g})–{high:.6g}" for low, high in limits)
