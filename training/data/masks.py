"""Reads images with masks of class colours or ids: ``images/NAME.*`` with ``masks/NAME.*``.

Subfolders of ``images`` and ``masks`` are places: ``images/PLACE/NAME.*`` with ``masks/PLACE/NAME.*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.warp
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import Chip
from dubai_landcover_plugin.protocol.classes import DUBAI, NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import BandError
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import RGB, InputBands
from ..config import DataConfig
from ..errors import DatasetError
from .class_table import TABLE, find_scheme
from .dataset import Dataset, Entry, LabelledImage, labelled
from .label_values import LabelValues, label_values
from .layers import is_on_earth
from .pixels import (
    band_count,
    grid_of,
    list_images,
    nodata_of,
    open_image,
    read_band,
    read_grid,
    read_picture,
)

_BLACK = (0, 0, 0)


def open_masks(
    config: DataConfig,
    root: Path,
    codes: LabelValues | None = None,
    folders: tuple[str, str] = ("images", "masks"),
    scheme: ClassScheme | None = None,
    bands: InputBands | None = None,
) -> Dataset:
    """List the images and masks in a folder, without decoding them.

    Args:
        config: Class table and bands.
        root: Data folder.
        codes: Meaning of the mask values; None for that of the configuration, else class colours or ids.
        folders: Names of the image folder and the mask folder.
        scheme: Classes; None for those of the class table.
        bands: Bands to read; None for those of the configuration.

    Raises:
        DatasetError: if there is no image with a mask, two masks have the same name, or the class table is invalid.
    """
    if scheme is None:
        scheme, source = find_scheme(root, config.classes)
    else:
        source = "those of the configuration"
    codes = codes or label_values(config.values, scheme, "data.values")
    images, masks = (list_images(root / folder) for folder in folders)
    if not images:
        raise DatasetError(
            tr("There are no images in {folder}.", folder=root / folders[0]), tr("Put .tif, .png or .jpg files there.")
        )
    title = config.title or f"Images and masks of the folder '{root.resolve().name}', licence not stated"
    return mask_dataset(images, masks, (scheme, source), codes, bands or config.input_bands, title)


def mask_dataset(
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    classes: tuple[ClassScheme, str],
    codes: LabelValues | None,
    bands: InputBands,
    title: str,
) -> Dataset:
    """List images and the masks of the same names; see :func:`open_masks`.

    Args:
        images: Images by name.
        masks: Masks by name.
        classes: The classes, and where they come from.
        codes: Meaning of the mask values; None for class colours or ids.
        bands: Bands to read.
        title: Description of the data, one sentence.

    Raises:
        DatasetError: if no image has a mask.
    """
    scheme, source = classes
    entries = tuple(
        Entry(
            name,
            _group(name),
            path,
            partial(load_pair, name, _group(name), path, masks[name], scheme, bands, codes),
            partial(_resampling_notes, path, masks[name]),
            grid=cache(partial(grid_of, path, masks[name])),
        )
        for name, path in images.items()
        if name in masks
    )
    if not entries:
        raise DatasetError(
            tr(
                "No image in {folder} has a mask of the same name in {masks}: {names}… and {others}.",
                folder=_folder(images),
                masks=_folder(masks),
                names=", ".join(list(images)[:3]),
                others=", ".join(list(masks)[:3]) or tr("none"),
            ),
            tr("Give image and mask the same name, for example images/a.tif and masks/a.png."),
        )
    lonely = [
        tr("{path} has no image and is not used.", path=path) for name, path in masks.items() if name not in images
    ]
    unlabelled = tuple(name for name in images if name not in masks)
    return Dataset(title, scheme, entries, unlabelled, notes=(tr("Classes: {source}.", source=source), *lonely))


def _folder(files: Mapping[str, Path]) -> str:
    """Return the folder of the first of some files, for messages."""
    return str(next(iter(files.values())).parent) if files else tr("the folder of masks")


def _group(name: str) -> str:
    """Return the place of an image: its subfolder, else its name."""
    place, _, rest = name.rpartition("/")
    return place or rest


def load_pair(
    name: str,
    group: str,
    image: Path,
    mask: Path,
    scheme: ClassScheme,
    bands: InputBands = RGB,
    codes: LabelValues | None = None,
) -> LabelledImage:
    """Decode an image and its mask.

    Raises:
        DatasetError: with the file names, if one is damaged, the image is not RGB, sizes differ without a CRS, the mask
            shows other ground, or it has an unknown colour or id.
    """
    picture = read_picture(image, bands)
    labels, grid = read_labels(mask, scheme) if codes is None else _read_codes(mask, codes)
    if not _is_same(grid, picture.grid):
        if not (is_on_earth(grid.crs) and is_on_earth(picture.grid.crs)):
            raise DatasetError(
                tr(
                    "{name}: the image has {size}, its mask {mask_size} ({image}, {mask}).",
                    name=name,
                    size=_size(picture.grid),
                    mask_size=_size(grid),
                    image=image,
                    mask=mask,
                ),
                tr("Export image and mask with the same size, or give both a CRS, so that the mask can be resampled."),
            )
        moved = _resampled(labels, grid, picture.grid)
        if moved is None:
            raise DatasetError(
                tr(
                    "{name}: image and mask have no ground in common ({image}, {mask}).",
                    name=name,
                    image=image,
                    mask=mask,
                ),
                tr("Check the CRS of both."),
            )
        labels = moved
    return labelled(name, picture.pixels, labels, group, picture.valid, bands)


def _is_same(grid: Grid, other: Grid) -> bool:
    """Return whether a mask has the pixels of its image; one without a CRS has those of an image of its size."""
    if (grid.height, grid.width) != (other.height, other.width):
        return False
    if not (grid.crs and other.crs):
        return True
    return grid.crs == other.crs and bool(grid.transform.almost_equals(other.transform, 1e-6))


def _resampled(labels: npt.NDArray[np.uint8], own: Grid, target: Grid) -> npt.NDArray[np.uint8] | None:
    """Return labels on the pixels of another grid, ``IGNORE`` where they have none; None if the grids do not meet.

    A pixel gets the label at its centre.
    """
    found = np.full((target.height, target.width), IGNORE, np.uint8)
    covered = np.zeros(found.shape, np.uint8)
    places = {
        "src_transform": own.transform,
        "src_crs": own.crs,
        "dst_transform": target.transform,
        "dst_crs": target.crs,
    }
    rasterio.warp.reproject(np.ones_like(labels), covered, resampling=Resampling.nearest, **places)
    if not covered.any():
        return None
    nearest = Resampling.nearest
    rasterio.warp.reproject(labels, found, resampling=nearest, src_nodata=IGNORE, dst_nodata=IGNORE, **places)
    return found


def _resampling_notes(image: Path, mask: Path) -> tuple[str, ...]:
    """Return a note if a mask is resampled to the pixels of its image."""
    own, target = read_grid(mask), read_grid(image)
    if _is_same(own, target) or not (is_on_earth(own.crs) and is_on_earth(target.crs)):
        return ()
    return (
        tr(
            "{name} has other pixels ({size}, {gsd:.3g} m) than its image ({image_size}, {image_gsd:.3g} "
            "m): it is resampled.",
            name=mask.name,
            size=_size(own),
            gsd=own.gsd() or 0,
            image_size=_size(target),
            image_gsd=target.gsd() or 0,
        ),
    )


def _size(grid: Grid) -> str:
    return f"{grid.width}×{grid.height} px"


def read_labels(path: Path, scheme: ClassScheme = DUBAI) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Return (H, W) uint8 channel indices, or ``IGNORE``, from a mask of colours (RGB or palette) or of ids.

    A palette without class colours is treated as a table of display colours, and its indices as ids.

    Raises:
        DatasetError: if the mask cannot be read, or has an unknown colour or id.
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
            tr("{path} has {dtype} colours.", path=path, dtype=chip.values.dtype),
            tr("Save masks as 8-bit colours or as one band of class ids."),
        )
    colours = _as_colours(chip)
    colours[~chip.valid] = _BLACK
    if palette and not np.isin(_codes(colours), _codes(_colours(scheme))).any():
        return _read_ids(path, scheme)
    return labels_from_colours(colours, scheme, str(path)), grid


def _read_ids(path: Path, scheme: ClassScheme) -> tuple[npt.NDArray[np.uint8], Grid]:
    chip, grid = read_band(path)
    return labels_from_ids(chip.values[0], chip.valid, scheme, str(path)), grid


def _read_codes(path: Path, codes: LabelValues) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Return (H, W) uint8 labels of a mask with a configured meaning for each value.

    A value with a meaning counts even if the file declares it as no data: 0 is background in many masks.

    Raises:
        DatasetError: if it cannot be read, or has a value without a meaning.
    """
    if codes.are_colours:
        chip, grid = _read_colours(path)
        values, valid, form = _codes(_as_colours(chip)), chip.valid, "#{:06X}"
    else:
        chip, grid = _read_numbers(path)
        values, form = chip.values[0], "{:g}"
        valid = chip.valid | (values == nodata_of(path))
    labels, known = codes.of(values)
    unknown = ~known & chip.valid
    if unknown.any():
        raise DatasetError(
            tr("{path} has values without a meaning: {listed}.", path=path, listed=_listed(values[unknown], form)),
            tr(
                "Labels are defined for {listed}: add the others, or an empty text to ignore a value.",
                listed=codes.listed,
            ),
        )
    return np.where(valid, labels, IGNORE).astype(np.uint8), grid


