"""Augmentation of chips: orientation, radiometry, blur, colour transfer and CutMix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels

from ..bands import InputBands
from ..config import ChipConfig


def orient(pixels: Pixels, labels: npt.NDArray[np.uint8], index: int) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Return a chip (S, S, C) and its labels (S, S) in orientation ``index``, 0..7, of the dihedral group D4."""
    turned, turned_labels = np.rot90(pixels, index % 4), np.rot90(labels, index % 4)
    if index >= 4:
        turned, turned_labels = turned[:, ::-1], turned_labels[:, ::-1]
    return np.ascontiguousarray(turned), np.ascontiguousarray(turned_labels)


def vary_radiometry(
    chips: torch.Tensor, config: ChipConfig, draw: np.random.Generator, kinds: InputBands | None = None
) -> torch.Tensor:
    """Vary light, colour, sharpness and noise of each chip independently.

    Light, haze and colour change bands of light alone, not a height; saturation and grey chips the visible ones.

    Args:
        chips: (N, C, H, W) on 0..255.
        config: Ranges of the changes.
        draw: Random generator.
        kinds: What the bands are; None if all are visible.

    Returns:
        (N, C, H, W) float32 on 0..255.
    """
    count, bands = chips.shape[:2]
    light = visible = list(range(bands))
    if kinds is not None:
        light, visible = list(kinds.light), list(kinds.visible)
    others = [band for band in range(bands) if band not in light]

    def spread(width: float, *shape: int) -> torch.Tensor:
        """Return uniform values in -width..width, (N, 1 or C, 1, 1)."""
        values = draw.uniform(-width, width, (count, *shape)).astype(np.float32)
        return torch.from_numpy(values).reshape(count, -1, 1, 1)

    given = chips.float() / 255.0  # (N, C, H, W) on 0..1
    values = given
    # gain of each channel
    values = values * (1 + spread(config.gain, bands))
    # disabled changes draw no random numbers, so that the other draws do not depend on them
    if config.saturation:
        coloured = _channels(values, visible)
        grey = coloured.mean(dim=1, keepdim=True)
        values = _replaced(values, visible, grey + (coloured - grey) * (1 + spread(config.saturation, 1)))
    if config.light:
        values = values * torch.exp(spread(config.light, 1))
    # contrast around the mean of the chip, then brightness
    middle = _channels(values, light or visible).mean(dim=(1, 2, 3), keepdim=True)
    values = (values - middle) * (1 + spread(config.contrast, 1)) + middle + spread(config.brightness, 1)
    # gamma, after clipping: a power needs a base above 0
    values = values.clamp(1e-4, 1.0) ** torch.exp(spread(config.gamma, 1))
    if config.haze:
        share = torch.from_numpy(draw.uniform(0, config.haze, count).astype(np.float32)).view(-1, 1, 1, 1)
        values = values * (1 - share) + share
    if config.grey:
        chosen = torch.from_numpy(draw.random(count) < config.grey).view(-1, 1, 1, 1)
        coloured = _channels(values, visible)
        values = _replaced(values, visible, torch.where(chosen, coloured.mean(dim=1, keepdim=True), coloured))
    if others:
        values = _replaced(values, others, given[:, others])
    if config.blur:
        values = blur(values, draw.uniform(0, config.blur, count))
    if config.noise:
        # standard deviation of each chip: below 0 for half of them, which means none
        deviation = torch.from_numpy(draw.uniform(-config.noise, config.noise, count).astype(np.float32)).clamp(min=0)
        noise = torch.from_numpy(draw.standard_normal(values.shape, dtype=np.float32))
        values = values + noise * deviation.view(-1, 1, 1, 1)
    return values * 255.0


def _channels(values: torch.Tensor, indices: list[int]) -> torch.Tensor:
    """Return some channels of (N, C, H, W) values; the values themselves for all."""
    return values if len(indices) == values.shape[1] else values[:, indices]


