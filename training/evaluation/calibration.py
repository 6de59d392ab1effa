"""Calibration of a model: fits the divisor of the logits and, optionally, a bias of each class.

With the temperature alone, confidence matches accuracy and predicted classes do not change (Guo et al. 2017, On
Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599, section 4.2). Biases of the classes also match
the mean probability of each class to its share of the labels, as bias-corrected temperature scaling does (Alexandari et
al. 2020, Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation,
https://arxiv.org/abs/1901.06852, section 3). Both maximize the likelihood of the labels; the biases have a Gaussian
prior around 0.

The fit uses single windows. Overlapping windows and test-time augmentation average probabilities, which lowers the
confidence slightly; ``evaluate`` measures the calibration error of the final result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.protocol.model_metadata import MAX_CLASS_BIAS, BundleMetadata

from ..data.dataset import LabelledImage
from ..data.partial_labels import exclusion_surprise, split_labels
from ..errors import DatasetError

LIMITS = (0.05, 20.0)
PRIOR = 0.01
"""Weight of half the squared biases, beside the mean negative log likelihood of a pixel.

Weights of 0.001 to 0.03 changed the accuracy at places kept out of the fit by less than 0.01 (training/EXPERIMENTS.md).
"""
_SHARE = 0.05  # sampled share of the labelled pixels; neighbouring pixels are highly correlated
_MOST = 1_000_000  # largest sample, px
_STEPS = 100
_LEAST = np.finfo(np.float32).tiny  # lower limit of probabilities, for a finite logarithm

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Logits and labels of sampled pixels.

    Args:
        logits: (n, K) float32 without temperature and class bias, up to an additive constant for each pixel.
        labels: (n,) int64 channels, or partial labels, ``NOT_CLASS`` plus a channel.
        parts: (n,) int64 index of the part, such as a place, that a pixel belongs to.
        names: Names of the parts.
    """

    logits: Floats
    labels: Labels
    parts: Labels
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """From logits z to probabilities: softmax((z + class_bias) / temperature).

    Args:
        temperature: Divisor of the logits.
        class_bias: Bias of each class; empty for none.
    """

    temperature: float = 1.0
    class_bias: tuple[float, ...] = ()

    @classmethod
    def of(cls, metadata: BundleMetadata) -> Scaling:
        """Return the scaling stored in a model."""
        return cls(metadata.temperature, metadata.class_bias)

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Return (n, K) probabilities of (n, K) logits."""
        values = torch.from_numpy(logits).double()
        if self.class_bias:
            values = values + torch.tensor(self.class_bias, dtype=torch.float64)
        found: npt.NDArray[np.float64] = torch.softmax(values / self.temperature, 1).numpy()
        return found


def sample_logits(
    bundle: ModelBundle,
    images: Iterable[tuple[str, LabelledImage]],
    device: str = "auto",
    precision: str = "auto",
    seed: int = 0,
) -> Sample:
    """Return logits and labels of a random sample of at most one million labelled pixels.

    Args:
        bundle: The model.
        images: Part that an image belongs to, and the image with labels in the channels of the model.
        device: Device of the network.
        precision: Precision of the network.
        seed: Random seed of the sample.

    Raises:
        DatasetError: if no pixel is labelled.
    """
    predictor, stored = Predictor(bundle, device, precision), Scaling.of(bundle.metadata)
    draw = np.random.default_rng(seed)
    names: dict[str, int] = {}
    logits, labels, parts = [], [], []
    for part, image in images:
        height, width = image.labels.shape
        for window in TileGrid(height, width, bundle.metadata.window, bundle.metadata.window // 8):
            truth = image.labels[window.rows, window.cols]
            chosen = (truth != IGNORE) & (draw.random(truth.shape) < _SHARE)
            if chosen.any():
                chip = image.pixels[window.rows, window.cols].transpose(2, 0, 1)
                probabilities = predictor(np.ascontiguousarray(chip)[None])[0]  # (K, H, W)
                logits.append(_without(stored, probabilities[:, chosen].T))
                labels.append(truth[chosen].astype(np.int64))
                parts.append(np.full(len(labels[-1]), names.setdefault(part, len(names)), np.int64))
    predictor.close()
    if not logits:
        raise DatasetError("No pixel is labelled, so a temperature cannot be fitted.", "Choose other images.")
    sample = Sample(np.concatenate(logits), np.concatenate(labels), np.concatenate(parts), tuple(names))
    if len(sample.labels) <= _MOST:
        return sample
    kept = draw.choice(len(sample.labels), _MOST, replace=False)
    return Sample(sample.logits[kept], sample.labels[kept], sample.parts[kept], sample.names)


def _without(stored: Scaling, probabilities: Floats) -> Floats:
    """Return logits, up to a constant for each pixel, for (n, K) probabilities after a scaling."""
    logits: Floats = np.float32(stored.temperature) * np.log(np.maximum(probabilities, _LEAST))
    return logits - np.array(stored.class_bias, np.float32) if stored.class_bias else logits


def fit_scaling(logits: Floats, labels: Labels, biased: bool = False) -> Scaling:
    """Return the temperature within :data:`LIMITS` and the biases that maximize the likelihood of the labels.

    Args:
        logits: (n, K) float32.
        labels: (n,) int64 channels or partial labels; classes without labels get the bias 0. A partial label has the
            likelihood 1 - p of the class that it excludes.
        biased: Fit a bias of each class, with the prior :data:`PRIOR`; False fits the temperature alone.
    """
    values, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    # optimize log T, which keeps T positive; the biases are added after the division, so that the problem stays smooth
    low, high = (math.log(limit) for limit in LIMITS)
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    biases = torch.zeros(values.shape[1], dtype=torch.float64, requires_grad=biased)
    whole, excluded = split_labels(truth)
    partial = None if excluded is None else excluded != IGNORE
    labelled = torch.bincount(whole[whole != IGNORE], minlength=values.shape[1]) > 0  # (K,)
    optimizer = torch.optim.LBFGS(
        [logarithm, biases] if biased else [logarithm], max_iter=_STEPS, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scaled = values / logarithm.clamp(low, high).exp() + biases * labelled
        surprise = functional.cross_entropy(scaled, whole, reduction="sum", ignore_index=IGNORE)
        if excluded is not None and partial is not None:
            few = scaled[partial].T[None, :, :, None]  # (1, K, n, 1)
            surprise = surprise + exclusion_surprise(few, excluded[partial][None, :, None]).sum()
        value = surprise / len(truth) + PRIOR / 2 * biases.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    temperature = math.exp(min(max(float(logarithm.detach()), low), high))
    if not biased:
        return Scaling(temperature)
    before_division = (biases.detach() * labelled * temperature).clamp(-MAX_CLASS_BIAS, MAX_CLASS_BIAS)
    return Scaling(temperature, tuple(before_division.tolist()))
