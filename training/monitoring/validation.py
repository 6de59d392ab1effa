"""Validation during training, on images in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric

from dubai_landcover_plugin.core.assessment.confusion import mean_of_defined, rounded
from dubai_landcover_plugin.core.grid.windows import TileGrid
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.core.segmentation.blending import TileRowBlender
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels, Standardize

from ..data.dataset import LabelledImage
from ..data.partial_labels import PartialConfusion
from ..memory_format import memory_format

_WHOLE = 4_000_000  # largest image that is predicted in one window, px
_LARGE = 2048  # side of the windows of larger images, px


def predict_labels(
    model: SegmentationModel, standardize: Standardize, pixels: Pixels, window: int
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for an (H, W, C) image.

    Images of up to 4 Mpx are predicted in one window. Networks with a global receptive field (transformers) get
    windows of the given size; windows are blended as in Segment Land Cover.

    Args:
        model: Network in evaluation mode.
        standardize: Function from pixels on the scale 0..255 to standardized input.
        pixels: The image.
        window: Side of the windows of a network with a global receptive field, px.
    """
    height, width = pixels.shape[:2]
    is_global = model.receptive_radius is None
    side = window if is_global else max(height, width) if height * width <= _WHOLE else _LARGE
    grid = TileGrid(height, width, side, side // 4)
    channels = np.empty((height, width), np.uint8)
    blender: TileRowBlender | None = None
    for tile in grid:
        probabilities = _probabilities(model, standardize, pixels[tile.rows, tile.cols])
        if len(grid) == 1:
            return probabilities.argmax(dim=0).to(torch.uint8).cpu().numpy()
        blender = blender or TileRowBlender(grid, len(probabilities), model.receptive_radius)
        for block in blender.add(tile, probabilities.cpu().numpy()):
            found = block.probabilities.argmax(axis=0)
            channels[block.row : block.row + found.shape[0], block.col : block.col + found.shape[1]] = found
    return channels


@torch.inference_mode()
def _probabilities(model: SegmentationModel, standardize: Standardize, pixels: Pixels) -> torch.Tensor:
    """Return class probabilities, (K, H, W) float32, on the device of the model."""
    device = next(model.parameters()).device
    chip = torch.tensor(pixels).permute(2, 0, 1)[None].to(device)  # (1, C, H, W)
    logits: torch.Tensor = model(standardize(chip).contiguous(memory_format=memory_format(model)))
    return logits[0].float().softmax(dim=0)


def validate(
    model: SegmentationModel,
    standardize: Standardize,
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    window: int,
    fabric: Fabric,
) -> dict[str, Any]:
    """Return metrics over all images, as :meth:`Confusion.to_json` returns them, and the IoU of each source."""
    counts = count_pixels(model, standardize, images, len(classes), window, fabric)
    return summarize(counts, images, classes)


def count_pixels(
    model: SegmentationModel,
    standardize: Standardize,
    images: Sequence[LabelledImage],
    classes: int,
    window: int,
    fabric: Fabric,
    units: int = 1,
) -> npt.NDArray[np.int64]:
    """Return (U, S, 2 K, K) int64 pixels of U parts of the images and S sources, see :class:`PartialConfusion`.

    The images are divided among the processes of a run; every process returns the total.

    Args:
        model: Network in evaluation mode.
        standardize: Function from pixels on the scale 0..255 to standardized input.
        images: N images.
        classes: Number of classes, K.
        window: Side of the windows, px.
        fabric: Devices.
        units: Number of parts that are counted separately, of successive images; at most N.
    """
    sources = sorted({image.source for image in images})
    counts = torch.zeros(units, len(sources), 2 * classes, classes, dtype=torch.float64)
    for number in range(fabric.global_rank, len(images), fabric.world_size):
        image = images[number].at_model_gsd()
        with fabric.autocast():
            predicted = predict_labels(model, standardize, image.pixels, window)
        found = PartialConfusion.of(image.labels, predicted, classes).counts
        counts[number * units // len(images), sources.index(image.source)] += torch.from_numpy(found)
    total = cast(torch.Tensor, fabric.all_reduce(counts.to(fabric.device), reduce_op="sum"))
    return total.cpu().numpy().astype(np.int64)


def summarize(counts: npt.NDArray[np.int64], images: Sequence[LabelledImage], classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of (U, S, 2 K, K) pixels, as :meth:`Confusion.to_json` returns them, and those of each source.

    With several sources ``miou`` is the mean over the sources of their mean IoU, so that large sources do not dominate
    the choice of the best epoch. Partial labels count: where there are any, ``miou`` and the IoU of the classes are
    those of :attr:`PartialConfusion.iou`.
    """
    sources = sorted({image.source for image in images})
    total = counts.sum(axis=0)
    parts = {name: PartialConfusion(part) for name, part in zip(sources, total, strict=True)}
    whole = PartialConfusion(total.sum(axis=0))
    figures = {**whole.full.to_json(list(classes)), "miou": rounded(whole.headline()["miou"])}
    for name, value in zip(classes, whole.class_figures()["iou"], strict=True):
        figures["classes"][name]["iou"] = rounded(value)
    if len(sources) > 1:
        figures["sources"] = {
            name: {label: rounded(value) for label, value in zip(classes, part.iou, strict=True)}
            for name, part in parts.items()
        }
        means = np.array([mean_of_defined(part.iou) for part in parts.values()])
        figures["miou"] = rounded(mean_of_defined(means))
    return figures
