"""Reads images in the same way as Segment Land Cover: band selection, nodata, stretch to 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import Chip, RasterSource, SourceOptions
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.errors import BandError, LandCoverError
from dubai_landcover_plugin.protocol.partial_files import is_partial

from ..errors import DatasetError

RGB = ("red", "green", "blue")
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt", ".img")


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image file.

    Args:
        pixels: (H, W, 3) uint8.
        valid: (H, W) bool, false for nodata.
        grid: Its georeferenced grid.
    """

    pixels: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]
    grid: Grid


@contextmanager
def open_image(path: Path, bands: tuple[int, ...] = ()) -> Iterator[RasterSource]:
    """Open the red, green and blue band of an image file.

    Args:
        path: Image file.
        bands: 1-based numbers of the three bands; empty to select them by their colour interpretation.

    Raises:
        DatasetError: with the file name, if it is damaged, not RGB or ambiguously georeferenced.
    """
    with _open(path, RGB, bands) as source:
        yield source


@contextmanager
def _open(path: Path, names: tuple[str, ...], bands: tuple[int, ...]) -> Iterator[RasterSource]:
    try:
        with RasterSource(str(path), names, SourceOptions(bands=bands or None)) as source:
            yield source
    except BandError as error:
        raise DatasetError(
            f"{path} is not RGB. {error.message}",
            "Save it with red, green and blue, or set the bands, for example data.bands = [3, 2, 1].",
        ) from error
    except DatasetError:
        raise
    except LandCoverError as error:
        message = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise DatasetError(message, error.remedy) from error


def stretch_of(source: RasterSource) -> Stretch:
    """Return the stretch of a raster to 8 bits: identity for uint8, else estimated from a sample of the whole raster.

    Raises:
        RasterReadError: if the sample cannot be read.
    """
    if source.dtype == np.uint8:
        return Stretch.identity(len(RGB))
    sample = source.read_sample()
    return Stretch.from_sample(sample.values, sample.valid)


def to_pixels(chip: Chip, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) uint8 pixels for a chip of (3, H, W) values."""
    return np.ascontiguousarray(stretch(chip.values).transpose(1, 2, 0))


def read_picture(path: Path, bands: tuple[int, ...] = ()) -> Picture:
    """Read a whole image file.

    Raises:
        DatasetError: see :func:`open_image`.
    """
    with open_image(path, bands) as source:
        chip = source.read(Window(0, 0, source.grid.height, source.grid.width))
        return Picture(to_pixels(chip, stretch_of(source)), chip.valid, source.grid)


def read_band(path: Path) -> tuple[Chip, Grid]:
    """Read the first band of a file, (1, H, W), without expanding a palette.

    Raises:
        DatasetError: with the file name, if it is damaged.
    """
    with _open(path, ("value",), (1,)) as source:
        return source.read(Window(0, 0, source.grid.height, source.grid.width)), source.grid


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
            raise DatasetError(f"{found[name]} and {path} have the same name.", "Rename or remove one of them.")
        found[name] = path
    return dict(sorted(found.items()))
