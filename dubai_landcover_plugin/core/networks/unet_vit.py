"""U-Net with transformer blocks at the bottleneck."""

from __future__ import annotations

from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.core.networks.unet import UNet
from dubai_landcover_plugin.core.networks.vit import TransformerBottleneck


@register("unet_vit")
class UNetViT(UNet):
    """U-Net with self-attention between all positions of its bottleneck.

    Args:
        in_channels: Input channels.
        classes: Output channels.
        width: Channels at full resolution; doubled at each level.
        depth: Number of levels, each halving the resolution.
        bilinear: Upsample bilinearly; otherwise by transposed convolutions.
        dim: Token dimension.
        blocks: Number of transformer blocks.
        heads: Attention heads of each block.
        grid: Side of the learned positional grid, tokens.
        pool: Global context: ``none``, ``mean`` or ``cls``, see :class:`TransformerEncoder`.

    Source: after Chen et al. 2021 (TransUNet), https://arxiv.org/abs/2102.04306.
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
