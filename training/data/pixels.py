"""Reads images in the same way as Segment Land Cover: band selection, nodata, stretch or scaling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.band_words import common_name
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.core.io.raster_source import Chip, RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels, Stretch
from dubai_landcover_plugin.protocol.errors import BandError, LandCoverError
from dubai_landcover_plugin.protocol.model_metadata import is_unnamed_band
from dubai_landcover_plugin.protocol.partial_files import is_partial
from dubai_landcover_plugin.protocol.translation import isolated, tr

from ..bands import RGB, InputBands
from ..errors import DatasetError
from .layers import is_on_earth

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt", ".img")


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image file.

    Args:
        pixels: (H, W, C) on the scale 0..255: uint8, or float32 for bands with a scaling.
        valid: (H, W) bool, false for nodata.
        grid: Its georeferenced grid.
    """

    pixels: Pixels
    valid: npt.NDArray[np.bool_]
    grid: Grid


@contextmanager
def open_image(path: Path, bands: InputBands = RGB) -> Iterator[RasterSource]:
    """Open some bands of an image file.

    Args:
        path: Image file.
        bands: Bands to read; by default red, green and blue, found as in Segment Land Cover.

    Raises:
        DatasetError: with the file name, if it is damaged, lacks the bands or is ambiguously georeferenced.
    """
    options = SourceOptions(bands=bands.numbers) if bands.fixed else SourceOptions(trained=bands.numbers)
    if bands.second:
        options = replace(options, second=str(second_of(path, bands.second)))
    with _open(path, bands.names, options) as source:
        _check_names(path, source, bands)
        yield source


def second_of(path: Path, folder: str) -> Path:
    """Return the second raster of an image: one that covers all images, or that of its name in another folder.

    Args:
        path: The image, such as ``DATA/images/north/a.tif``.
        folder: A file, such as ``heights.vrt`` for ``DATA/heights.vrt``, or the name of a folder, such as ``heights``
            for ``DATA/heights/north/a.tif``.

    Raises:
        DatasetError: if there is none.
    """
    if Path(folder).is_absolute():
        return Path(folder)
    for parent in list(path.parents)[1:]:
        if (parent / folder).is_file():
            return parent / folder
        if (parent / folder).is_dir():
            stem = (parent / folder).joinpath(*path.relative_to(parent).parts[1:]).with_suffix("")
            for suffix in IMAGE_SUFFIXES:
                if (found := stem.with_name(stem.name + suffix)).is_file():
                    return found
            raise DatasetError(
                f"{path} has no second raster: there is no {stem.name}.tif in {stem.parent}.",
                "Add it, or leave data.second out.",
            )
    raise DatasetError(f"There is no {folder} beside the folder of {path}.", "Correct data.second.")


def _check_names(path: Path, source: RasterSource, bands: InputBands) -> None:
    """Check that a file names its bands as the configuration does: nothing is guessed in training.

    Raises:
        DatasetError: if it has other names, or none where bands are chosen by name.
    """
    if bands.are_rgb or (bands.numbers and not bands.fixed):
        return
    for name, number, own in zip(bands.names, source.bands, source.band_names, strict=True):
        if own != common_name(name) and not is_unnamed_band(name) and not (bands.fixed and is_unnamed_band(own)):
            raise DatasetError(
                tr("{path}: {name} is chosen, but band {number} has no name.", path=path, name=name, number=number)
                if is_unnamed_band(own)
                else tr(
                    "{path}: {name} is chosen, but band {number} is called {called}.",
                    path=path,
                    name=name,
                    number=number,
                    called=own,
                ),
                tr(
                    "Name the bands in the file, or give their numbers, for example {example}.",
                    example=f"{name}={number}",
                ),
                f'In a configuration: data.bands = ["{name}={number}", …].',
            )


