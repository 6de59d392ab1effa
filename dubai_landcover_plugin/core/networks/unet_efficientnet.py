"""U-Net with an EfficientNet-lite encoder, which is cheap to compute and can be initialised from ImageNet weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from dubai_landcover_plugin.core.networks.layers import (
    OutConv,
    SegmentationModel,
    Up,
    enlarge,
    require_flag,
    require_positive,
    sum_of_levels,
)
from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.core.networks.vit import TransformerBottleneck
from dubai_landcover_plugin.protocol.errors import ModelError

_LEVELS = 4  # of the decoder


@register("unet_efficientnet")
class UNetEfficientNet(SegmentationModel):
    """U-Net with an EfficientNet-lite encoder; logits at stride 2, upsampled bilinearly.

    Args:
        in_channels: Input channels.
        classes: Output channels.
        widths: Channels of the decoder at strides 16, 8, 4 and 2.
        blocks: Number of transformer blocks over the deepest features, one token for 32 × 32 px; 0 for none.
        dim: Token dimension.
        heads: Attention heads of each block.
        grid: Side of the learned positional grid, tokens.
        encoder: ``lite0``, ``lite1`` or ``lite2``.
        adapter: Add a 1×1 convolution of each decoder level to the logits, as taught models have.

    Source: for ``blocks``, the hybrid of Chen et al. 2021 (TransUNet), https://arxiv.org/abs/2102.04306: a transformer
    over the features of a convolutional encoder.
    """

    stride = 32
    output_stride = 2
    convolutions = "encoder"

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 5,
        widths: Sequence[int] = (160, 80, 48, 32),
        blocks: int = 0,
        dim: int = 256,
        heads: int = 8,
        grid: int = 16,
        encoder: str = "lite0",
        adapter: bool = False,
    ) -> None:
        super().__init__()
        require_flag(adapter=adapter)
        require_positive(in_channels=in_channels, classes=classes)
        if not isinstance(widths, (list, tuple)) or len(widths) != _LEVELS:
            raise ModelError(f"widths needs {_LEVELS} values, got {widths!r:.60}.")
        require_positive(**{f"widths[{index}]": width for index, width in enumerate(widths)})
        self.encoder = EfficientNetLite(in_channels, encoder)
        *skips, deepest = self.encoder.tap_channels
        self.bottleneck: nn.Module = nn.Identity()
        if blocks != 0:
            self.bottleneck = TransformerBottleneck(deepest, dim, blocks, heads, grid, pool="none")
        below = (deepest, *widths[:-1])
        self.decoder = nn.ModuleList(
            Up(channels, skip, width) for channels, skip, width in zip(below, reversed(skips), widths, strict=True)
        )
        self.head = OutConv(widths[-1], classes)
        self.level_channels = tuple(widths)
        # of the levels above the last one, whose correction is part of the head
        self.adapter = nn.ModuleList(nn.Conv2d(width, classes, 1, bias=False) for width in widths[:-1] if adapter)
        # each decoder level adds bilinear interpolation (1 px of the level below) and two 3×3 convolutions
        ascent = sum(2 * jump + 2 * jump for jump in (16, 8, 4, 2)) + 2
        self.receptive_radius = None if blocks else self.encoder.radius() + ascent

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H / 2, W / 2) logits for (N, C, H, W) chips, H and W multiples of 32."""
        return self.logits_of_levels(self.levels(chips))

    def levels(self, chips: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of the decoder at strides 16, 8, 4 and 2."""
        *skips, features = self.encoder(chips)
        features = self.bottleneck(features)  # (N, deepest, H / 32, W / 32)
        found = []
        for up, skip in zip(self.decoder, reversed(skips), strict=True):
            features = up(features, skip)
            found.append(features)
        return found

    def logits_of_levels(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the logits, (N, K, H / 2, W / 2), of :meth:`levels`."""
        logits = cast(torch.Tensor, self.head(levels[-1]))
        if self.adapter:
            # contiguous: PyTorch interpolates few channels 15 times as fast as in channels_last
            parts = [conv(level).contiguous() for conv, level in zip(self.adapter, levels)]
            logits = logits + enlarge(sum_of_levels(parts))
        return logits
