"""Random chips cut from images in memory.

A batch depends only on the seed, the step and the index of the batch within the step. Runs can therefore be resumed
exactly, and several processes that share the batches of a step draw the same chips as one process with accumulation.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels, Stretch
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.translation import tr

from ..config import ChipConfig, DataConfig
from ..errors import DatasetError
from .augment import orient, paste_rectangles, transfer_style, vary_radiometry
from .dataset import NOT_CLASS, LabelledImage


class DrawnScene(Protocol):
    """Synthetic image (H, W, 3) uint8 and its class ids (H, W) uint8."""

    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]


SceneFunction = Callable[[int, int], DrawnScene]
"""Draws the scene of a seed with the given side, px."""

_SAME_SCALE = 0.02  # relative difference of scale below which scenes are not resampled
_SAMPLE = 50_000  # pixels of an image from which its percentiles are estimated
_POSITIONS = 2048  # kept for each class and image: 16 kB


@dataclass(frozen=True, slots=True)
class Batch:
    """Chips of one forward pass.

    Args:
        chips: (N, C, S, S) float32 on 0..255.
        labels: (N, S, S) int64.
        names: Image that each chip was cut from.
    """

    chips: torch.Tensor
    labels: torch.Tensor
    names: tuple[str, ...]


class ClassPlaces:
    """Random sample of the positions of each class, at most 2048 per class and image.

    Args:
        images: Labelled images.
        seed: Random seed.
        weights: Relative weight of each source, by name, among the images with a class.
    """

    def __init__(self, images: Sequence[LabelledImage], seed: int, weights: Mapping[str, float] | None = None) -> None:
        draw = np.random.default_rng((seed, len(images)))
        counts = np.array([np.bincount(image.labels.ravel(), minlength=256)[:NOT_CLASS] for image in images], float)
        counts *= _source_factors(images, counts, weights or {})
        self.classes = np.flatnonzero(counts.sum(axis=0))
        chances = counts[:, self.classes] / counts[:, self.classes].sum(axis=0)
        self._chances = dict(zip(self.classes.tolist(), chances.T, strict=True))  # probability of each image, by class
        self._places: dict[tuple[int, int], npt.NDArray[np.int32]] = {}
        for number, image in enumerate(images):
            for channel in np.flatnonzero(counts[number]):
                found = np.flatnonzero(image.labels == channel)
                if len(found) > _POSITIONS:
                    found = draw.choice(found, _POSITIONS, replace=False)
                places = np.stack(np.unravel_index(found, image.labels.shape), axis=1)  # (P, 2) row, column
                self._places[number, int(channel)] = places.astype(np.int32)

    def draw(self, draw: np.random.Generator) -> tuple[int, tuple[int, int]]:
        """Return an image index and the (row, column) of a pixel of a uniformly drawn class."""
        channel = int(self.classes[draw.integers(len(self.classes))])
        number = int(draw.choice(len(self._chances[channel]), p=self._chances[channel]))
        places = self._places[number, channel]
        row, col = places[draw.integers(len(places))]
        return number, (int(row), int(col))


class ChipSampler:
    """Draws batches of augmented chips.

    Args:
        images: Labelled images.
        config: Size, scale, augmentation and selection of chips.
        seed: Random seed of the run.
        scenes: Synthetic images.
        scene_share: Share of chips from ``scenes``, 0..1.
        steps: Steps of the run, of which the last share ``config.calm`` has weaker augmentation; 0 for none.
        weights: Relative share of the chips of each source, by name; 1 if missing.

    Raises:
        DatasetError: if there is no image.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        config: ChipConfig,
        seed: int,
        scenes: Sequence[LabelledImage] = (),
        scene_share: float = 0.0,
        steps: int = 0,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        if not images:
            raise DatasetError(tr("There is no labelled training image."), tr("Label some images, or hold out fewer."))
        self._images, self._scenes = list(images), list(scenes)
        self._scene_share = scene_share if scenes else 0.0
        self._config, self._calm, self._seed = config, config.calmed(), seed
        self._calm_from = round(steps * (1 - config.calm)) if steps else math.inf
        areas = (
            np.array([image.labels.size * math.prod(image.scale) for image in images], np.float64) ** config.area_power
        )
        areas *= _source_factors(images, areas[:, None], weights or {})[:, 0]
        self._chances = areas / areas.sum()
        self._places = ClassPlaces(images, seed, weights) if config.balance else None
        self._bands = images[0].bands
        self._stretches: dict[str, Stretch] = {}  # by name of the image

    def batch(self, step: int, part: int = 0) -> Batch:
        """Return batch ``part`` of a step."""
        draw = np.random.default_rng((self._seed, step, part))
        config = self._config if step < self._calm_from else self._calm
        drawn = [self._chip(config, draw) for _ in range(config.batch)]
        pixels = torch.from_numpy(np.stack([chip[0] for chip in drawn])).permute(0, 3, 1, 2)
        labels = torch.from_numpy(np.stack([chip[1] for chip in drawn])).long()
        if config.style:
            pixels = transfer_style(pixels, config.style, draw, self._bands)
        chips = vary_radiometry(pixels, config, draw, self._bands)
        if config.paste:
            chips, labels = paste_rectangles(chips, labels, config.paste, draw)
        return Batch(chips, labels, tuple(chip[2] for chip in drawn))

    def _chip(self, config: ChipConfig, draw: np.random.Generator) -> tuple[Pixels, npt.NDArray[np.uint8], str]:
        image, centre = self._choose(config, draw)
        low, high = config.scale
        scale = float(np.exp(draw.uniform(np.log(low), np.log(high))))
        pixels, labels = cut(image, config.size, scale, draw, centre)
        if config.stretch and draw.random() < config.stretch:
            pixels = self._stretch(image)(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)
        return *orient(pixels, labels, int(draw.integers(8))), image.name

    def _choose(self, config: ChipConfig, draw: np.random.Generator) -> tuple[LabelledImage, tuple[int, int] | None]:
        """Return an image and, for a balanced chip, the pixel to centre on."""
        if draw.random() < self._scene_share:
            return self._scenes[draw.integers(len(self._scenes))], None
        if self._places is not None and self._places.classes.size and draw.random() < config.balance:
            number, centre = self._places.draw(draw)
            return self._images[number], centre
        return self._images[draw.choice(len(self._images), p=self._chances)], None

    def _stretch(self, image: LabelledImage) -> Stretch:
        """Return the stretch that a run would apply to an image of more than 8 bits, from a regular sample."""
        if image.name not in self._stretches:
            step = max(int(math.sqrt(image.labels.size / _SAMPLE)), 1)
            sample = image.pixels[::step, ::step].transpose(2, 0, 1)  # (C, H, W)
            self._stretches[image.name] = Stretch.from_sample(sample, np.ones(sample.shape[1:], np.bool_))
        return self._stretches[image.name]


