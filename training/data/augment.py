"""Variation of chips: orientation, light, colour and sharpness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from ..config import ChipConfig


def orient(
    pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], which: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return chip (S, S, 3) and labels (S, S) in one of the eight orientations of a square, ``which`` in 0..7."""
    turned, turned_labels = np.rot90(pixels, which % 4), np.rot90(labels, which % 4)
    if which >= 4:
        turned, turned_labels = turned[:, ::-1], turned_labels[:, ::-1]
    return np.ascontiguousarray(turned), np.ascontiguousarray(turned_labels)


def vary_radiometry(chips: torch.Tensor, config: ChipConfig, draw: np.random.Generator) -> torch.Tensor:
    """Return (N, C, H, W) float32 on 0..255 with light and colour varied for each chip; geometry stays."""
    count, bands = chips.shape[:2]

    def spread(width: float, *shape: int) -> torch.Tensor:
        values = draw.uniform(-width, width, (count, *shape)).astype(np.float32)
        return torch.from_numpy(values).reshape(count, -1, 1, 1)

    values = chips.float() / 255.0  # (N, C, H, W) on 0..1
    values = values * (1 + spread(config.gain, bands))
    # nothing is drawn for what is switched off, so that a switch leaves the other draws as they were
    if config.saturation:
        grey = values.mean(dim=1, keepdim=True)
        values = grey + (values - grey) * (1 + spread(config.saturation, 1))
    middle = values.mean(dim=(1, 2, 3), keepdim=True)
    values = (values - middle) * (1 + spread(config.contrast, 1)) + middle + spread(config.brightness, 1)
    # gamma last, on a clipped base: a negative base has no power
    values = values.clamp(1e-4, 1.0) ** torch.exp(spread(config.gamma, 1))
    if config.blur:
        values = blur(values, draw.uniform(0, config.blur, count))
    return values * 255.0


def blur(values: torch.Tensor, deviations: npt.NDArray[np.float64]) -> torch.Tensor:
    """Return (N, C, H, W) smoothed by a Gaussian of its own standard deviation (px) for each of the N chips."""
    count, bands, height, width = values.shape
    reach = int(min(np.ceil(3 * deviations.max()), height - 1, width - 1))
    places = np.arange(-reach, reach + 1)
    kernels = np.exp(-0.5 * (places / np.maximum(deviations, 1e-3)[:, None]) ** 2)
    kernels /= kernels.sum(axis=1, keepdims=True)  # (N, 2 * reach + 1)
    weights = torch.from_numpy(kernels.astype(np.float32)).repeat_interleave(bands, dim=0)[:, None, None, :]
    flat = values.reshape(1, count * bands, height, width)
    for kernel, padding in ((weights, (reach, reach, 0, 0)), (weights.mT, (0, 0, reach, reach))):
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, kernel, groups=count * bands)
    return flat.view(count, bands, height, width)
