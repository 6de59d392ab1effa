"""Picture of an epoch: fixed crops with labels, prediction and disagreement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.segmentation.preprocessing import Pixels
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured

from ..data.dataset import LabelledImage
from .pictures import PANELS, panels

_GAP, _LINE, _SWATCH = 6, 22, 14  # px
_INK = (40, 40, 40)
_TRIES = 24


def choose_places(images: Sequence[LabelledImage], count: int, side: int, seed: int = 0) -> list[LabelledImage]:
    """Return up to ``count`` square crops that do not overlap, from images spread evenly over the list.

    Of several random positions in an image, the one with the most classes is chosen, then the one with the most
    labelled pixels.

    Args:
        images: Images to crop.
        count: Number of crops; fewer are returned if the images are too small.
        side: Side of a crop, px; less for smaller images.
        seed: Random seed.
    """
    draw = np.random.default_rng(seed)
    taken: dict[int, list[tuple[int, int]]] = {}
    places = []
    for number in [index * len(images) // count for index in range(count)] if images else []:
        image, corners = images[number], taken.setdefault(number, [])
        size = min(side, *image.labels.shape)
        corner = _best_corner(image, size, corners, draw)
        if corner is None:
            continue
        row, col = corner
        corners.append((row, col))
        rows, cols = slice(row, row + size), slice(col, col + size)
        cut = image.pixels[rows, cols], image.labels[rows, cols]
        places.append(LabelledImage(image.name, *cut, image.group, bands=image.bands))
    return places


def _best_corner(
    image: LabelledImage, size: int, taken: Sequence[tuple[int, int]], draw: np.random.Generator
) -> tuple[int, int] | None:
    height, width = image.labels.shape
    best, corner = (-1, -1), None
    for _ in range(_TRIES):
        row, col = int(draw.integers(height - size + 1)), int(draw.integers(width - size + 1))
        labels = image.labels[row : row + size, col : col + size]
        labels = labels[labels != IGNORE]
        apart = all(abs(row - other) >= size or abs(col - across) >= size for other, across in taken)
        worth = (len(np.unique(labels)), labels.size)
        if apart and worth > best:
            best, corner = worth, (row, col)
    return corner


def draw_snapshot(
    places: Sequence[LabelledImage],
    predict: Callable[[Pixels], npt.NDArray[np.uint8]],
    scheme: ClassScheme,
    title: str,
) -> Image.Image:
    """Return a picture with one row per crop, a title and a legend of the classes.

    Args:
        places: Square crops.
        predict: Function from (H, W, C) pixels to (H, W) channel indices.
        scheme: Names and colours of the channels.
        title: First line, for example step and metrics.
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
    """Return colour swatches with class names, wrapped to the width."""
    font = ImageFont.load_default(13)
    entries = [(entry.name, entry.rgb) for entry in coloured(scheme).entries] + [("wrong", (214, 39, 40))]
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
