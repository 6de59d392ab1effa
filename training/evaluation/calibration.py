"""Temperature scaling: fits the divisor of the logits with which confidence matches accuracy.

The temperature minimises the negative log likelihood of the labels; predicted classes do not change.

Source: Guo et al. 2017, On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599, section 4.2.

The temperature is fitted to single windows. Overlapping windows and test-time augmentation average probabilities, which
lowers the confidence slightly; ``evaluate`` measures the calibration error of the final result.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.runtimes.predictor import Predictor

from ..data.dataset import LabelledImage
from ..errors import DatasetError
from .reliability import Reliability

LIMITS = (0.05, 20.0)
_SHARE = 0.05  # sampled share of the labelled pixels; neighbouring pixels are highly correlated
_MOST = 1_000_000  # largest sample, px
_STEPS = 100
_LEAST = np.finfo(np.float32).tiny  # lower limit of probabilities, for a finite logarithm

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted temperature.

    Args:
        temperature: Divisor of the logits.
        pixels: Size of the sample, px.
        nll: Mean negative log likelihood with temperature 1 and with the fitted one.
        ece: Expected calibration error with temperature 1 and with the fitted one.
    """

    temperature: float
    pixels: int
    nll: tuple[float, float]
    ece: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "temperature": round(self.temperature, 4),
            "pixels": self.pixels,
            "nll": [round(value, 4) for value in self.nll],
            "ece": [round(value, 4) for value in self.ece],
        }

    def __str__(self) -> str:
        return json.dumps(self.to_json())


def sample_logits(
    bundle: ModelBundle, images: Iterable[LabelledImage], device: str = "auto", precision: str = "auto", seed: int = 0
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return logits and labels of a random sample of at most one million labelled pixels.

    Args:
        bundle: The model.
        images: Images with labels in the channels of the model.
        device: Device of the network.
        precision: Precision of the network.
        seed: Random seed of the sample.

    Returns:
        Logits (n, K) float32, up to an additive constant for each pixel, and labels (n,) int64.

    Raises:
        DatasetError: if no pixel is labelled.
    """
    predictor, temperature = Predictor(bundle, device, precision), np.float32(bundle.metadata.temperature)
    draw = np.random.default_rng(seed)
    logits, labels = [], []
    for image in images:
        height, width = image.labels.shape
        for window in TileGrid(height, width, bundle.metadata.window, bundle.metadata.window // 8):
            truth = image.labels[window.rows, window.cols]
            chosen = (truth != IGNORE) & (draw.random(truth.shape) < _SHARE)
            if chosen.any():
                chip = image.pixels[window.rows, window.cols].transpose(2, 0, 1)
                probabilities = predictor(np.ascontiguousarray(chip)[None])[0]  # (K, H, W)
                # the predictor divides logits by the stored temperature: log p times it restores them up to a constant
                logits.append(temperature * np.log(np.maximum(probabilities[:, chosen].T, _LEAST)))
                labels.append(truth[chosen].astype(np.int64))
    if not logits:
        raise DatasetError("No pixel is labelled, so a temperature cannot be fitted.", "Choose other images.")
    values, classes = np.concatenate(logits), np.concatenate(labels)
    if len(classes) > _MOST:
        kept = draw.choice(len(classes), _MOST, replace=False)
        values, classes = values[kept], classes[kept]
    return values, classes


def fit_temperature(logits: Floats, labels: npt.NDArray[np.int64]) -> Calibration:
    """Return the temperature within :data:`LIMITS` that maximizes the likelihood of the labels.

    Args:
        logits: (n, K) float32.
        labels: (n,) int64 channels.
    """
    values, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    # optimize log T, which keeps T positive; L-BFGS, because the problem is smooth and one-dimensional
    low, high = (math.log(limit) for limit in LIMITS)
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logarithm], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(values / logarithm.clamp(low, high).exp(), truth)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    temperature = math.exp(min(max(float(logarithm.detach()), low), high))
    before, after = (_quality(values / divisor, truth) for divisor in (1.0, temperature))
    return Calibration(temperature, len(labels), (before[0], after[0]), (before[1], after[1]))


def _quality(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return mean negative log likelihood and expected calibration error."""
    confidence, channels = torch.softmax(logits, 1).max(1)
    error = Reliability.of(confidence.numpy(), (channels == labels).numpy()).error
    return float(functional.cross_entropy(logits, labels)), error
