"""Images with masks: ``images/NAME.*`` with ``masks/NAME.*``, whose pixels are colours or ids of classes.

Folders inside ``images`` and ``masks`` are places: ``images/PLACE/NAME.*`` with ``masks/PLACE/NAME.*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.classes import DUBAI, NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import BandError

from ..config import DataConfig
from ..errors import DatasetError
from .class_table import find_scheme
from .dataset import Dataset, Entry, LabelledImage
from .pixels import list_images, open_image, read_band, read_picture, to_pixels

_BLACK = (0, 0, 0)


def open_masks(
    config: DataConfig,
    root: Path,
    codes: Mapping[int, int] | None = None,
    folders: tuple[str, str] = ("images", "masks"),
    scheme: ClassScheme | None = None,
) -> Dataset:
    """List the images of a folder; masks are read when an image is loaded.

    Args:
        config: Class table and bands.
        root: Folder of the data.
        codes: Label of each value of the masks; None for masks of colours or class ids.
        folders: Names of the folders of images and masks.
        scheme: The classes; None for those of the class table.

    Raises:
        DatasetError: if there is no image with a mask, two masks have one name, or the class table is wrong.
    """
    if scheme is None:
        scheme, source = find_scheme(root, config.classes)
    else:
        source = "those of the run"
    images, masks = (list_images(root / folder) for folder in folders)
    if not images:
        raise DatasetError(f"There are no images in {root / folders[0]}.", "Put .tif, .png or .jpg files there.")
    entries = tuple(
        Entry(
            name,
            _group(name),
            path,
            partial(load_pair, name, _group(name), path, masks[name], scheme, config.bands, codes),
        )
        for name, path in images.items()
        if name in masks
    )
    if not entries:
        raise DatasetError(
            f"No image in {root / folders[0]} has a mask of the same name in {root / folders[1]}: "
            f"{', '.join(list(images)[:3])}… and {', '.join(list(masks)[:3]) or 'none'}.",
            "Name image and mask alike, for example images/a.tif and masks/a.png.",
        )
    lonely = [f"{path} has no image and is not used." for name, path in masks.items() if name not in images]
    unlabelled = tuple(name for name in images if name not in masks)
    title = config.title or f"Images and masks of the folder '{root.resolve().name}', licence not stated"
    return Dataset(title, scheme, entries, unlabelled, notes=(f"Classes: {source}.", *lonely))


def _group(name: str) -> str:
    """Return the place of an image: the folder that it lies in, else itself."""
    place, _, rest = name.rpartition("/")
    return place or rest


def load_pair(
    name: str,
    group: str,
    image: Path,
    mask: Path,
    scheme: ClassScheme,
    bands: tuple[int, ...] = (),
    codes: Mapping[int, int] | None = None,
) -> LabelledImage:
    """Decode an image and its mask.

    Raises:
        DatasetError: with the files' names, if one is damaged, the image is not RGB, their sizes or places differ, or
            the mask has a colour or id of no class.
    """
    picture = read_picture(image, bands)
    labels, grid = read_labels(mask, scheme) if codes is None else _read_codes(mask, codes)
    if labels.shape != picture.valid.shape:
        raise DatasetError(
            f"{name}: the image has {_size(picture.grid)}, its mask {_size(grid)} ({image}, {mask}).",
            "Export image and mask with the same size.",
        )
    if grid.crs and picture.grid.crs and not grid.transform.almost_equals(picture.grid.transform, 1e-6):
        raise DatasetError(
            f"{name}: image and mask have one size but lie at different places ({image}, {mask}).",
            "Export the mask with the image's extent and pixels.",
        )
    labels[~picture.valid] = IGNORE
    return LabelledImage(name, picture.pixels, labels, group)


def _size(grid: Grid) -> str:
    return f"{grid.width}×{grid.height} px"


def read_labels(path: Path, scheme: ClassScheme = DUBAI) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Return (H, W) uint8 channel indices, or ``IGNORE``, from a mask of colours (RGB or palette) or of ids.

    A palette whose colours are no class's is taken for a table of display colours, and its indices for ids.

    Raises:
        DatasetError: if the mask cannot be read, or a colour or id belongs to no class.
    """
    try:
        with open_image(path) as source:
            palette, grid = source.has_palette, source.grid
            chip = source.read(Window(0, 0, grid.height, grid.width))
    except DatasetError as error:
        if isinstance(error.__cause__, BandError):  # one band, no palette
            return _read_ids(path, scheme)
        raise
    if chip.values.dtype != np.uint8:
        raise DatasetError(
            f"{path} holds {chip.values.dtype} colours.", "Save masks as 8-bit colours or as one band of class ids."
        )
    colours = to_pixels(chip, Stretch.identity(3))
    colours[~chip.valid] = _BLACK
    if palette and not np.isin(_codes(colours), _codes(_colours(scheme))).any():
        return _read_ids(path, scheme)
    return labels_from_colours(colours, scheme, str(path)), grid


