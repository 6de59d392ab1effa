"""A U-Net whose bottleneck goes through transformer blocks."""

from __future__ import annotations

from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.core.networks.unet import UNet
from dubai_landcover_plugin.core.networks.vit import TransformerBottleneck


@register("unet_vit")
class UNetViT(UNet):
    """U-Net with self-attention between all positions of its bottleneck; the spatial layout stays.

    Args:
        in_channels: Bands of the input.
        classes: Output channels.
        width: Channels at full resolution.
        depth: How often the encoder halves the resolution.
        bilinear: Enlarge by interpolation; else by transposed convolutions.
        dim: Width of a token.
        blocks: Number of transformer blocks.
        heads: Attention heads of each block.
        grid: Side of the learned positional grid, tokens.
        pool: Global context: ``none``, ``mean`` or ``cls``, see :class:`TransformerEncoder`.

    Source: Chen et al. 2021 (TransUNet), https://arxiv.org/abs/2102.04306, for the idea.
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 5,
        width: int = 32,
        depth: int = 4,
        bilinear: bool = True,
        dim: int = 256,
        blocks: int = 4,
        heads: int = 4,
        grid: int = 16,
        pool: str = "none",
    ) -> None:
        super().__init__(in_channels, classes, width, depth, bilinear)
        self.bottleneck = TransformerBottleneck(width * 2**depth, dim, blocks, heads, grid, pool)
        self.receptive_radius = None
