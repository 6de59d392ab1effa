"""``python -m tests.benchmarks contact PLACES.csv SHEET.png``: images of many places beside their results.

A cut of each image is written as a raster and segmented as in a run with the default options. Image and classes are
shown at their own pixels, one for one, so that a sheet can be judged by eye.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import rasterio
from PIL import Image, ImageDraw, ImageFont

from dubai_landcover_plugin.cli.values import Command
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL, SegmentationRequest, SegmentOptions
from training.commands.options import CONTEXT, argument
from training.data.pixels import read_picture
from training.errors import ConfigError
from training.evaluation.evaluate import write_pixels

Pixels = npt.NDArray[np.uint8]
GAP, LINE = 4, 18  # px between panels; height of a caption


@dataclass(frozen=True)
class Place:
    """A cut of an image.

    Args:
        caption: Text above the image.
        path: The image, relative to the data folder.
        gsd: Ground sampling distance, m/px; 0 for that of the model.
        row: First row of the cut, px; -1 for the middle of the image.
        column: First column, px; -1 for the middle.
    """

    caption: str
    path: str
    gsd: float = 0.0
    row: int = -1
    column: int = -1

    def cut(self, folder: Path, side: int) -> Pixels:
        """Return at most ``side`` × ``side`` px of the image, (h, w, 3) uint8."""
        pixels = read_picture(folder / self.path).pixels
        row, column = (
            min(max((length - side) // 2 if start < 0 else start, 0), max(length - side, 0))
            for start, length in zip((self.row, self.column), pixels.shape, strict=False)
        )
        found: Pixels = pixels[row : row + side, column : column + side]
        return found


def read_places(path: Path) -> list[Place]:
    """Read the places of a CSV file with the columns caption, path and, where needed, gsd, row and column.

    Raises:
        ConfigError: if there is none, a column is missing, or a number is none.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            places = [
                Place(
                    line["caption"],
                    line["path"],
                    float(line.get("gsd") or 0),
                    int(line.get("row") or -1),
                    int(line.get("column") or -1),
                )
                for line in csv.DictReader(stream)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"The list of places {path} cannot be read: {type(error).__name__}: {error}.",
            "Write a CSV file with the columns caption, path, gsd, row and column.",
        ) from error
    if not places:
        raise ConfigError(f"The list of places {path} is empty.", "Write a line for each image.")
    return places


def segmented(pixels: Pixels, gsd: float, model: str) -> Pixels:
    """Return the classes of an image in the colours of the result, (h, w, 3) uint8."""
    with tempfile.TemporaryDirectory(prefix="landcover-contact-") as name:
        image, result = Path(name) / "image.tif", Path(name) / "classes.tif"
        write_pixels(image, pixels, photometric="RGB")
        run_segmentation(SegmentationRequest(str(image), str(result), SegmentOptions(model, gsd=gsd or None)))
        with rasterio.open(result) as dataset:
            table = np.full((256, 3), 255, np.uint8)
            for value, rgba in dataset.colormap(1).items():
                table[value] = rgba[:3]
            return table[dataset.read(1)]


def sheet(cells: Sequence[tuple[str, Pixels, Pixels]], side: int, columns: int) -> Image.Image:
    """Return a sheet of captions, images and classes; cells are of equal size.

    Args:
        cells: Caption, image and classes, (h, w, 3) uint8 of at most ``side`` px.
        side: Largest side, px.
        columns: Cells beside one another.
    """
    width, height = 2 * side + 3 * GAP, side + LINE + GAP
    picture = Image.new("RGB", (columns * width, -(-len(cells) // columns) * height), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for index, (caption, image, classes) in enumerate(cells):
        left, top = index % columns * width, index // columns * height
        draw.text((left + 1, top + 2), caption, "black", font)
        for panel, shift in ((image, 0), (classes, side + GAP)):
            picture.paste(Image.fromarray(panel), (left + shift, top + LINE))
    return picture


@click.command(cls=Command, context_settings=CONTEXT)
@argument("places", "CSV file of images, with the columns caption, path and, where needed, gsd, row and column.")
@argument("output", "The sheet, a PNG.")
@click.option("--data", required=True, metavar="FOLDER", help="Folder that the paths are relative to.")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Installed model or model file.")
@click.option("--side", type=click.IntRange(32, 4096), default=384, show_default=True, help="Side of the cuts, px.")
@click.option("--columns", type=click.IntRange(1), default=2, show_default=True, help="Images beside one another.")
def contact(places: str, output: str, data: str, model: str, side: int, columns: int) -> None:
    """Show images of many places beside their classes, at their own pixels."""
    cells = []
    for place in read_places(Path(places)):
        pixels = place.cut(Path(data), side)
        cells.append((place.caption, pixels, segmented(pixels, place.gsd, model)))
        click.echo(place.caption)
    sheet(cells, side, columns).save(output, optimize=True)
