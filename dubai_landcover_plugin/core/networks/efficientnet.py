"""EfficientNet-lite encoder, which is cheap to compute and can be initialised from ImageNet weights."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.core.networks.layers import require_positive
from dubai_landcover_plugin.protocol.errors import ModelError

# kernel, stride, expansion, channels, repeats: table 1 of Tan & Le 2019, at width and depth 1
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM_CHANNELS = 32
_TAPS = (0, 1, 2, 4, 6)  # the last stages at strides 2, 4, 8, 16 and 32
_EPSILON = 1e-3  # of the batch norms with which the published weights were trained
_SCALING = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # factors of channels and repeats
ENCODERS = tuple(_SCALING)


def _stages(variant: str) -> list[tuple[int, int, int, int, int]]:
    """Return kernel, stride, expansion, channels and repeats of each stage of a variant.

    Channels are rounded to multiples of 8, repeats are rounded up; repeats of the first and last stage are not scaled.
    Source: the published configuration of EfficientNet-lite (TensorFlow, Apache-2.0).
    """
    if variant not in _SCALING:
        raise ModelError(f"encoder must be one of {', '.join(ENCODERS)}, got {variant!r}.")
    width, depth = _SCALING[variant]
    stages = []
    for index, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES):
        wide = max(int(channels * width + 4) // 8 * 8, 8)
        wide += 8 if wide < 0.9 * channels * width else 0
        often = repeats if index in (0, len(_STAGES) - 1) else math.ceil(repeats * depth)
        stages.append((kernel, stride, expansion, wide, often))
    return stages


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalization and, optionally, ReLU6.

    At stride 2 the padding is TensorFlow's ``SAME`` (one pixel more at the bottom and right), with which the published
    weights were trained. It is valid for even sides only, which the model's stride ensures.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, activate: bool = True
    ) -> None:
        super().__init__()
        spare = kernel - stride  # 0 for 1×1
        self.shift = (spare // 2, spare - spare // 2) if stride > 1 else (0, 0)
        padding = 0 if stride > 1 else kernel // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, eps=_EPSILON)
        self.activation = nn.ReLU6(inplace=True) if activate else nn.Identity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, out, H / stride, W / stride) for (N, in, H, W)."""
        if any(self.shift):
            features = functional.pad(features, (*self.shift, *self.shift))
        return cast(torch.Tensor, self.activation(self.norm(self.conv(features))))


class InvertedBottleneck(nn.Module):
    """Inverted residual: 1×1 expansion, depthwise convolution, 1×1 projection, and the input added if shapes match.

    Source: Sandler et al. 2018, https://doi.org/10.1109/CVPR.2018.00474; without squeeze-and-excitation.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = ConvNorm(in_channels, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, out_channels, 1, activate=False)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, out, H / stride, W / stride) for (N, in, H, W)."""
        result = cast(torch.Tensor, self.project(self.depthwise(self.expand(features))))
        return result + features if self.residual else result


class EfficientNetLite(nn.Module):
    """EfficientNet-lite encoder with features at strides 2, 4, 8, 16 and 32.

    Args:
        in_channels: Input channels.
        variant: ``lite0``, ``lite1`` or ``lite2``, from small to large.
        levels: Number of levels, counted from stride 2; deeper blocks are omitted.

    Source: Tan & Le 2019, https://arxiv.org/abs/1905.11946; the lite variant has no squeeze-and-excitation, ReLU6
    in place of swish, and stem and head of fixed width. The classification head is omitted.
    """

    def __init__(self, in_channels: int, variant: str = "lite0", levels: int = 5) -> None:
        super().__init__()
        require_positive(levels=levels)
        if levels > len(_TAPS):
            raise ModelError(f"levels must be at most {len(_TAPS)}, got {levels}.")
        self.variant = variant
        self._layout = _stages(variant)[: _TAPS[levels - 1] + 1]
        self.tap_channels: list[int] = []
        self._taps: list[int] = []
        self.stem = ConvNorm(in_channels, _STEM_CHANNELS, 3, stride=2)
        self.blocks = nn.ModuleList()
        channels = _STEM_CHANNELS
        for stage, (kernel, stride, expansion, out_channels, repeats) in enumerate(self._layout):
            for index in range(repeats):
                step = stride if index == 0 else 1
                self.blocks.append(InvertedBottleneck(channels, out_channels, kernel, step, expansion))
                channels = out_channels
            if stage in _TAPS:
                self.tap_channels.append(channels)
                self._taps.append(len(self.blocks) - 1)

    def forward(self, chips: torch.Tensor) -> list[torch.Tensor]:
        """Return features with ``tap_channels`` channels for (N, C, H, W), H and W multiples of 32."""
        features = self.stem(chips)
        taps = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            if index in self._taps:
                taps.append(features)
        return taps

    def radius(self) -> int:
        """Return the receptive radius of the deepest features, px, the larger of both sides."""
        radius, jump = 2, 2  # stem: kernel 3 with one-sided padding
        for kernel, stride, _, _, repeats in self._layout:
            for index in range(repeats):
                radius += (kernel // 2 + (stride > 1 and index == 0)) * jump
                jump *= stride if index == 0 else 1
        return radius
