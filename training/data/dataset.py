"""Labelled images of any layout, loaded on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.protocol.classes import ClassScheme

from ..config import SourceConfig
from ..errors import DatasetError

_SAME_SCALE = 0.02  # relative difference of scale below which images are not resampled
NOT_CLASS = 128
"""Partial label ``NOT_CLASS + k``: any class except channel ``k``."""


def is_partial(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where labels are partial."""
    found: npt.NDArray[np.bool_] = (labels >= NOT_CLASS) & (labels != IGNORE)
    return found


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A decoded image with its labels.

    Args:
        name: Short name.
        pixels: (H, W, 3) uint8.
        labels: (H, W) uint8 output channel, ``NOT_CLASS`` plus a channel, or ``IGNORE``.
        group: Place of the image, see :class:`Entry`; may be empty.
        source: Name of its source; empty without ``[[sources]]``.
        scale: Magnification to the ground sampling distance of the model.
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
        """Return the image at the ground sampling distance of the model: bilinear pixels, nearest labels."""
        if abs(self.scale - 1) < _SAME_SCALE:
            return self
        height, width = (max(round(side * self.scale), 1) for side in self.labels.shape)
        pixels = Image.fromarray(self.pixels).resize((width, height), Image.Resampling.BILINEAR)
        labels = Image.fromarray(self.labels).resize((width, height), Image.Resampling.NEAREST)
        return replace(self, pixels=np.asarray(pixels), labels=np.asarray(labels), scale=1.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A labelled image that is loaded on demand.

    Args:
        name: Unique short name such as ``tile1/image_part_003``.
        group: Place of the image, such as ``tile1``; images of one place are similar or adjacent.
        image: Image file.
        load: Decodes image and labels; raises a ``DatasetError`` with the file name on failure.
        check: Returns notes on the labels, such as overlapping polygons.
        window: Part of the file; None for the whole file or if unknown.
    """

    name: str
    group: str
    image: Path
    load: Callable[[], LabelledImage]
    check: Callable[[], tuple[str, ...]] = tuple
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled images of any layout.

    Args:
        title: Name and licence for model cards, one sentence.
        scheme: Classes.
        entries: Labelled images, sorted by name within each source.
        unlabelled: Names of the images without labels.
        folds: Groups that are adjacent on the ground and are held out together.
        notes: Notes for the user, such as a mask without an image.
        sources: Sources of the images; empty without ``[[sources]]``.
    """

    title: str
    scheme: ClassScheme
    entries: tuple[Entry, ...]
    unlabelled: tuple[str, ...] = ()
    folds: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[SourceConfig, ...] = ()

    def __post_init__(self) -> None:
        names = [*(entry.name for entry in self.entries), *self.unlabelled]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise DatasetError(
                f"Images need different names, but {', '.join(twice[:5])} occurs twice.",
                "Rename one; names that differ only in their suffix (a.png, a.tif) count as equal.",
            )
        known = {entry.group for entry in self.entries}
        if not {group for fold in self.folds for group in fold} <= known:
            raise DatasetError(f"Folds name groups that do not exist: {self.folds}, groups: {sorted(known)}.")
