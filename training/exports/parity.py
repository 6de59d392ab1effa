"""Whether a model that was stored in another form still answers as before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ..errors import TrainingError

LEAST_AGREEMENT = 0.995
_SEED = 20240607
_COARSE = 8  # side of the patches of one colour in the random chips, px

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the class probabilities of two forms of a network are apart.

    Args:
        deviation: Largest difference of any probability, 0..1.
        agreement: Share of pixels that get the same class, 0..1.
        pixels: How many were compared.
        chips: What they were, in words.
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
        return (
            f"largest difference of a probability {self.deviation:.2g}, {100 * self.agreement:.3f} % of "
            f"{self.pixels:,} pixels in the same class ({self.chips})"
        )


class ProbabilityNetwork(nn.Module):
    """A segmentation network with everything around it: from pixels on the scale 0..1 to class probabilities.

    Args:
        model: The network, from standardized chips to logits.
        mean: Mean of each band, on the scale 0..1.
        std: Standard deviation of each band, on the same scale.
        temperature: What logits are divided by.
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
        """Return (N, K, H, W) probabilities for logits."""
        return torch.softmax(logits / self.temperature, dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, K, H, W) probabilities for (N, C, H, W) float32 pixels on the scale 0..1, any H and W."""
        return self.probabilities(self.model(self.standardize(pixels)))


def random_chips(shape: tuple[int, int, int, int], seed: int = _SEED) -> torch.Tensor:
    """Return (N, C, H, W) float32 pixels on the scale 0..1: smooth patches with noise on top, always the same."""
    generator = torch.Generator().manual_seed(seed)
    count, channels, height, width = shape
    coarse = torch.rand(count, channels, height // _COARSE + 2, width // _COARSE + 2, generator=generator)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1)


def compare(reference: Network, candidate: Network, batches: Iterable[torch.Tensor], chips: str) -> Parity:
    """Return how far two networks from pixels to probabilities are apart.

    Args:
        reference: The one that was trained.
        candidate: The one that is stored.
        batches: (N, C, H, W) float32 pixels on the scale 0..1.
        chips: What these are, in words.

    Raises:
        TrainingError: if one of them gives values that are no numbers.
    """
    deviation, equal, pixels = 0.0, 0, 0
    with torch.inference_mode():
        for batch in batches:
            wanted, given = reference(batch), candidate(batch)  # (N, K, H, W)
            difference = float((wanted - given).abs().max())
            if difference != difference:  # NaN
                raise TrainingError("The network gives values that are no numbers.", "Train with a lower rate.")
            deviation = max(deviation, difference)
            same = wanted.argmax(dim=1) == given.argmax(dim=1)
            equal, pixels = equal + int(same.sum()), pixels + same.numel()
    return Parity(deviation, equal / max(pixels, 1), pixels, chips)


def require(parity: Parity, most_deviation: float = 1.0) -> Parity:
    """Return ``parity`` if it is good enough.

    Raises:
        TrainingError: if classes or probabilities differ too much.
    """
    if parity.agreement < LEAST_AGREEMENT or parity.deviation > most_deviation:
        raise TrainingError(
            f"The exported model would differ from the trained one: {parity}. "
            f"At least {100 * LEAST_AGREEMENT:g} % and at most {most_deviation:g} are wanted.",
            "Train further, or with more weight decay: weights that lose so much by rounding are badly conditioned.",
        )
    return parity