def _source_factors(
    images: Sequence[LabelledImage], amounts: npt.NDArray[np.float64], weights: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """Return (N, K) factors that scale each column of (N, K) amounts so that each source sums to its weight."""
    sources = np.array([image.source for image in images])
    factors = np.ones_like(amounts)
    for name in np.unique(sources):
        own = sources == name
        factors[own] = weights.get(str(name), 1.0) / np.maximum(amounts[own].sum(axis=0), 1e-9)
    return factors


class AheadSampler:
    """Prefetches the next batch in a background thread while the network computes.

    Args:
        draw: Function from step and part to a batch, without side effects.
    """

    def __init__(self, draw: Callable[[int, int], Batch]) -> None:
        self._draw = draw
        self._thread = ThreadPoolExecutor(1, "chips")
        self._drawn: tuple[tuple[int, int], Future[Batch]] | None = None

    def take(self, step: int, part: int, following: tuple[int, int]) -> Batch:
        """Return the batch of a step and part, and start drawing the batch of ``following``, a step and part."""
        if self._drawn is None or self._drawn[0] != (step, part):
            self._drawn = ((step, part), self._thread.submit(self._draw, step, part))
        batch = self._drawn[1].result()
        self._drawn = (following, self._thread.submit(self._draw, *following))
        return batch


def cut(
    image: LabelledImage, size: int, scale: float, draw: np.random.Generator, centre: tuple[int, int] | None = None
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Cut a chip from an image and resample it as a run does: averages or bilinear pixels, nearest labels.

    Args:
        image: Image to cut from.
        size: Side S of the chip, px.
        scale: Magnification of the image at the ground sampling distance of the model; increased if it is smaller
            than the chip.
        draw: Random generator for the position without ``centre``.
        centre: Row and column of the centre of the chip, shifted inwards at the border of the image.

    Returns:
        Pixels (S, S, C) and labels (S, S) uint8.
    """
    height, width = image.labels.shape
    least = max(size / (height * image.scale[0]), size / (width * image.scale[1]))
    rows, cols = (max(round(size / (max(scale, least) * own)), 1) for own in image.scale)
    rows, cols = min(rows, height), min(cols, width)
    if centre is None:
        row, col = int(draw.integers(height - rows + 1)), int(draw.integers(width - cols + 1))
    else:
        row = min(max(centre[0] - rows // 2, 0), height - rows)
        col = min(max(centre[1] - cols // 2, 0), width - cols)
    if rows == cols == size:
        return image.pixels[row : row + size, col : col + size], image.labels[row : row + size, col : col + size]
    return image.part(Window(row, col, rows, cols), (size, size))


def draw_scenes(config: DataConfig, scheme: ClassScheme = DUBAI, gsd: float = 1.0) -> list[LabelledImage]:
    """Draw the synthetic scenes of a configuration; an empty list without a scene function.

    Args:
        config: Function, number and size of the scenes.
        scheme: Classes.
        gsd: Ground sampling distance of the model, m/px.

    Raises:
        DatasetError: if the function cannot be imported, or has another signature.
    """
    if not config.scenes or not config.scene_share:
        return []
    module, _, name = config.scenes.partition(":")
    try:
        function = cast(SceneFunction, getattr(importlib.import_module(module, __package__.rpartition(".")[0]), name))
    except (ImportError, AttributeError) as error:
        raise DatasetError(
            f"The scenes '{config.scenes}' cannot be loaded: {error}.", "Write data.scenes as module:function."
        ) from error
    channels = np.full(256, IGNORE, np.uint8)
    for channel, entry in enumerate(scheme.classes):
        channels[entry.id] = channel
    scale = config.scene_gsd / gsd if config.scene_gsd else 1.0
    scale = 1.0 if abs(scale - 1) < _SAME_SCALE else scale
    scenes = []
    for seed in range(config.scene_seed, config.scene_seed + config.scene_count):
        try:
            scene = function(seed, config.scene_size)
            scenes.append(LabelledImage(f"scene{seed}", scene.image, channels[scene.truth], scale=(scale, scale)))
        except (TypeError, AttributeError, IndexError) as error:
            raise DatasetError(
                f"The scenes '{config.scenes}' cannot be drawn: {type(error).__name__}: {error}.",
                "Correct data.scenes: the function takes a seed and a side in px, and returns an object with image and "
                "truth.",
            ) from error
    return scenes