def _read_ids(path: Path, scheme: ClassScheme) -> tuple[npt.NDArray[np.uint8], Grid]:
    chip, grid = read_band(path)
    return labels_from_ids(chip.values[0], chip.valid, scheme, str(path)), grid


def _read_codes(path: Path, codes: Mapping[int, int]) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Return (H, W) uint8 labels of a mask whose values have meanings of their own.

    Raises:
        DatasetError: if it cannot be read, is not of one byte for each pixel, or has a value without a meaning.
    """
    chip, grid = read_band(path)
    values = chip.values[0]
    if values.dtype != np.uint8:
        raise DatasetError(f"{path} holds {values.dtype} values.", "Save masks with one byte for each pixel.")
    known = np.zeros(256, np.bool_)
    known[list(codes)] = True
    unknown = ~known[values] & chip.valid
    if unknown.any():
        raise DatasetError(
            f"{path} has values without a meaning: {_listed(values[unknown], '{:g}')}.",
            f"The source's labels name {', '.join(map(str, sorted(codes)))}: add the others, an empty text to ignore.",
        )
    table = np.full(256, IGNORE, np.uint8)
    table[list(codes)] = list(codes.values())
    return np.where(chip.valid, table[values], IGNORE).astype(np.uint8), grid


def labels_from_colours(
    colours: npt.NDArray[np.uint8], scheme: ClassScheme = DUBAI, source: str = "The mask"
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for (H, W, 3) uint8 colours; Unlabeled and black become ``IGNORE``.

    Raises:
        DatasetError: if a colour belongs to no class.
    """
    codes = _codes(colours)
    labels = np.full(codes.shape, IGNORE, np.uint8)
    unknown = ~np.isin(codes, _codes(np.array([_BLACK, scheme.unlabeled.rgb], np.uint8)))
    for channel, code in enumerate(_codes(_colours(scheme))):
        hit = codes == code
        labels[hit] = channel
        unknown &= ~hit
    if unknown.any():
        listed = _listed(codes[unknown], "#{:06X}")
        raise DatasetError(
            f"{source} has colours of no class: {listed}.",
            f"Save masks without compression losses, in the colours of the classes: {_told(scheme, 'colour')}.",
        )
    return labels


def labels_from_ids(
    ids: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_], scheme: ClassScheme = DUBAI, source: str = "The mask"
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for (H, W) class ids; 0, 255, Unlabeled and nodata become ``IGNORE``.

    Raises:
        DatasetError: if an id belongs to no class.
    """
    labels = np.full(ids.shape, IGNORE, np.uint8)
    unknown = valid & ~np.isin(ids, (NODATA_ID, IGNORE, scheme.unlabeled.id))
    for channel, value in enumerate(scheme.ids):
        hit = valid & (ids == value)
        labels[hit] = channel
        unknown &= ~hit
    if unknown.any():
        raise DatasetError(
            f"{source} has ids of no class: {_listed(ids[unknown], '{:g}')}.",
            f"The classes are {_told(scheme, 'id')}: mend the mask or the class table.",
        )
    return labels


def _listed(values: npt.NDArray[np.generic], form: str) -> str:
    """Name the values that occur most often, with their pixels."""
    kinds, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    named = ", ".join(f"{form.format(kinds[index])} ({counts[index]} px)" for index in order)
    return named + (f" and {len(kinds) - 5} more" if len(kinds) > 5 else "")


def _told(scheme: ClassScheme, what: str) -> str:
    return ", ".join(f"{getattr(entry, what)} {entry.name}" for entry in scheme.classes)


def _colours(scheme: ClassScheme) -> npt.NDArray[np.uint8]:
    """Return (K, 3) uint8."""
    return np.array([entry.rgb for entry in scheme.classes], np.uint8)


def _codes(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return one integer 0xRRGGBB for each colour of (..., 3)."""
    wide = colours.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
