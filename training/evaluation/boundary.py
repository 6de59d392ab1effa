"""Boundary IoU: agreement of class borders, to which plain IoU is insensitive on large areas.

The boundary IoU of a class is the IoU of its border regions in labels and prediction, where a border region contains
the pixels of the class within a given distance of another class.

Source: Cheng et al. 2021, Boundary IoU: Improving Object-Centric Image Segmentation Evaluation,
https://arxiv.org/abs/2103.16562. There are two differences, because a land-cover map has no objects on a background:

- The distance is fixed in pixels instead of 2 % of the image diagonal, so that images of the same ground sampling
  distance and different sizes are comparable; 2 % (30 px here) would be as wide as a house or a road.
- The limits of the image and of ignored areas are not class borders, because the class beyond them is unknown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE

DISTANCE = 5
"""Default distance, px: approximately the positional accuracy of the labels of the Dubai dataset."""

Channels = npt.NDArray[np.uint8]


def boundary_counts(labels: Channels, predicted: Channels, classes: int, distance: int) -> npt.NDArray[np.int64]:
    """Return intersection and union of the border regions of each class, (K, 2) int64 pixels.

    Args:
        labels: (H, W) uint8 channel indices, or ``IGNORE``.
        predicted: Likewise; pixels that are ``IGNORE`` in either are not counted.
        classes: Number of classes K.
        distance: Width of the border regions (Chebyshev distance), px.
    """
    # pixels unknown in one map are unknown in both, so that their limits are not borders in either
    known = (labels != IGNORE) & (predicted != IGNORE)
    maps = [np.where(known, channels, IGNORE) for channels in (labels, predicted)]
    counts = np.zeros((classes, 2), np.int64)
    for channel in range(classes):
        labelled, given = (_border(channels, channel, distance) for channels in maps)
        counts[channel] = (labelled & given).sum(), (labelled | given).sum()
    return counts


def boundary_iou(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return boundary IoU, (K,), for (K, 2) counts of one or more images; NaN for a class without border."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts[:, 0] / counts[:, 1], np.float64)


def _border(channels: Channels, channel: int, distance: int) -> npt.NDArray[np.bool_]:
    """Return the border region of a class, (H, W) bool: its pixels within ``distance`` px of another class."""
    own = channels == channel
    if not own.any() or own.all():
        return np.zeros_like(own)
    others = torch.from_numpy(~own & (channels != IGNORE)).float()[None, None]  # (1, 1, H, W)
    side = 2 * distance + 1
    # dilation of the other classes by a square, as two separable maximum filters
    near = functional.max_pool2d(others, (side, 1), 1, (distance, 0))
    near = functional.max_pool2d(near, (1, side), 1, (0, distance))
    border: npt.NDArray[np.bool_] = own & near[0, 0].bool().numpy()
    return border
