"""The picture of an epoch: a few places, always the same, with labels, prediction and where these differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dubai_landcover_plugin.core.accuracy import IGNORE
from dubai_landcover_plugin.core.classes import ClassScheme
from training.dataset import LabelledImage
from training.pictures import PANELS, panels

_GAP, _LINE, _SWATCH = 6, 22, 14  # px
_INK = (40, 40, 40)
_TRIES = 24


def choose_places(images: Sequence[LabelledImage], count: int, side: int, seed: int = 0) -> list[LabelledImage]:
    """Return ``count`` square crops from images spread over the list; none from an empty list.

    Of several random places in an image, the one that shows the most classes, then the most labelled pixels, is taken.

    Args:
        images: Where to choose.
        count: How many crops.
        side: Of a crop, px; less where an image is smaller.
        seed: Of the choice.
    """
    draw = np.random.default_rng(seed)
    chosen = [images[index * len(images) // count] for index in range(count)] if images else []
    return [_best_place(image, side, draw) for image in chosen]


def _best_place(image: LabelledImage, side: int, draw: np.random.Generator) -> LabelledImage:
    height, width = image.labels.shape
    side = min(side, height, width)
    best, place = (-1, -1), (0, 0)
    for _ in range(_TRIES):
        row, col = int(draw.integers(height - side + 1)), int(draw.integers(width - side + 1))
        labels = image.labels[row : row + side, col : col + side]
        labels = labels[labels != IGNORE]
        worth = (len(np.unique(labels)), labels.size)
        if worth > best:
            best, place = worth, (row, col)
    rows, cols = (slice(start, start + side) for start in place)
    return LabelledImage(image.name, image.pixels[rows, cols], image.labels[rows, cols], image.group)


def draw_snapshot(
    places: Sequence[LabelledImage],
    predict: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]],
    scheme: ClassScheme,
    title: str,
) -> Image.Image:
    """Return one row for each place, under a title and above a legend of the classes.

    Args:
        places: Square crops.
        predict: From (H, W, 3) uint8 pixels to (H, W) channel indices.
        scheme: Names and colours of the channels.
        title: First line, such as the step and its figures.
    """
    side = max(place.labels.shape[0] for place in places)
    width = 4 * side + 5 * _GAP
    legend = _legend(scheme, width)
    row_height = side + _LINE
    picture = Image.new("RGB", (width, 2 * _LINE + len(places) * row_height + legend.height), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    draw.text((_GAP, 4), title, _INK, font)
    lefts = [_GAP + index * (side + _GAP) for index in range(4)]
    for left, name in zip(lefts, PANELS, strict=True):
        draw.text((left, _LINE + 4), name, _INK, font)
    for index, place in enumerate(places):
        top = 2 * _LINE + index * row_height
        for left, panel in zip(lefts, panels(place, predict(place.pixels), scheme), strict=True):
            picture.paste(Image.fromarray(panel), (left, top))
        draw.text((_GAP, top + place.labels.shape[0] + 3), place.name, _INK, font)
    picture.paste(legend, (0, picture.height - legend.height))
    return picture


def _legend(scheme: ClassScheme, width: int) -> Image.Image:
    """Return swatches with the names of the classes, in as many lines as the width needs."""
    font = ImageFont.load_default(13)
    entries = [(entry.name, entry.rgb) for entry in scheme.entries] + [("wrong", (214, 39, 40))]
    positions, left, top = [], _GAP, 0
    for name, _ in entries:
        length = _SWATCH + 6 + round(font.getlength(name)) + 2 * _GAP
        if left > _GAP and left + length > width:
            left, top = _GAP, top + _LINE
        positions.append((left, top))
        left += length
    legend = Image.new("RGB", (width, top + _LINE + _GAP), "white")
    draw = ImageDraw.Draw(legend)
    for (name, rgb), (left, top) in zip(entries, positions, strict=True):
        draw.rectangle((left, top + 4, left + _SWATCH, top + 4 + _SWATCH), rgb)
        draw.text((left + _SWATCH + 6, top + 3), name, _INK, font)
    return legend