@contextmanager
def _open(path: Path, names: tuple[str, ...], options: SourceOptions) -> Iterator[RasterSource]:
    try:
        with RasterSource(str(path), names, options) as source:
            yield source
    except BandError as error:
        if names == RGB.names:
            remedy = tr("Save it with these bands, or choose the bands, for example red=3, green=2 and blue=1.")
            hint = "In a configuration: data.bands = [3, 2, 1]."
            text = tr("{path} is not RGB. {message}", path=path, message=error.message)
            raise DatasetError(text, remedy, hint) from error
        raise DatasetError(
            f"{isolated(str(path))}: {error.message}",
            tr("Name the bands in the file, or give their numbers, for example {example}.", example=f"{names[0]}=4"),
            f'In a configuration: data.bands = ["{names[0]}=4", …].',
        ) from error
    except DatasetError:
        raise
    except LandCoverError as error:
        message = error.message if str(path) in error.message else f"{isolated(str(path))}: {error.message}"
        raise DatasetError(message, error.remedy) from error


def stretch_of(source: RasterSource, bands: InputBands = RGB) -> Stretch:
    """Return the scaling of the bands; without one the stretch of a raster to 8 bits.

    It is the identity for uint8, else it is estimated from a sample of the whole raster.

    Raises:
        RasterReadError: if the sample cannot be read.
    """
    if bands.scaling is not None:
        return Stretch(bands.scaling.limits, rounded=False)
    if source.dtype == np.uint8:
        return Stretch.identity(len(source.band_names))
    sample = source.read_sample()
    return Stretch.from_sample(sample.values, sample.valid)


def to_pixels(chip: Chip, stretch: Stretch) -> Pixels:
    """Return (H, W, C) pixels on the scale 0..255 for a chip of (C, H, W) values."""
    return np.ascontiguousarray(stretch(chip.values).transpose(1, 2, 0))


def read_picture(path: Path, bands: InputBands = RGB) -> Picture:
    """Read a whole image file.

    Raises:
        DatasetError: see :func:`open_image`.
    """
    with open_image(path, bands) as source:
        chip = source.read(Window(0, 0, source.grid.height, source.grid.width))
        return Picture(to_pixels(chip, stretch_of(source, bands)), chip.valid, source.grid)


def read_band(path: Path) -> tuple[Chip, Grid]:
    """Read the first band of a file, (1, H, W), without expanding a palette.

    Raises:
        DatasetError: with the file name, if it is damaged.
    """
    with _open(path, ("value",), SourceOptions(bands=(1,))) as source:
        return source.read(Window(0, 0, source.grid.height, source.grid.width)), source.grid


def band_count(path: Path) -> int:
    """Return the number of bands of a file that opens."""
    with open_raster(path) as dataset:
        return int(dataset.count)


def nodata_of(path: Path) -> float | None:
    """Return the nodata value of a file that opens; None without."""
    with open_raster(path) as dataset:
        return None if dataset.nodata is None else float(dataset.nodata)


def read_grid(path: Path) -> Grid:
    """Return the grid of a file.

    Raises:
        DatasetError: with the file name, if it is damaged.
    """
    with _open(path, ("value",), SourceOptions(bands=(1,))) as source:
        return source.grid


def grid_of(*paths: Path) -> Grid | None:
    """Return the grid of the first of several files of one size that has a CRS on the Earth; None if there is none.

    A file that cannot be opened is skipped here; loading it reports the error.
    """
    for path in paths:
        try:
            grid = read_grid(path)
        except DatasetError:
            continue
        if is_on_earth(grid.crs):
            return grid
    return None


def list_images(folder: Path) -> dict[str, Path]:
    """Return the image files in a folder and its subfolders by relative path without suffix, sorted.

    Raises:
        DatasetError: if two names differ only in their suffix.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue  # macOS writes files such as ._a.tif
        if is_partial(path.parent.name):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DatasetError(
                tr("{one} and {other} have the same name.", one=found[name], other=path),
                tr("Rename or remove one of them."),
            )
        found[name] = path
    return dict(sorted(found.items()))
