"""Base class of the networks and shared building blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.protocol.errors import ModelError

LAST_BIAS = "head.bias"
"""Name of the weights that are added to the logits: the bias of the last layer of a network."""


class SegmentationModel(nn.Module):
    """Base class of the networks: (N, C, H, W) float chips to (N, K, H, W) logits, for any H, W >= 1.

    Subclasses set ``stride`` and ``receptive_radius``, end in an :class:`OutConv` named ``head`` and implement
    :meth:`logits` for sides that are multiples of ``stride``. This class pads, upsamples and crops.

    Attributes:
        stride: Total stride, px. The network is equivariant to translations by multiples of it.
        output_stride: Stride of :meth:`logits`, px; they are upsampled bilinearly.
        receptive_radius: Largest distance at which an input pixel affects an output pixel, px; None if unlimited.
        level_channels: Channels of each level of :meth:`levels`; empty if the network cannot be taught.
        convolutions: Name of the :class:`.EfficientNetLite` in the network, which can be initialised from ImageNet
            weights; empty if it has none.
    """

    stride: int = 1
    output_stride: int = 1
    receptive_radius: int | None = None
    level_channels: tuple[int, ...] = ()
    convolutions: str = ""

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) logits for (N, C, H, W) chips whose sides are multiples of ``stride``.

        H and W of the logits are those of the chips divided by ``output_stride``.
        """
        raise NotImplementedError

    def levels(self, chips: torch.Tensor) -> list[torch.Tensor]:
        """Return features for (N, C, H, W) chips, each level at half the stride of the one before it.

        The last level is the input of ``head``, at ``output_stride``.
        """
        raise NotImplementedError

    def logits_of_levels(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return :meth:`logits` of the features of :meth:`levels`."""
        raise NotImplementedError

    def forward(self, chips: torch.Tensor, coarse: bool = False) -> torch.Tensor:
        """Return (N, K, H, W) logits for standardized (N, C, H, W) chips of any size.

        Args:
            chips: Standardized chips.
            coarse: Return the logits at ``output_stride``, without upsampling; faster for training.
        """
        height, width = chips.shape[-2:]
        below, right = -height % self.stride, -width % self.stride
        if below or right:
            # repeated edge pixels resemble the surroundings more than black padding
            chips = functional.pad(chips, (0, right, 0, below), mode="replicate")
        logits = self.logits(chips)
        if coarse:
            return logits[..., : -(-height // self.output_stride), : -(-width // self.output_stride)]
        if self.output_stride > 1:
            logits = functional.interpolate(logits, scale_factor=self.output_stride, mode="bilinear")
        return logits[..., :height, :width]


def enlarge(values: torch.Tensor) -> torch.Tensor:
    """Return (N, C, 2H, 2W) for (N, C, H, W), interpolated bilinearly."""
    return functional.interpolate(values, scale_factor=2, mode="bilinear")


def sum_of_levels(levels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum of levels, (N, K, H, W) of the last one; each has half the stride of the one before it."""
    total, *further = levels
    for level in further:
        total = enlarge(total) + level
    return total


class DoubleConv(nn.Sequential):
    """Twice 3×3 convolution, batch normalization and ReLU; preserves H and W.

    Source: Ronneberger et al. 2015, https://doi.org/10.1007/978-3-319-24574-4_28 (with padding and normalization).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Down(nn.Sequential):
    """Max pooling that halves H and W, followed by :class:`DoubleConv`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.MaxPool2d(2), DoubleConv(in_channels, out_channels))


class Up(nn.Module):
    """Upsamples by 2, concatenates the encoder's features of that resolution and applies :class:`DoubleConv`.

    Args:
        in_channels: Channels of the input.
        skip_channels: Channels of the encoder's features; 0 without skip connection.
        out_channels: Channels of the output.
        bilinear: Upsample bilinearly; otherwise by a transposed convolution.
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, bilinear: bool = True) -> None:
        super().__init__()
        self.enlarge: nn.Module
        if bilinear:
            self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
            enlarged = in_channels
        else:
            enlarged = max(in_channels // 2, 1)
            # kernel equal to stride: each output pixel has one source, which avoids checkerboard artefacts
            self.enlarge = nn.ConvTranspose2d(in_channels, enlarged, kernel_size=2, stride=2)
        self.convolve = DoubleConv(enlarged + skip_channels, out_channels)

    def forward(self, below: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        """Return (N, out, 2H, 2W) for (N, in, H, W) and the encoder's (N, skip, 2H, 2W), if any."""
        enlarged = self.enlarge(below)  # (N, in, 2H, 2W)
        joined = enlarged if skip is None else torch.cat([skip, enlarged], dim=1)
        return cast(torch.Tensor, self.convolve(joined))


class OutConv(nn.Conv2d):
    """1×1 convolution from features to class logits."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(in_channels, classes, kernel_size=1)


LIMITS = {
    "in_channels": 1024,
    "classes": 254,  # ids are 8 bits, without 0 and 255
    "width": 4096,
    "depth": 64,
    "patch": 1024,
    "dim": 8192,
    "blocks": 256,
    "heads": 256,
    "grid": 512,
}
"""Largest value of each argument that is a number; far above useful sizes, and small enough that a damaged model file
takes neither all memory nor hours."""
_LIMIT = 8192


def require_positive(**values: int) -> None:
    """Check that arguments are integers from 1 to their limit in :data:`LIMITS`; others have the limit 8192.

    Raises:
        ModelError: if one is not; it names the first such argument.
    """
    for name, value in values.items():
        limit = LIMITS.get(name, _LIMIT)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(f"{name} must be a whole number of at least 1, got {value!r:.60}.")
        if value > limit:
            raise ModelError(f"{name} must be at most {limit:,}, got {value!r:.60}.", f"Lower {name}.")


def require_flag(**values: bool) -> None:
    """Check that arguments are booleans.

    Raises:
        ModelError: if one is not; it names the first such argument.
    """
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ModelError(f"{name} must be true or false, got {value!r:.60}.")
