"""Vision transformer with a convolutional decoder."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from dubai_landcover_plugin.core.networks.layers import OutConv, SegmentationModel, Up, require_positive
from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.protocol.errors import ModelError

POOLS = ("none", "mean", "cls")
_MIN_DECODER_WIDTH = 16
_MAX_STRIDE = 32  # px, of a convolutional stem


class PatchEmbedding(nn.Conv2d):
    """One token for each patch: (N, C, H, W) to (N, dim, H / patch, W / patch)."""

    def __init__(self, in_channels: int, dim: int, patch: int) -> None:
        super().__init__(in_channels, dim, kernel_size=patch, stride=patch)


class ConvolutionalEmbedding(nn.Module):
    """One token for each position of convolutional features: (N, C, H, W) to (N, dim, H / patch, W / patch).

    Args:
        in_channels: Input channels.
        dim: Token dimension.
        patch: Stride of the features, px, a power of two up to 32.
        encoder: ``lite0``, ``lite1`` or ``lite2``, see :class:`.EfficientNetLite`.

    Source: the hybrid architecture of Dosovitskiy et al. 2021, section 3.1, https://arxiv.org/abs/2010.11929.
    """

    def __init__(self, in_channels: int, dim: int, patch: int, encoder: str) -> None:
        super().__init__()
        self.encoder = EfficientNetLite(in_channels, encoder, levels=patch.bit_length() - 1)
        self.project = nn.Conv2d(self.encoder.tap_channels[-1], dim, kernel_size=1)

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        """Return the tokens of chips."""
        return cast(torch.Tensor, self.project(self.encoder(chips)[-1]))


class PositionalEmbedding(nn.Module):
    """Adds a learned positional embedding, interpolated bicubically to the grid of tokens.

    Args:
        dim: Token dimension.
        grid: Side of the learned grid, tokens.
    """

    def __init__(self, dim: int, grid: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, dim, grid, grid))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, dim, h, w) for (N, dim, h, w), any h and w."""
        size = tokens.shape[-2:]
        table: torch.Tensor = self.table
        if table.shape[-2:] != size:
            table = functional.interpolate(table, size=size, mode="bicubic", align_corners=False)
        return tokens + table


