"""U-Net."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import nn

from dubai_landcover_plugin.core.networks.layers import (
    DoubleConv,
    Down,
    OutConv,
    SegmentationModel,
    Up,
    require_flag,
    require_positive,
)
from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.protocol.errors import ModelError

_MAX_CHANNELS = 16_384  # far above useful sizes; larger networks exhaust the memory before an error can be raised


@register("unet")
class UNet(SegmentationModel):
    """U-Net: encoder and decoder of equal depth with skip connections at each level.

    Args:
        in_channels: Input channels.
        classes: Output channels.
        width: Channels at full resolution; doubled at each level.
        depth: Number of levels, each halving the resolution.
        bilinear: Upsample bilinearly; otherwise by transposed convolutions.

    Source: Ronneberger et al. 2015, https://doi.org/10.1007/978-3-319-24574-4_28.
    """

    def __init__(
        self, in_channels: int = 3, classes: int = 5, width: int = 32, depth: int = 4, bilinear: bool = True
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, classes=classes, width=width, depth=depth)
        require_flag(bilinear=bilinear)
        if depth > 16 or width * 2**depth > _MAX_CHANNELS:
            raise ModelError(
                f"width {width} and depth {depth} exceed the limits of {_MAX_CHANNELS:,} channels at the bottleneck "
                "and depth 16.",
                "Lower width or depth.",
            )
        widths = [width * 2**level for level in range(depth + 1)]
        self.stem = DoubleConv(in_channels, width)
        self.downs = nn.ModuleList(Down(above, below) for above, below in pairwise(widths))
        self.bottleneck: nn.Module = nn.Identity()
        self.ups = nn.ModuleList(
            Up(below, above, above, bilinear)
            for above, below in zip(reversed(widths[:-1]), reversed(widths[1:]), strict=True)
        )
        self.head = OutConv(width, classes)
        self.stride = 2**depth
        self.receptive_radius = _radius(depth)

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) logits for (N, C, H, W) chips whose sides are multiples of ``stride``."""
        skips = []
        features = self.stem(chips)
        for down in self.downs:
            skips.append(features)
            features = down(features)
        features = self.bottleneck(features)  # (N, width * 2**depth, H / stride, W / stride)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            features = up(features, skip)
        return cast(torch.Tensor, self.head(features))


def _radius(depth: int) -> int:
    """Return an upper bound of the receptive radius, px: the sum over convolutions, pooling and interpolation."""
    above = (1 << depth) - 1  # 1 + 2 + 4 + …: pixels of all levels but the deepest
    convolutions = 2 * (above + (1 << depth)) + 2 * above
    pooling = above
    interpolation = 2 * above
    return convolutions + pooling + interpolation
