"""What every kind of labelled data becomes: named images with labels, that are loaded when they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.classes import ClassScheme

from ..errors import DatasetError

_SAME_SCALE = 0.02  # a relative difference that is not worth resampling
NOT_CLASS = 128
"""Label ``NOT_CLASS + k`` marks a pixel known to be anything but channel ``k``; such labels are partial."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A decoded image.

    Args:
        name: Short name.
        pixels: (H, W, 3) uint8.
        labels: (H, W) uint8 channel index of the model's output, ``NOT_CLASS`` plus a channel index, or ``IGNORE``.
        group: The place it belongs to, see :class:`Entry`; may be empty.
        source: Name of the folder of training data it comes from; empty where there is only one.
        scale: Magnification that brings it to the ground sampling distance of the model.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    group: str = ""
    source: str = ""
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.pixels.shape != (*self.labels.shape, 3):
            raise DatasetError(
                f"{self.name}: the image has {self.pixels.shape[1]}×{self.pixels.shape[0]} px, "
                f"its mask {self.labels.shape[1]}×{self.labels.shape[0]} px.",
                "Export image and mask with the same size.",
            )

    def at_model_gsd(self) -> LabelledImage:
        """Return the image at the model's ground sampling distance: bilinear pixels, nearest labels."""
        if abs(self.scale - 1) < _SAME_SCALE:
            return self
        height, width = (max(round(side * self.scale), 1) for side in self.labels.shape)
        pixels = Image.fromarray(self.pixels).resize((width, height), Image.Resampling.BILINEAR)
        labels = Image.fromarray(self.labels).resize((width, height), Image.Resampling.NEAREST)
        return replace(self, pixels=np.asarray(pixels), labels=np.asarray(labels), scale=1.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A labelled image that can be loaded.

    Args:
        name: Short name such as ``tile1/image_part_003``; no other image has it.
        group: The place it belongs to, such as ``tile1``; images of one place look alike or share borders.
        image: File that it comes from.
        load: Decodes image and labels. Raises a ``DatasetError`` with the file's name if that is impossible.
        check: Returns what a user should know about the labels beyond what can be seen in them.
        window: The part of the file that it is; None for all of it, or where nobody knows.
    """

    name: str
    group: str
    image: Path
    load: Callable[[], LabelledImage]
    check: Callable[[], tuple[str, ...]] = tuple
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images and labels, whatever their layout.

    Args:
        title: One sentence for model cards: name and licence.
        scheme: The classes.
        entries: Labelled images, sorted by name.
        unlabelled: Names of the images without labels.
        folds: Groups that lie together on the ground, each to be kept out as one.
        weights: Relative share of the chips of each source, by its name; empty where there is only one.
        notes: What the user should know, such as a mask without an image.
    """

    title: str
    scheme: ClassScheme
    entries: tuple[Entry, ...]
    unlabelled: tuple[str, ...] = ()
    folds: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*(entry.name for entry in self.entries), *self.unlabelled]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise DatasetError(
                f"Images need different names, but {', '.join(twice[:5])} occurs twice.",
                "Rename one; names that differ in their suffix alone (a.png, a.tif) are the same.",
            )
        known = {entry.group for entry in self.entries}
        if not {group for fold in self.folds for group in fold} <= known:
            raise DatasetError(f"Folds name groups that do not exist: {self.folds}, groups: {sorted(known)}.")
