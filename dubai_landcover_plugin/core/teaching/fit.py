"""Fits a linear correction of the logits to samples: convex, solved anew from all samples each time.

The correction is a linear map of the features of all decoder levels. It minimizes the cross-entropy on the pixels of
the samples, plus two terms that keep the rest of the map as it is: the cross-entropy to the model's own probabilities
on anchor pixels, and the squared weights. Classes are not reweighted to be balanced.

Source: for the use of a deep network's features with few labels of a user, Robinson et al. 2020,
https://doi.org/10.1609/aaai.v34i03.5633; for the anchors, Li and Hoiem 2018, https://doi.org/10.1109/TPAMI.2017.2773081.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from dubai_landcover_plugin.core.teaching.features import Floats
from dubai_landcover_plugin.core.teaching.head import Head

Doubles = npt.NDArray[np.float64]

_PRECISION = 1e-6  # smallest relative progress of an iteration; the objective is computed in float32
_BLOCK = 128
"""Pixels of a block. The products of blocks are so small that BLAS computes each with one thread: threads that wait for
each other take ten times as long on a busy machine, and their number would change the rounding."""


@dataclass(frozen=True)
class FitOptions:
    """Weights of the terms of the fit; the defaults were measured, see ``tests/benchmarks/teach.py``.

    Args:
        least_anchor: Smallest weight of the anchors, relative to the samples.
        wrong_anchor: Weight of the anchors if the model is wrong on all samples. Samples that are only drawn on errors
            say nothing about where the map is right, so that the anchors must.
        decay: Weight of half the squared weights, in standardized features.
        floor: Smallest deviation of a feature, relative to the mean deviation of all; rarely active features would
            otherwise be scaled up.
        iterations: Largest number of iterations.
    """

    least_anchor: float = 0.5
    wrong_anchor: float = 2.0
    decay: float = 0.1
    floor: float = 0.1
    iterations: int = 60


@dataclass(frozen=True)
class Pixels:
    """Features of some pixels.

    Args:
        features: (N, C) float32, of all decoder levels, the coarsest first.
    """

    features: Floats

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class TaughtPixels:
    """Pixels of a sample.

    Args:
        key: Sorts the samples, so that their order does not matter.
        index: Channel of the class.
        pixels: The pixels, at least one.
    """

    key: str
    index: int
    pixels: Pixels


def fit_head(head: Head, taught: Sequence[TaughtPixels], anchors: Pixels, options: FitOptions | None = None) -> Head:
    """Return the head with a correction that is fitted to samples; the head itself without samples.

    Args:
        head: The head before teaching.
        taught: The samples; their order does not matter.
        anchors: Pixels that should keep their probabilities.
        options: Weights of the terms.
    """
    if not taught:
        return head
    options = options or FitOptions()
    taught = sorted(taught, key=lambda one: one.key)
    problem = _Problem(head, taught, anchors, options)
    start = np.zeros(problem.size)
    limits = {"maxiter": options.iterations, "ftol": _PRECISION}
    found = minimize(problem, start, jac=True, method="L-BFGS-B", options=limits)
    weights, bias = problem.correction(found.x)
    return head.plus(weights, bias)


def is_wrong(head: Head, one: TaughtPixels) -> bool:
    """Return whether most pixels of a sample have another class than its own."""
    return bool((head.of_pixels(one.pixels.features).argmax(axis=1) == one.index).mean() < 0.5)


class _Problem:
    """Value and gradient of the objective for a flat vector of weights and biases."""

    def __init__(self, head: Head, taught: Sequence[TaughtPixels], anchors: Pixels, options: FitOptions) -> None:
        features = np.concatenate([*(one.pixels.features for one in taught), anchors.features])
        self._classes = head.classes
        self._temperature = head.temperature
        self._decay = options.decay
        # 1. Standardize on the anchors, which represent the view; without any, on the samples.
        basis = anchors.features if len(anchors) else features
        self._mean = basis.mean(axis=0, dtype=np.float64)
        deviation = basis.std(axis=0, dtype=np.float64)
        self._scale = np.maximum(deviation, max(options.floor * deviation.mean(), 1e-6))
        standardized = ((features - self._mean) / self._scale).astype(np.float32)  # (N, C)
        missing = -len(features) % _BLOCK
        padded = np.pad(standardized, ((0, missing), (0, 0)))
        self._blocks = padded.reshape(-1, _BLOCK, features.shape[1])  # (N / 128, 128, C), the last one with zeros
        self._count = len(features)
        # 2. Logits before the correction, and target probabilities: the class of samples, the model's own of anchors.
        self._logits = head.of_pixels(features) / head.temperature  # (N, K)
        counts = [len(one.pixels) for one in taught]
        first = sum(counts)
        self._targets = _softmax(self._logits)
        channels = np.repeat([one.index for one in taught], counts)
        self._targets[:first] = np.eye(self._classes, dtype=np.float32)[channels]
        # 3. Weight of each pixel: every sample counts the same, whatever its size.
        wrong = np.mean([is_wrong(head, one) for one in taught])
        anchor = max(options.least_anchor, float(wrong) * options.wrong_anchor)
        weights = np.repeat([1 / (len(taught) * count) for count in counts], counts)
        self._weights = np.concatenate([weights, np.full(len(anchors), anchor / max(len(anchors), 1))])

    @property
    def size(self) -> int:
        """Number of unknowns: a weight for each feature and class, a bias for each class."""
        return (int(self._blocks.shape[2]) + 1) * self._classes

    def __call__(self, flat: Doubles) -> tuple[float, Doubles]:
        """Return the objective and its gradient."""
        table = flat.reshape(-1, self._classes)
        weights, bias = table[:-1], table[-1]
        products = self._blocks @ weights.astype(np.float32)  # (N / 128, 128, K)
        change = products.reshape(-1, self._classes)[: self._count] + bias.astype(np.float32)
        logits = self._logits + change / np.float32(self._temperature)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        log_probabilities = shifted - log_sum
        losses = -(self._targets * log_probabilities).sum(axis=1)
        error = (np.exp(log_probabilities) - self._targets) * self._weights[:, None].astype(np.float32)
        gradient = np.empty_like(table)
        padded = np.zeros((self._blocks.shape[0] * _BLOCK, self._classes), np.float32)
        padded[: self._count] = error
        slopes = self._blocks.transpose(0, 2, 1) @ padded.reshape(-1, _BLOCK, self._classes)  # (N / 128, C, K)
        gradient[:-1] = slopes.sum(axis=0, dtype=np.float64) / self._temperature + self._decay * weights
        gradient[-1] = error.sum(axis=0) / self._temperature
        value = float(losses @ self._weights) + self._decay / 2 * float((weights**2).sum())
        return value, gradient.ravel()

    def correction(self, flat: Doubles) -> tuple[Doubles, Doubles]:
        """Return weights (C, K) and bias (K,) for features that are not standardized."""
        table = flat.reshape(-1, self._classes)
        weights = table[:-1] / self._scale[:, None]
        return weights, table[-1] - self._mean @ weights


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
