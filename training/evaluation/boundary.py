"""Boundary IoU: how well class borders agree, which plain IoU hardly shows on large areas.

Source: Cheng et al. 2021, Boundary IoU: Improving Object-Centric Image Segmentation Evaluation,
https://arxiv.org/abs/2103.16562. For a class, only the pixels within a distance of its border count: of those in the
labels and those in the prediction, the share that is in both.

Two things differ from the paper, both because a land-cover map has no objects in front of a background:

- The distance is fixed in pixels, not 2 % of the image's diagonal. Images of one ground sampling distance but of
  different sizes would otherwise be held to different standards, and 2 % (30 px here) is as wide as a house or a road.
- The border of the image and of ignored areas is no class border: what lies beyond is not known.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dubai_landcover_plugin.core.assessment.confusion import IGNORE

DISTANCE = 5
"""Default distance, px: about what the labels of the Dubai dataset can be trusted to."""

Channels = npt.NDArray[np.uint8]


def boundary_counts(labels: Channels, predicted: Channels, classes: int, distance: int) -> npt.NDArray[np.int64]:
    """Return (K, 2) pixels: intersection and union of the border regions of each class.

    Args:
        labels: (H, W) channel indices, or ``IGNORE``.
        predicted: Likewise; pixels where either is ``IGNORE`` do not count.
        classes: Number of classes K.
        distance: How far from a border of its class a pixel may lie, px, diagonal steps counting 1.
    """
    known = (labels != IGNORE) & (predicted != IGNORE)
    maps = [np.where(known, channels, IGNORE) for channels in (labels, predicted)]
    counts = np.zeros((classes, 2), np.int64)
    for channel in range(classes):
        labelled, given = (_border(channels, channel, distance) for channels in maps)
        counts[channel] = (labelled & given).sum(), (labelled | given).sum()
    return counts


def boundary_iou(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (K,) boundary IoU for (K, 2) counts, summed over any images; NaN for a class without a border."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts[:, 0] / counts[:, 1], np.float64)


def _border(channels: Channels, channel: int, distance: int) -> npt.NDArray[np.bool_]:
    """Return (H, W) true for pixels of a class within ``distance`` px of another class."""
    own = channels == channel
    if not own.any() or own.all():
        return np.zeros_like(own)
    others = torch.from_numpy(~own & (channels != IGNORE)).float()[None, None]  # (1, 1, H, W)
    side = 2 * distance + 1
    near = functional.max_pool2d(others, (side, 1), 1, (distance, 0))
    near = functional.max_pool2d(near, (1, side), 1, (0, distance))
    border: npt.NDArray[np.bool_] = own & near[0, 0].bool().numpy()
    return border
