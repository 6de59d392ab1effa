"""One rule for pixels without data: nodata values, GDAL's mask, alpha, NaN and values that no sensor measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags

from dubai_landcover_plugin.protocol.translation import tr

NOT_MEASURED = 1e19
"""Floats of this size mark missing data, such as 1e20 or -3.4028235e38, whatever the nodata tag says."""

_SIX_DIGITS = 1e6  # programs that write six significant digits round larger nodata values
_ROUNDING = 5e-6  # relative
_FULL = 0.98  # share of the highest alpha that counts as opaque; lossy compression changes it a little
_EMPTY = 0.02  # share that counts as transparent
_SOFT = 0.1  # share of half-transparent pixels that soft edges explain
_OPAQUE = 0.05  # share of pixels with the highest value; near infrared is rarely saturated
_RAMP = 0.02  # of the highest value: largest change of slope on the smooth edge of a mosaic
_CONSPICUOUS = 0.1  # share of pixels of one colour that is worth a warning

Mask = npt.NDArray[np.bool_]


def rounded(value: float, kind: str) -> float:
    """Return a nodata value as pixels of a type hold it: 0.1 is 0.10000000149 in float32."""
    if np.dtype(kind).kind != "f":
        return value
    with np.errstate(over="ignore"):
        return float(np.dtype(kind).type(value))


def equals_any(values: npt.NDArray[Any], nodata: Sequence[float]) -> Mask:
    """Return where values of one band equal one of several nodata values; NaN equals nothing.

    A large nodata value that the file states with six digits equals the exact one in the pixels.
    """
    found = np.zeros(values.shape, bool)
    for value in nodata:
        if values.dtype.kind == "f" and _SIX_DIGITS <= abs(value) < NOT_MEASURED:
            found |= np.abs(values - value) <= _ROUNDING * abs(value)
        else:
            found |= values == value
    return found


def is_measured(values: npt.NDArray[np.floating]) -> Mask:
    """Return where floats are finite and below :data:`NOT_MEASURED`."""
    if values.dtype.itemsize < 4:
        finite: Mask = np.isfinite(values)  # the limit is beyond the range of float16
        return finite
    with np.errstate(invalid="ignore"):
        measured: Mask = np.abs(values) < NOT_MEASURED
    return measured


def can_occur(value: float, kind: str) -> bool:
    """Return whether pixels of a type can have a value; NaN and fractions cannot occur in integers."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return value == np.rint(value) and limits.min <= value <= limits.max


def has_mask(dataset: rasterio.DatasetReader, band: int) -> bool:
    """Return whether GDAL has a mask beyond the nodata value and the alpha band: a mask band, file or NODATA_VALUES."""
    flags = set(dataset.mask_flag_enums[band - 1])
    return not (flags == {MaskFlags.nodata} or flags & {MaskFlags.all_valid, MaskFlags.alpha})


def flagged_alphas(dataset: rasterio.DatasetReader) -> list[int]:
    """Return the bands that the file calls alpha, in its colour interpretation or by their name."""
    return [
        band
        for band, (colour, name) in enumerate(zip(dataset.colorinterp, dataset.descriptions), 1)
        if colour == ColorInterp.alpha or (name or "").strip().lower() == "alpha"
    ]


def is_alpha(windows: Sequence[npt.NDArray[Any]]) -> bool:
    """Return whether a band is an alpha band: transparent or opaque, but for soft edges.

    The edges of a mosaic may be faded over many pixels. Their values change evenly, those of near infrared do not.

    Args:
        windows: (H, W) values at some places.
    """
    highest = max((float(np.nanmax(values, initial=0)) for values in windows), default=0.0)
    if highest <= 0:
        return True
    soft = [(values > _EMPTY * highest) & (values < _FULL * highest) for values in windows]
    if _share(soft) <= _SOFT:
        return True
    rough = [part & _is_rough(values, _RAMP * highest) for part, values in zip(soft, windows)]
    return _share(rough) <= _SOFT and _share([values == highest for values in windows]) >= _OPAQUE


def _share(masks: Sequence[Mask]) -> float:
    return sum(int(mask.sum()) for mask in masks) / max(sum(mask.size for mask in masks), 1)


def _is_rough(values: npt.NDArray[Any], limit: float) -> Mask:
    """Return where the slope along rows or columns changes by more than ``limit``, (H, W)."""
    found = np.zeros(values.shape, bool)
    signed = values.astype(np.float64)
    # Second differences; the pixels at the borders of the window have none.
    found[1:-1] |= np.abs(np.diff(signed, 2, axis=0)) > limit
    found[:, 1:-1] |= np.abs(np.diff(signed, 2, axis=1)) > limit
    return found


def _as_items(pixels: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    """Return pixels, (N, C), as one item each, (N,), so that sorting finds equal ones: integers, if 8 bytes suffice."""
    size = pixels.dtype.itemsize * pixels.shape[1]
    if size > 8:
        return pixels.view(np.dtype((np.void, size))).ravel()
    padded = np.zeros((len(pixels), 8), np.uint8)
    padded[:, :size] = pixels.view(np.uint8)
    return padded.view(np.uint64).ravel()


def nodata_warning(values: npt.NDArray[np.generic]) -> str | None:
    """Return a warning if one colour fills so many pixels that it looks like no data; None otherwise.

    Args:
        values: (C, N) values of sampled valid pixels.
    """
    if values.shape[1] == 0:
        return None
    pixels = np.ascontiguousarray(values.T)
    items, counts = np.unique(_as_items(pixels), return_counts=True)
    most = int(counts.argmax())
    share = float(counts[most] / len(pixels))
    if not _CONSPICUOUS <= share < 1:  # one colour everywhere is a constant raster
        return None
    commonest = np.frombuffer(items[most].tobytes(), pixels.dtype, pixels.shape[1])
    colour = [f"{value:g}" for value in commonest.tolist()]
    if len(set(colour)) == 1:
        return tr(
            "{share:.0%} of the sampled pixels have the value {colour} in all bands, which looks like no "
            "data. If it is, set the nodata value to {colour} (--nodata {colour}).",
            share=share,
            colour=colour[0],
        )
    return tr(
        "{share:.0%} of the sampled pixels have the colour {colour}, which looks like no data. If it is, "
        'write it into the file: gdal_edit.py -mo NODATA_VALUES="{values}".',
        share=share,
        colour=", ".join(colour),
        values=" ".join(colour),
    )
