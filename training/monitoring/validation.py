"""Validation during training: the weights at hand, images in memory, no files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torchmetrics.classification import MulticlassConfusionMatrix

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.core.segmentation.blending import BandBlender
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize

from ..data.dataset import LabelledImage

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


def validate(
    model: SegmentationModel,
    standardize: Standardize,
    images: Sequence[LabelledImage],
    classes: int,
    window: int,
    fabric: Fabric,
) -> Confusion:
    """Return the confusion matrix over all images; the processes of a run share the work, all get the sum."""
    metric = MulticlassConfusionMatrix(classes, ignore_index=IGNORE, validate_args=False).to(fabric.device)
    nothing = torch.zeros(0, dtype=torch.long, device=fabric.device)
    metric.update(nothing, nothing)  # a process may get no image
    for image in images[fabric.global_rank :: fabric.world_size]:
        with fabric.autocast():
            predicted = predict_labels(model, standardize, image.pixels, window)
        metric.update(*(torch.from_numpy(part).long().to(fabric.device) for part in (predicted, image.labels)))
    return Confusion(metric.compute().cpu().numpy().astype(np.int64))