def _replaced(values: torch.Tensor, indices: list[int], new: torch.Tensor) -> torch.Tensor:
    """Return (N, C, H, W) values with other values (N, K, H, W) of K channels."""
    if len(indices) == values.shape[1] and indices == sorted(indices):
        return new.expand_as(values)
    changed = values.clone()
    changed[:, indices] = new
    return changed


def transfer_style(
    chips: torch.Tensor, share: float, draw: np.random.Generator, kinds: InputBands | None = None
) -> torch.Tensor:
    """Transfer the colour statistics of other chips in the batch to a random share of the chips.

    Mean and standard deviation of each channel are moved a random part of the way to those of the previous chip.

    Args:
        chips: (N, C, H, W) on 0..255.
        share: Probability that a chip is changed, 0..1.
        draw: Random generator.
        kinds: What the bands are: only those of light are changed; None for all.

    Returns:
        (N, C, H, W) float32 on 0..255.

    Source: Reinhard et al. 2001, Color transfer between images, https://doi.org/10.1109/38.946629, in RGB.
    """
    values = chips.float()
    mean, deviation = values.mean(dim=(2, 3), keepdim=True), values.std(dim=(2, 3), keepdim=True)
    count = len(values)
    part = draw.random(count) * (draw.random(count) < share)
    part_tensor = torch.from_numpy(part.astype(np.float32)).view(-1, 1, 1, 1)
    # ratio of the standard deviations; + 1 and the clamp limit the noise of nearly flat chips
    factor = ((deviation.roll(1, 0) + 1) / (deviation + 1)).clamp(0.25, 4.0)
    target = (values - mean) * factor + mean.roll(1, 0)
    changed = (values + part_tensor * (target - values)).clamp(0, 255)
    others = [] if kinds is None else [band for band in range(values.shape[1]) if band not in kinds.light]
    return _replaced(changed, others, values[:, others]) if others else changed


def paste_rectangles(
    chips: torch.Tensor, labels: torch.Tensor, share: float, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paste a random rectangle of the previous chip, pixels and labels, into a random share of the chips (CutMix).

    Args:
        chips: (N, C, H, W).
        labels: (N, H, W).
        share: Probability that a chip is changed, 0..1.
        draw: Random generator.

    Source: Yun et al. 2019, CutMix, https://doi.org/10.1109/ICCV.2019.00612, for segmentation.
    """
    height, width = labels.shape[-2:]
    pasted, pasted_labels = chips.clone(), labels.clone()
    for index in np.flatnonzero(draw.random(len(chips)) < share):
        # sides of a quarter to three quarters of the chip
        tall, wide = (int(side * draw.uniform(0.25, 0.75)) for side in (height, width))
        row, col = int(draw.integers(height - tall + 1)), int(draw.integers(width - wide + 1))
        window = (slice(row, row + tall), slice(col, col + wide))
        pasted[(index, slice(None), *window)] = chips[(index - 1, slice(None), *window)]
        pasted_labels[(index, *window)] = labels[(index - 1, *window)]
    return pasted, pasted_labels


def blur(values: torch.Tensor, deviations: npt.NDArray[np.float64]) -> torch.Tensor:
    """Return (N, C, H, W) chips, smoothed by Gaussians with standard deviations ``deviations`` (N,), px."""
    count, bands, height, width = values.shape
    reach = int(min(np.ceil(3 * deviations.max()), height - 1, width - 1))
    # one normalized 1-D kernel per chip, cut off at three standard deviations of the widest
    offsets = np.arange(-reach, reach + 1)
    kernels = np.exp(-0.5 * (offsets / np.maximum(deviations, 1e-3)[:, None]) ** 2)
    kernels /= kernels.sum(axis=1, keepdims=True)  # (N, 2 * reach + 1)
    weights = torch.from_numpy(kernels.astype(np.float32)).repeat_interleave(bands, dim=0)[:, None, None, :]
    # separable, grouped convolution: rows, then columns; every channel of every chip is a group
    flat = values.reshape(1, count * bands, height, width)
    for kernel, padding in ((weights, (reach, reach, 0, 0)), (weights.mT, (0, 0, reach, reach))):
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, kernel, groups=count * bands)
    return flat.view(count, bands, height, width)
