"""Variation of chips: orientation, brightness, contrast, gamma and the gain of single bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from training.config import ChipConfig


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
    middle = values.mean(dim=(1, 2, 3), keepdim=True)
    values = (values - middle) * (1 + spread(config.contrast, 1)) + middle + spread(config.brightness, 1)
    # gamma last, on a clipped base: a negative base has no power
    values = values.clamp(1e-4, 1.0) ** torch.exp(spread(config.gamma, 1))
    return values * 255.0
