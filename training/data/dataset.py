"""Labelled images of any layout, loaded on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.array_source import read_array
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels, fill_invalid
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import RGB, InputBands
from ..config import SourceConfig
from ..errors import DatasetError

_MARGIN = 2  # px around a window that interpolation reads
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
        pixels: (H, W, C) on the scale 0..255: uint8, or float32 for bands with a scaling.
        labels: (H, W) uint8 output channel, ``NOT_CLASS`` plus a channel, or ``IGNORE``.
        group: Place of the image, see :class:`Entry`; may be empty.
        source: Name of its source; empty without ``[[sources]]``.
        scale: Magnification to the ground sampling distance of the model, along rows and columns.
        valid: (H, W) bool, false for nodata; None if all pixels are valid.
        bands: What the C bands are.
    """

    name: str
    pixels: Pixels
    labels: npt.NDArray[np.uint8]
    group: str = ""
    source: str = ""
    scale: tuple[float, float] = (1.0, 1.0)
    valid: npt.NDArray[np.bool_] | None = None
    bands: InputBands = RGB

    def __post_init__(self) -> None:
        if self.pixels.shape != (*self.labels.shape, len(self.bands.names)):
            raise DatasetError(
                tr(
                    "{name}: the image has {width}×{height} px and {count} bands ({bands}), its mask "
                    "{mask_width}×{mask_height} px.",
                    name=self.name,
                    width=self.pixels.shape[1],
                    height=self.pixels.shape[0],
                    count=self.pixels.shape[2],
                    bands=self.bands,
                    mask_width=self.labels.shape[1],
                    mask_height=self.labels.shape[0],
                ),
                tr("Export image and mask with the same size."),
            )

    @property
    def picture(self) -> npt.NDArray[np.uint8]:
        """The image for display, (H, W, 3) uint8; bands with a scaling are stretched to their mean ± two deviations."""
        shown = list(self.bands.shown)
        values = self.pixels if self.pixels.shape[2] == 3 and shown == [0, 1, 2] else self.pixels[..., shown]
        if values.dtype == np.uint8:
            return np.asarray(values, np.uint8)
        mean, spread = (255 * np.array(given, np.float32)[shown] for given in (self.bands.mean, self.bands.std))
        low = np.maximum(mean - 2 * spread, 0)
        stretched = np.rint(255 * np.clip((values - low) / (mean + 2 * spread - low), 0, 1))
        return np.asarray(stretched, np.uint8)

    def at_model_gsd(self) -> LabelledImage:
        """Return the image at the ground sampling distance of the model: pixels as a run reads them, nearest labels."""
        if self.scale == (1.0, 1.0):
            return self
        height, width = self.labels.shape
        rows, cols = max(round(height * self.scale[0]), 1), max(round(width * self.scale[1]), 1)
        pixels, labels = self.part(Window(0, 0, height, width), (rows, cols))
        return replace(self, pixels=pixels, labels=labels, scale=(1.0, 1.0), valid=None)

    def part(self, window: Window, shape: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.uint8]]:
        """Return pixels (h, w, C) and labels (h, w) of a window at another size, resampled as in a run.

        Args:
            window: Part of the image.
            shape: Height and width of the result, px.
        """
        # only the window and the pixels that bilinear interpolation needs around it are copied
        top, left = max(window.row - _MARGIN, 0), max(window.col - _MARGIN, 0)
        near = slice(top, window.row + window.height + _MARGIN), slice(left, window.col + window.width + _MARGIN)
        area = (float(window.row - top), float(window.col - left), float(window.height), float(window.width))
        valid = None if self.valid is None else self.valid[near]
        read, valid = read_array(self.pixels[near].transpose(2, 0, 1), valid, area, shape)
        rows, cols = (
            first + ((np.arange(side) + 0.5) * length / side).astype(np.int64)
            for first, length, side in zip((window.row, window.col), area[2:], shape, strict=True)
        )
        labels = self.labels[rows[:, None], cols]
        return np.ascontiguousarray(fill_invalid(read, valid, self.bands.mean).transpose(1, 2, 0)), labels


def labelled(
    name: str,
    pixels: Pixels,
    labels: npt.NDArray[np.uint8],
    group: str,
    valid: npt.NDArray[np.bool_],
    bands: InputBands = RGB,
) -> LabelledImage:
    """Return an image whose invalid pixels have no label and the mean of the training data, as in a run.

    Args:
        name: Short name.
        pixels: (H, W, C) on the scale 0..255.
        labels: (H, W) uint8; changed in place.
        group: Place of the image.
        valid: (H, W) bool, false for nodata.
        bands: What the C bands are.
    """
    labels[~valid] = IGNORE
    if valid.all():
        return LabelledImage(name, pixels, labels, group, bands=bands)
    filled = fill_invalid(pixels.transpose(2, 0, 1), valid, bands.mean).transpose(1, 2, 0)
    return LabelledImage(name, np.ascontiguousarray(filled), labels, group, valid=valid, bands=bands)


def _no_grid() -> Grid | None:
    return None


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
        grid: Returns the grid of the file, or None if it has no CRS; images that overlap on the ground stay together.
        gsd: Ground sampling distance that the source states, m/px; 0 for that of the grid.
    """

    name: str
    group: str
    image: Path
    load: Callable[[], LabelledImage]
    check: Callable[[], tuple[str, ...]] = tuple
    window: Window | None = None
    grid: Callable[[], Grid | None] = _no_grid
    gsd: float = 0.0

    def pixel_size(self) -> tuple[float, float] | None:
        """Return the ground size of a pixel as (width, height), m: as stated, else of the grid; None if unknown."""
        if self.gsd:
            return self.gsd, self.gsd
        grid = self.grid()
        return None if grid is None else grid.pixel_size_m()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled images of any layout.

    Args:
        title: Name and licence for model cards, one sentence.
        scheme: Classes.
        entries: Labelled images, sorted by name within each source.
        unlabelled: Names of the images without labels.
        folds: Groups that are adjacent on the ground and are held out together; overlaps are found by the split.
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
                tr("Images need different names, but {names} occurs twice.", names=", ".join(twice[:5])),
                tr("Rename one; names that differ only in their suffix (a.png, a.tif) count as equal."),
            )
        known = {entry.group for entry in self.entries}
        if not {group for fold in self.folds for group in fold} <= known:
            raise DatasetError(
                tr(
                    "Folds name groups that do not exist: {folds}, groups: {names}.",
                    folds=self.folds,
                    names=sorted(known),
                )
            )
