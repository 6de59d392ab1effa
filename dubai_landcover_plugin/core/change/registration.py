"""Shift between two images, by cross-correlation refined below a pixel.

Source:
    Guizar-Sicairos, Thurman & Fienup 2008, Efficient subpixel image registration algorithms,
    https://doi.org/10.1364/OL.33.000156
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]

_AROUND = 1.5  # px around the highest whole pixel that are refined


def register(first: Image, second: Image, steps: int) -> tuple[Image, float]:
    """Estimate by how much ``second`` must be moved to lie on ``first``.

    Args:
        first: (H, W) image.
        second: (H, W) image.
        steps: Steps of the result for each pixel.

    Returns:
        (2,) rows and columns, px, and the error, 0 (equal but for the shift) to 1.
    """
    product = np.fft.fft2(first) * np.fft.fft2(second).conj()  # (H, W)
    whole = np.abs(np.fft.ifft2(product))
    peak = np.array(np.unravel_index(int(whole.argmax()), whole.shape), np.float64)
    sizes = np.array(first.shape)
    centre = np.where(peak > sizes // 2, peak - sizes, peak)  # the correlation is periodic
    count = math.ceil(_AROUND * steps)
    offsets = np.arange(count) / steps - (count // 2) / steps
    fine = np.abs(_correlation(product, centre[0] + offsets, centre[1] + offsets))  # (count, count)
    row, col = np.unravel_index(int(fine.argmax()), fine.shape)
    power = float((first**2).sum() * (second**2).sum())
    likeness = float(fine[row, col]) ** 2 / power if power else 0.0
    return centre + np.array([offsets[row], offsets[col]]), math.sqrt(max(1.0 - likeness, 0.0))


def _correlation(product: Spectrum, rows: Image, cols: Image) -> Spectrum:
    """Return the inverse Fourier transform of a spectrum, (H, W), at any rows (R,) and columns (C,), (R, C)."""
    height, width = product.shape
    down = np.exp(2j * np.pi * np.outer(rows, np.fft.fftfreq(height)))  # (R, H)
    across = np.exp(2j * np.pi * np.outer(np.fft.fftfreq(width), cols))  # (W, C)
    return down @ product @ across / product.size
