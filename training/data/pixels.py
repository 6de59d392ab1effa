"""Reads images exactly as a run of Segment Land Cover reads them: bands, nodata, stretch to 8 bits."""

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

from ..errors import DatasetError

RGB = ("red", "green", "blue")
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt", ".img")


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded image file.

    Args:
        pixels: (H, W, 3) uint8.
        valid: (H, W) true where the file holds data.
        grid: Its place on the ground.
    """

    pixels: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]
    grid: Grid


@contextmanager
def open_image(path: Path, bands: tuple[int, ...] = ()) -> Iterator[RasterSource]:
    """Open red, green and blue of an image file, or the ``bands`` that stand for them.

    Raises:
        DatasetError: with the file's name, if it is damaged, is not RGB or has no clear place on the ground.
    """
    with _open(path, RGB, bands) as source:
        yield source


@contextmanager
def _open(path: Path, wanted: tuple[str, ...], bands: tuple[int, ...]) -> Iterator[RasterSource]:
    try:
        with RasterSource(str(path), wanted, SourceOptions(bands=bands or None)) as source:
            yield source
    except BandError as error:
        raise DatasetError(
            f"{path} is not RGB. {error.message}",
            "Save it with red, green and blue, or say which bands they are: data.bands = [3, 2, 1].",
        ) from error
    except DatasetError:
        raise
    except LandCoverError as error:
        told = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise DatasetError(told, error.remedy) from error


def stretch_of(source: RasterSource) -> Stretch:
    """Return the stretch that a run gives this raster: none for 8 bits, else from a sample of the whole.

    Raises:
        RasterReadError: if the sample cannot be read.
    """
    if source.dtype == np.uint8:
        return Stretch.identity(len(RGB))
    sample = source.read_sample()
    return Stretch.from_sample(sample.values, sample.valid)


def to_pixels(chip: Chip, stretch: Stretch) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) uint8 for the (3, H, W) values of a chip."""
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
    """Read the first band of a file as it is: (1, H, W) values; a palette is not expanded.

    Raises:
        DatasetError: with the file's name, if it is damaged.
    """
    with _open(path, ("value",), (1,)) as source:
        return source.read(Window(0, 0, source.grid.height, source.grid.width)), source.grid


def list_images(folder: Path) -> dict[str, Path]:
    """Return the image files in ``folder`` and in the folders below, by their path without suffix; sorted.

    Raises:
        DatasetError: if two differ in their suffix alone.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue  # macOS writes ._a.tif beside a.tif
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DatasetError(f"{found[name]} and {path} have one name.", "Rename or remove one of them.")
        found[name] = path
    return dict(sorted(found.items()))
