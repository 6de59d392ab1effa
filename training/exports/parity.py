"""Comparison of a stored or converted model with the original network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dubai_landcover_plugin.protocol.translation import marked, tr

from ..errors import TrainingError

LEAST_AGREEMENT = 0.995
RANDOM, RANDOM_AND_IMAGE = marked("random chips"), marked("random chips and an image")
"""Descriptions of compared chips."""
_SEED = 20240607
_COARSE = 8  # grid spacing of the smooth component of random chips, px

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Parity:
    """Difference between the class probabilities of two forms of a network.

    Args:
        deviation: Largest difference of a probability, 0..1.
        agreement: Share of pixels with the same class, 0..1.
        pixels: Number of compared pixels.
        chips: Description of the compared chips.
    """

    deviation: float
    agreement: float
    pixels: int
    chips: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "deviation": float(f"{self.deviation:.3g}"),
            "agreement": round(self.agreement, 6),
            "pixels": self.pixels,
            "chips": self.chips,
        }

    def __str__(self) -> str:
        return tr(
            "largest difference of a probability {deviation:.2g}, same class for {agreement:.3f} % of {pixels:,} "
            "pixels ({chips})",
            deviation=self.deviation,
            agreement=100 * self.agreement,
            pixels=self.pixels,
            chips=tr(self.chips),
        )


class ProbabilityNetwork(nn.Module):
    """A segmentation network with standardization and softmax: from pixels on the scale 0..1 to class probabilities.

    Args:
        model: Network from standardized chips to logits.
        mean: Mean of each channel, on the scale 0..1.
        std: Standard deviation of each channel, on the same scale.
        temperature: Divisor of the logits.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float], temperature: float) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.temperature = temperature

    def standardize(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return standardized chips for (N, C, H, W) float32 on the scale 0..1."""
        return (pixels - self.mean) / self.std

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) probabilities for (N, K, H, W) logits."""
        return torch.softmax(logits / self.temperature, dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) probabilities for (N, C, H, W) float32 pixels on the scale 0..1, any H and W."""
        return self.probabilities(self.model(self.standardize(pixels)))


def random_chips(shape: tuple[int, int, int, int], seed: int = _SEED) -> torch.Tensor:
    """Return (N, C, H, W) float32 pixels on the scale 0..1: a smooth random field with noise, fixed by the seed."""
    generator = torch.Generator().manual_seed(seed)
    count, channels, height, width = shape
    coarse = torch.rand(count, channels, height // _COARSE + 2, width // _COARSE + 2, generator=generator)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1)


def compare(reference: Network, candidate: Network, batches: Iterable[torch.Tensor], chips: str) -> Parity:
    """Compare two networks from pixels to probabilities.

    Args:
        reference: Trained network.
        candidate: Stored or converted network.
        batches: (N, C, H, W) float32 pixels on the scale 0..1.
        chips: Description of the batches.

    Raises:
        TrainingError: if a network returns NaN.
    """
    deviation, equal, pixels = 0.0, 0, 0
    with torch.inference_mode():
        for batch in batches:
            expected, given = reference(batch), candidate(batch)  # (N, K, H, W)
            difference = float((expected - given).abs().max())
            if difference != difference:  # NaN
                raise TrainingError(
                    tr("The network returns NaN."), tr("Check the labels, and train again."), "Train with a lower rate."
                )
            deviation = max(deviation, difference)
            same = expected.argmax(dim=1) == given.argmax(dim=1)
            equal, pixels = equal + int(same.sum()), pixels + same.numel()
    return Parity(deviation, equal / max(pixels, 1), pixels, chips)


def require(parity: Parity, most_deviation: float = 1.0) -> Parity:
    """Return ``parity`` after checking it against the limits.

    Raises:
        TrainingError: if agreement or deviation is outside its limit.
    """
    if parity.agreement < LEAST_AGREEMENT or parity.deviation > most_deviation:
        raise TrainingError(
            tr(
                "The exported model differs from the trained one: {parity}. Required are an agreement of at least "
                "{agreement:g} % and a difference of at most {deviation:g}.",
                parity=parity,
                agreement=100 * LEAST_AGREEMENT,
                deviation=most_deviation,
            ),
            tr("Train longer: such sensitivity to rounding means badly conditioned weights."),
            "Or with more weight decay.",
        )
    return parity
