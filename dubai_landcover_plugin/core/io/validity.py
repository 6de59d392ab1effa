"""One rule for pixels without data: nodata values, GDAL's mask, alpha, NaN and values that no sensor measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags

NOT_MEASURED = 1e30
"""Floats of this size mark missing data, such as -3.4028235e38, whatever the nodata tag says."""

_SIX_DIGITS = 1e6  # programs that write six significant digits round larger nodata values
_ROUNDING = 5e-6  # relative
_FULL = 0.98  # share of the highest alpha that counts as opaque; lossy compression changes it a little
_EMPTY = 0.02  # share that counts as transparent
_SOFT = 0.1  # share of half-transparent pixels that soft edges explain
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


def flagged_alpha(dataset: rasterio.DatasetReader) -> int | None:
    """Return the first band that the file calls alpha."""
    for band, colour in enumerate(dataset.colorinterp, 1):
        if colour == ColorInterp.alpha:
            return band
    return None


def is_alpha(values: npt.NDArray[Any]) -> bool:
    """Return whether values of a band are those of an alpha band: transparent or opaque, but for soft edges."""
    highest = float(values.max(initial=0))
    if highest <= 0:
        return True
    soft = (values > _EMPTY * highest) & (values < _FULL * highest)
    return bool(soft.mean() <= _SOFT)


def nodata_warning(values: npt.NDArray[np.generic]) -> str | None:
    """Return a warning if one colour fills so many pixels that it looks like no data; None otherwise.

    Args:
        values: (C, N) values of sampled valid pixels.
    """
    if values.shape[1] == 0:
        return None
    # Each pixel as one item, so that sorting finds equal ones.
    pixels = np.ascontiguousarray(values.T)
    items = pixels.view(np.dtype((np.void, pixels.dtype.itemsize * pixels.shape[1]))).ravel()
    _, first, counts = np.unique(items, return_index=True, return_counts=True)
    most = int(counts.argmax())
    share = float(counts[most] / len(items))
    if not _CONSPICUOUS <= share < 1:  # one colour everywhere is a constant raster
        return None
    colour = [f"{value:g}" for value in pixels[first[most]].tolist()]
    if len(set(colour)) == 1:
        return (
            f"{share:.0%} of the sampled pixels have the value {colour[0]} in all bands, which looks like no data. If "
            f"it is, set the nodata value to {colour[0]} (--nodata {colour[0]})."
        )
    return (
        f"{share:.0%} of the sampled pixels have the colour {', '.join(colour)}, which looks like no data. If it is, "
        f'write it into the file: gdal_edit.py -mo NODATA_VALUES="{" ".join(colour)}".'
    )