class SelfAttention(nn.Module):
    """Multi-head self-attention over a sequence of tokens.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ModelError(f"dim must be a multiple of heads, got {dim} and {heads}.")
        self.heads = heads
        self.split = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, L, dim) for (N, L, dim)."""
        count, length, dim = tokens.shape
        parts = self.split(tokens).view(count, length, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (N, heads, L, dim / heads)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return cast(torch.Tensor, self.merge(attended.transpose(1, 2).reshape(count, length, dim)))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block: self-attention and feed-forward network with residual connections.

    Source: Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929.
    """

    def __init__(self, dim: int, heads: int, widening: int = 4) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads)
        self.forward_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(nn.Linear(dim, dim * widening), nn.GELU(), nn.Linear(dim * widening, dim))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, L, dim) for (N, L, dim)."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return cast(torch.Tensor, tokens + self.feed_forward(self.forward_norm(tokens)))


class TransformerEncoder(nn.Module):
    """Transformer blocks over a grid of tokens; preserves the spatial layout.

    Args:
        dim: Token dimension.
        depth: Number of blocks.
        heads: Attention heads of each block.
        grid: Side of the learned positional grid, tokens.
        pool: Global context added to each token: ``none``, ``mean`` for the mean of all tokens, or ``cls`` for a class
            token.
    """

    def __init__(self, dim: int, depth: int, heads: int, grid: int, pool: str) -> None:
        super().__init__()
        require_positive(dim=dim, blocks=depth, heads=heads, grid=grid)
        if pool not in POOLS:
            raise ModelError(f"pool must be one of {', '.join(POOLS)}, got '{pool}'.")
        self.pool = pool
        self.position = PositionalEmbedding(dim, grid)
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        if pool == "cls":
            self.cls = nn.Parameter(torch.empty(1, 1, dim))
            nn.init.trunc_normal_(self.cls, std=0.02)
        if pool != "none":
            self.context = nn.Linear(dim, dim)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, dim, h, w) for (N, dim, h, w)."""
        count, dim, height, width = features.shape
        tokens = self.position(features).flatten(2).transpose(1, 2)  # (N, h * w, dim)
        if self.pool == "cls":
            tokens = torch.cat([self.cls.expand(count, -1, -1), tokens], dim=1)
        tokens = self.norm(self.blocks(tokens))
        return self._with_context(tokens).transpose(1, 2).reshape(count, dim, height, width)

    def _with_context(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, h * w, dim): the patch tokens plus the global context."""
        if self.pool == "cls":
            patches: torch.Tensor = tokens[:, 1:]
            return patches + cast(torch.Tensor, self.context(tokens[:, :1]))
        if self.pool == "mean":
            return tokens + cast(torch.Tensor, self.context(tokens.mean(dim=1, keepdim=True)))
        return tokens


class TransformerBottleneck(nn.Module):
    """Residual transformer over the deepest features: 1×1 projection to tokens, transformer, 1×1 projection back.

    The last projection is initialised close to zero, so that a new bottleneck hardly changes a trained network.
    """

    def __init__(self, channels: int, dim: int, depth: int, heads: int, grid: int, pool: str) -> None:
        super().__init__()
        require_positive(dim=dim, blocks=depth, heads=heads, grid=grid)
        self.narrow = nn.Conv2d(channels, dim, kernel_size=1)
        self.encoder = TransformerEncoder(dim, depth, heads, grid, pool)
        self.widen = nn.Conv2d(dim, channels, kernel_size=1)
        nn.init.trunc_normal_(self.widen.weight, std=1e-3)
        nn.init.zeros_(cast(torch.Tensor, self.widen.bias))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, channels, h, w) for (N, channels, h, w)."""
        return cast(torch.Tensor, features + self.widen(self.encoder(self.narrow(features))))


@register("vit")
class ViT(SegmentationModel):
    """Vision transformer; its decoder doubles the resolution by convolutions up to that of the input.

    Args:
        in_channels: Input channels.
        classes: Output channels.
        patch: Side of a patch, px, a power of two.
        dim: Token dimension.
        depth: Number of transformer blocks.
        heads: Attention heads of each block.
        grid: Side of the learned positional grid, tokens.
        pool: Global context: ``none``, ``mean`` or ``cls``, see :class:`TransformerEncoder`.
        stem: Convolutional encoder whose features at stride ``patch`` become the tokens: ``lite0``, ``lite1`` or
            ``lite2``; empty for tokens of the pixels of a patch.

    Source: Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929 (encoder).
    """

    receptive_radius = None

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 5,
        patch: int = 16,
        dim: int = 192,
        depth: int = 6,
        heads: int = 3,
        grid: int = 16,
        pool: str = "none",
        stem: str = "",
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, classes=classes, patch=patch, dim=dim, depth=depth)
        if patch < 2 or patch & (patch - 1):
            raise ModelError(f"patch must be a power of two of at least 2 px, got {patch} px.")
        self.stride = patch
        self.embed: nn.Module = PatchEmbedding(in_channels, dim, patch)
        if stem != "":
            if patch > _MAX_STRIDE:
                raise ModelError(f"patch must be at most {_MAX_STRIDE} px with a convolutional stem, got {patch} px.")
            self.embed = ConvolutionalEmbedding(in_channels, dim, patch, stem)
            self.convolutions = "embed.encoder"
        self.encoder = TransformerEncoder(dim, depth, heads, grid, pool)
        doublings = patch.bit_length() - 1
        widths = [max(dim // 2**level, _MIN_DECODER_WIDTH) for level in range(1, doublings + 1)]
        self.decoder = nn.Sequential(
            *(Up(above, 0, below) for above, below in zip([dim, *widths[:-1]], widths, strict=True))
        )
        self.head = OutConv(widths[-1], classes)

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) logits for (N, C, H, W) chips whose sides are multiples of ``patch``."""
        tokens = self.encoder(self.embed(chips))  # (N, dim, H / patch, W / patch)
        return cast(torch.Tensor, self.head(self.decoder(tokens)))
