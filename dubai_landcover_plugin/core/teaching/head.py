"""The last layers of a network in numpy: a linear map of each decoder level to logits.

PyTorch and the other runtimes compute the same layers; here they are applied to features that are held in memory, so
that a refit changes a view without computing the network again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.teaching.features import Floats, Levels

NEW_CLASS_LOGIT = -10.0
"""Logit of a new class before it is taught, relative to the mean of the others, in units of the temperature."""


@dataclass(frozen=True)
class Head:
    """Linear maps of the decoder levels to logits, summed after bilinear interpolation.

    Args:
        weights: (K, C) float32 of each level; the last one is that of the network's ``head``.
        bias: (K,) float32.
        temperature: Divisor of the logits.
    """

    weights: tuple[Floats, ...]
    bias: Floats
    temperature: float

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return len(self.bias)

    def with_new_classes(self, count: int) -> Head:
        """Return a head with ``count`` more classes that are nowhere the most probable ones.

        Their logits are the mean of the other classes' plus :data:`NEW_CLASS_LOGIT`, so that softmax gives them a
        probability near 0 whatever the features are.
        """
        if not count:
            return self
        low = np.float32(NEW_CLASS_LOGIT * self.temperature)
        weights = tuple(np.concatenate([part, *[part.mean(axis=0, keepdims=True)] * count]) for part in self.weights)
        bias = np.concatenate([self.bias, np.full(count, self.bias.mean() + low, np.float32)])
        return Head(weights, bias.astype(np.float32), self.temperature)

    def plus(self, weights: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> Head:
        """Return the head with a correction added.

        The sums are rounded to float16, as model files store weights, so that a view equals the run of the saved model.

        Args:
            weights: (C, K) for the features of all levels, the coarsest first.
            bias: (K,).
        """
        ends = np.cumsum([part.shape[1] for part in self.weights])
        parts = np.split(weights, ends[:-1])
        added = (old + part.T for old, part in zip(self.weights, parts, strict=True))
        return Head(
            tuple(part.astype(np.float16).astype(np.float32) for part in added),
            (self.bias + bias).astype(np.float32),
            self.temperature,
        )

    def of_pixels(self, features: Floats) -> Floats:
        """Return logits (N, K) of features (N, C) that :func:`features_at` has gathered."""
        return features @ np.concatenate(self.weights, axis=1).T + self.bias

    def probabilities(self, levels: Levels, shape: tuple[int, int]) -> Floats:
        """Return class probabilities, (K, H, W) float32, of a window.

        Args:
            levels: Features of the window, (C, h, w) of each level.
            shape: Height and width of the window, px; the features may be those of a padded one.
        """
        total: Floats | None = None
        for weight, level in zip(self.weights, levels, strict=True):
            if total is not None:
                total = enlarge(total)
            if total is not None or weight.any():
                # Row by row, so that BLAS uses one thread: see fit.py.
                part = (weight @ level.transpose(1, 0, 2)).transpose(1, 0, 2)
                total = part if total is None else total + part
        logits = np.zeros((self.classes, *levels[-1].shape[1:]), np.float32) if total is None else total
        logits = (logits + self.bias[:, None, None]) / np.float32(self.temperature)
        height, width = (-(-length // 2) + 1 for length in shape)  # one more for the interpolation at the edge
        logits = enlarge(logits[:, :height, :width])[:, : shape[0], : shape[1]]
        logits -= logits.max(axis=0)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=0)
        return logits


def enlarge(values: Floats) -> Floats:
    """Return (K, 2H, 2W) for (K, H, W), interpolated bilinearly as PyTorch does without aligned corners."""
    return _doubled(_doubled(values, 1), 2)


def _doubled(values: Floats, axis: int) -> Floats:
    """Return the values at twice the resolution along an axis: 3/4 of the nearest one, 1/4 of the next."""
    shape = list(values.shape)
    shape[axis] *= 2
    found = np.empty(shape, np.float32)
    even, odd = (np.moveaxis(found, axis, 0)[start::2] for start in (0, 1))
    along = np.moveaxis(values, axis, 0)
    near, far = along * np.float32(0.75), along * np.float32(0.25)
    np.add(near[1:], far[:-1], out=even[1:])
    np.add(near[:1], far[:1], out=even[:1])
    np.add(near[:-1], far[1:], out=odd[:-1])
    np.add(near[-1:], far[-1:], out=odd[-1:])
    return found


def features_at(levels: Levels, rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp]) -> Floats:
    """Return the features of pixels of a window, (N, C) float32, all levels interpolated to the pixel.

    The interpolation is that of :meth:`Head.probabilities`: repeated doubling, here of single pixels.

    Args:
        levels: Features of the window, (C, h, w) of each level; the last one has half the window's resolution.
        rows: (N,) rows in the window.
        cols: (N,) columns in the window.
    """
    parts = []
    for index, level in enumerate(levels):
        doublings = len(levels) - index
        taps = [_taps(length, doublings) for length in level.shape[1:]]
        (row_index, row_weight), (col_index, col_weight) = taps[0], taps[1]
        found = np.zeros((level.shape[0], len(rows)), np.float32)
        for row_tap in range(row_index.shape[1]):
            for col_tap in range(col_index.shape[1]):
                weight = row_weight[rows, row_tap] * col_weight[cols, col_tap]
                found += level[:, row_index[rows, row_tap], col_index[cols, col_tap]] * weight
        parts.append(found.T)
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=64)
def _taps(length: int, doublings: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return which values of an axis each position depends on after repeated doubling.

    Returns:
        Indices (length · 2**doublings, T) and weights of the same shape.
    """
    matrix = np.eye(length, dtype=np.float32)  # row i: weights of the values in position i
    for _ in range(doublings):
        matrix = _doubled(matrix, 0)
    most = int((matrix > 0).sum(axis=1).max())
    index = np.argsort(-matrix, axis=1, kind="stable")[:, :most]
    return index, np.take_along_axis(matrix, index, axis=1)
