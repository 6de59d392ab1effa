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
    if config.light:
        values = values * torch.exp(spread(config.light, 1))
    middle = values.mean(dim=(1, 2, 3), keepdim=True)
    values = (values - middle) * (1 + spread(config.contrast, 1)) + middle + spread(config.brightness, 1)
    # gamma last, on a clipped base: a negative base has no power
    values = values.clamp(1e-4, 1.0) ** torch.exp(spread(config.gamma, 1))
    if config.haze:
        share = torch.from_numpy(draw.uniform(0, config.haze, count).astype(np.float32)).view(-1, 1, 1, 1)
        values = values * (1 - share) + share
    if config.grey:
        chosen = torch.from_numpy(draw.random(count) < config.grey).view(-1, 1, 1, 1)
        values = torch.where(chosen, values.mean(dim=1, keepdim=True), values)
    if config.blur:
        values = blur(values, draw.uniform(0, config.blur, count))
    return values * 255.0


def stretched(pixels: npt.NDArray[np.uint8], limits: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) pixels with each band stretched so that ``limits`` (2, 3) become 0 and 255."""
    low, high = limits
    values = (pixels - low) * (255 / np.maximum(high - low, 1))
    result: npt.NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return result


def transfer_style(chips: torch.Tensor, share: float, draw: np.random.Generator) -> torch.Tensor:
    """Return (N, C, H, W) float32 where a share of the chips takes on the colours of another one.

    Mean and standard deviation of each band move a random part of the way to those of the next chip.

    Source: Reinhard et al. 2001, Color transfer between images, https://doi.org/10.1109/38.946629, in RGB.
    """
    values = chips.float()
    mean, deviation = values.mean(dim=(2, 3), keepdim=True), values.std(dim=(2, 3), keepdim=True)
    count = len(values)
    part = draw.random(count) * (draw.random(count) < share)
    part_tensor = torch.from_numpy(part.astype(np.float32)).view(-1, 1, 1, 1)
    # a flat chip has no contrast that could be scaled
    factor = ((deviation.roll(1, 0) + 1) / (deviation + 1)).clamp(0.25, 4.0)
    target = (values - mean) * factor + mean.roll(1, 0)
    return (values + part_tensor * (target - values)).clamp(0, 255)


def paste_rectangles(
    chips: torch.Tensor, labels: torch.Tensor, share: float, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return chips (N, C, H, W) and labels (N, H, W) where a share got a rectangle of the chip before them.

    Source: Yun et al. 2019, CutMix, https://doi.org/10.1109/ICCV.2019.00612, with the labels pasted too.
    """
    height, width = labels.shape[-2:]
    pasted, pasted_labels = chips.clone(), labels.clone()
    for index in np.flatnonzero(draw.random(len(chips)) < share):
        tall, wide = (int(side * draw.uniform(0.25, 0.75)) for side in (height, width))
        row, col = int(draw.integers(height - tall + 1)), int(draw.integers(width - wide + 1))
        window = (slice(row, row + tall), slice(col, col + wide))
        pasted[(index, slice(None), *window)] = chips[(index - 1, slice(None), *window)]
        pasted_labels[(index, *window)] = labels[(index - 1, *window)]
    return pasted, pasted_labels


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
