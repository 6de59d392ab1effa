"""Random chips cut from images in memory; the draw of a step depends on seed and step alone, so runs can resume."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from dubai_landcover_plugin.core.accuracy import IGNORE
from dubai_landcover_plugin.core.classes import DUBAI, ClassScheme
from training.augment import orient, vary_radiometry
from training.config import ChipConfig, DataConfig
from training.data import LabelledImage
from training.errors import DatasetError


class DrawnScene(Protocol):
    """A synthetic picture (H, W, 3) uint8 and its true class ids (H, W) uint8."""

    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]


SceneFunction = Callable[[int, int], DrawnScene]
"""Draws the scene of a seed with sides of so many px."""


class ChipSampler:
    """Draws batches of augmented chips.

    Args:
        images: Real images; larger ones are drawn more often, in proportion to their area.
        scenes: Synthetic images.
        scene_share: Share of chips that come from ``scenes``.
        config: Size, scale and variation of chips.
        seed: Of the run.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        config: ChipConfig,
        seed: int,
        scenes: Sequence[LabelledImage] = (),
        scene_share: float = 0.0,
    ) -> None:
        if not images:
            raise DatasetError("There is no labelled image to train on.")
        self._images, self._scenes = list(images), list(scenes)
        self._scene_share = scene_share if scenes else 0.0
        self._config, self._seed = config, seed
        areas = np.array([image.labels.size for image in images], np.float64)
        self._chances = areas / areas.sum()

    def batch(self, step: int, rank: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the chips of one step: (N, 3, S, S) float32 on 0..255 and (N, S, S) int64 labels."""
        draw = np.random.default_rng((self._seed, step, rank))
        chips = [self._chip(draw) for _ in range(self._config.batch)]
        pixels = torch.from_numpy(np.stack([chip[0] for chip in chips])).permute(0, 3, 1, 2)
        labels = torch.from_numpy(np.stack([chip[1] for chip in chips])).long()
        return vary_radiometry(pixels, self._config, draw), labels

    def _chip(self, draw: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        if draw.random() < self._scene_share:
            image = self._scenes[draw.integers(len(self._scenes))]
        else:
            image = self._images[draw.choice(len(self._images), p=self._chances)]
        low, high = self._config.scale
        scale = float(np.exp(draw.uniform(np.log(low), np.log(high))))
        pixels, labels = cut(image, self._config.size, scale, draw)
        return orient(pixels, labels, int(draw.integers(8)))


def cut(
    image: LabelledImage, size: int, scale: float, draw: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return a random chip (S, S, 3) and its labels (S, S), magnified by ``scale`` as far as the image allows."""
    height, width = image.labels.shape
    side = min(max(round(size / scale), 1), height, width)
    row, col = int(draw.integers(height - side + 1)), int(draw.integers(width - side + 1))
    pixels = image.pixels[row : row + side, col : col + side]
    labels = image.labels[row : row + side, col : col + side]
    if side == size:
        return pixels, labels
    # reducing by an integer is left to BILINEAR too: Pillow widens its support when shrinking, so nothing aliases
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    nearest = Image.fromarray(labels).resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(resized), np.asarray(nearest)


def draw_scenes(config: DataConfig, scheme: ClassScheme = DUBAI) -> list[LabelledImage]:
    """Draw the synthetic scenes that a configuration asks for; none if it names no function.

    Raises:
        DatasetError: if the function cannot be found.
    """
    if not config.scenes or not config.scene_share:
        return []
    module, _, name = config.scenes.partition(":")
    try:
        function = cast(SceneFunction, getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise DatasetError(
            f"The scenes '{config.scenes}' cannot be loaded: {error}.", "Give module:function."
        ) from error
    channels = np.full(256, IGNORE, np.uint8)
    for channel, entry in enumerate(scheme.classes):
        channels[entry.id] = channel
    scenes = []
    for seed in range(config.scene_seed, config.scene_seed + config.scene_count):
        scene = function(seed, config.scene_size)
        scenes.append(LabelledImage(f"scene{seed}", scene.image, channels[scene.truth]))
    return scenes
