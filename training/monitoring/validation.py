"""Validation during training: the weights at hand, images in memory, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion, rounded
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.core.segmentation.blending import BandBlender
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize

from ..data.dataset import NOT_CLASS, LabelledImage

_WHOLE = 4_000_000  # px that a network sees at once
_LARGE = 2048  # side of the windows of larger images, px


def predict_labels(
    model: SegmentationModel, standardize: Standardize, pixels: npt.NDArray[np.uint8], window: int
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for an (H, W, 3) uint8 image.

    Up to 4 Mpx go through the network at once, unless it looks everywhere: a transformer gets windows of the size
    that it was trained for, blended as in a run.

    Args:
        model: Network in evaluation mode.
        standardize: From 8-bit pixels to its input.
        pixels: The image.
        window: Side of the windows of a network that looks everywhere, px.
    """
    height, width = pixels.shape[:2]
    everywhere = model.receptive_radius is None
    side = window if everywhere else max(height, width) if height * width <= _WHOLE else _LARGE
    grid = TileGrid(height, width, side, side // 4)
    channels = np.empty((height, width), np.uint8)
    blender: BandBlender | None = None
    for tile in grid:
        probabilities = _probabilities(model, standardize, pixels[tile.rows, tile.cols])
        if len(grid) == 1:
            return probabilities.argmax(dim=0).to(torch.uint8).cpu().numpy()
        blender = blender or BandBlender(grid, len(probabilities), model.receptive_radius)
        for block in blender.add(tile, probabilities.cpu().numpy()):
            found = block.probabilities.argmax(axis=0)
            channels[block.row : block.row + found.shape[0], block.col : block.col + found.shape[1]] = found
    return channels


@torch.inference_mode()
def _probabilities(model: SegmentationModel, standardize: Standardize, pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return (K, H, W) float32."""
    device = next(model.parameters()).device
    chip = torch.tensor(pixels).permute(2, 0, 1)[None].to(device)  # (1, 3, H, W)
    logits: torch.Tensor = model(standardize(chip).contiguous(memory_format=torch.channels_last))
    return logits[0].float().softmax(dim=0)


@dataclass(frozen=True)
class PartialConfusion:
    """Pixel counts where some labels are only known not to be a class.

    Args:
        counts: (2 K, K) int64; rows are the labelled class, then the class that a pixel is known not to be; columns
            are the predicted class.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, labels: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], classes: int) -> PartialConfusion:
        """Count (H, W) labels, which may be partial, and (H, W) predicted channels."""
        rows = labels.astype(np.int64)
        partial = (labels >= NOT_CLASS) & (labels != IGNORE)
        rows[partial] += classes - NOT_CLASS
        counted = labels != IGNORE
        pairs = rows[counted] * classes + predicted[counted]
        return cls(np.bincount(pairs, minlength=2 * classes * classes).reshape(2 * classes, classes))

    @property
    def full(self) -> Confusion:
        """The confusion over pixels of a known class."""
        return Confusion(self.counts[: len(self.counts) // 2])

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """(K,) intersection over union over all pixels where a class is known to be there or not; NaN without any."""
        classes = len(self.counts) // 2
        full, excluded = self.counts[:classes], self.counts[classes:]
        hits = np.diag(full).astype(np.float64)
        union = full.sum(axis=0) + full.sum(axis=1) - hits + np.diag(excluded)
        # a class that no pixel shows says little: no label of it, and it is not asked about
        return np.where(full.sum(axis=1) > 0, hits / np.maximum(union, 1), np.nan)


def validate(
    model: SegmentationModel,
    standardize: Standardize,
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    window: int,
    fabric: Fabric,
) -> dict[str, Any]:
    """Return the figures over all images, as :meth:`Confusion.to_json` gives them, and the IoU of each source.

    The processes of a run share the work, all get the sum. With several sources ``miou`` is the mean of the sources'
    means, so that a large source does not decide alone which weights are the best.
    """
    sources = sorted({image.source for image in images})
    counts = torch.zeros(len(sources), 2 * len(classes), len(classes), dtype=torch.float64)
    for image in images[fabric.global_rank :: fabric.world_size]:
        image = image.at_model_gsd()
        with fabric.autocast():
            predicted = predict_labels(model, standardize, image.pixels, window)
        found = PartialConfusion.of(image.labels, predicted, len(classes)).counts
        counts[sources.index(image.source)] += torch.from_numpy(found)
    total = cast(torch.Tensor, fabric.all_reduce(counts.to(fabric.device), reduce_op="sum")).cpu().numpy()
    parts = {name: PartialConfusion(part.astype(np.int64)) for name, part in zip(sources, total, strict=True)}
    figures = PartialConfusion(total.sum(axis=0).astype(np.int64)).full.to_json(list(classes))
    if len(sources) > 1:
        figures["sources"] = {
            name: {label: rounded(value) for label, value in zip(classes, part.iou, strict=True)}
            for name, part in parts.items()
        }
        figures["miou"] = rounded(float(np.mean([np.nanmean(part.iou) for part in parts.values()])))
    return figures