def _as_colours(chip: Chip) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) uint8 colours for a chip of 8 bits."""
    return np.ascontiguousarray(chip.values.transpose(1, 2, 0)).astype(np.uint8, copy=False)


def _read_colours(path: Path) -> tuple[Chip, Grid]:
    """Return the colours of a mask, of RGB bands or a palette.

    Raises:
        DatasetError: if it has neither, or colours of more than 8 bits.
    """
    with open_image(path) as source:
        chip, grid = source.read(Window(0, 0, source.grid.height, source.grid.width)), source.grid
    if chip.values.dtype != np.uint8:
        raise DatasetError(
            tr("{path} has {dtype} colours.", path=path, dtype=chip.values.dtype), tr("Save masks as 8-bit colours.")
        )
    return chip, grid


def _read_numbers(path: Path) -> tuple[Chip, Grid]:
    """Return the numbers of a mask of one band, or of equal ones, as programs save grey masks in colour.

    Raises:
        DatasetError: if it has colours.
    """
    chip, grid = read_band(path)
    if band_count(path) >= 3:
        try:
            colours, _ = _read_colours(path)
        except DatasetError:
            return chip, grid
        if (colours.values[1:] != colours.values[:1]).any():
            raise DatasetError(
                tr("{path} has colours, but its labels are defined for numbers.", path=path),
                tr("Define them for colours, such as #FF0000=Building."),
            )
    return chip, grid


def labels_from_colours(
    colours: npt.NDArray[np.uint8], scheme: ClassScheme = DUBAI, source: str = "The mask"
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for (H, W, 3) uint8 colours; Unlabeled and black become ``IGNORE``.

    Raises:
        DatasetError: if a colour is unknown.
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
            tr("{source} has unknown colours: {listed}.", source=source, listed=listed),
            tr(
                "Save masks with lossless compression, in the colours of the classes: {names}.",
                names=_classes(scheme, "colour"),
            ),
            f"Others belong into {TABLE}.",
        )
    return labels


def labels_from_ids(
    ids: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_], scheme: ClassScheme = DUBAI, source: str = "The mask"
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for (H, W) class ids; 0, 255, Unlabeled and nodata become ``IGNORE``.

    Raises:
        DatasetError: if an id is unknown.
    """
    labels = np.full(ids.shape, IGNORE, np.uint8)
    unknown = valid & ~np.isin(ids, (NODATA_ID, IGNORE, scheme.unlabeled.id))
    for channel, value in enumerate(scheme.ids):
        hit = valid & (ids == value)
        labels[hit] = channel
        unknown &= ~hit
    if (labels == IGNORE).all() and (ids == IGNORE).any():
        raise DatasetError(
            tr(
                "{source} has only {listed}, which are no labels.",
                source=source,
                listed=", ".join(f"{value:g}" for value in np.unique(ids)[:5]),
            ),
            tr(
                "If it is a mask of one class, say what its values mean, such as 255={name} and 0=not {name}.",
                name=scheme.classes[0].name,
            ),
            f'In a configuration: [data.values] 255 = "{scheme.classes[0].name}", 0 = "not {scheme.classes[0].name}".',
        )
    if unknown.any():
        raise DatasetError(
            tr("{source} has unknown ids: {listed}.", source=source, listed=_listed(ids[unknown], "{:g}")),
            tr("The classes are {names}: correct the mask, or add the missing classes.", names=_classes(scheme, "id")),
            f"They are in {TABLE}.",
        )
    return labels


def _listed(values: npt.NDArray[np.generic], form: str) -> str:
    """Return the most frequent values with their numbers of pixels as text."""
    kinds, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    named = ", ".join(f"{form.format(kinds[index])} ({counts[index]} px)" for index in order)
    return tr("{names} and {count} more", names=named, count=len(kinds) - 5) if len(kinds) > 5 else named


def _classes(scheme: ClassScheme, field: str) -> str:
    return ", ".join(f"{getattr(entry, field)} {entry.name}" for entry in scheme.classes)


def _colours(scheme: ClassScheme) -> npt.NDArray[np.uint8]:
    """Return the class colours, (K, 3) uint8."""
    return np.array([entry.rgb for entry in scheme.classes], np.uint8)


def _codes(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return one integer 0xRRGGBB for each colour of (..., 3)."""
    wide = colours.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
