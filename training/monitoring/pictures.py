"""Panels of image, labels, prediction and disagreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.io.files import atomic_path, make_folder
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.translation import marked, tr

from ..data.dataset import NOT_CLASS, LabelledImage, is_partial
from ..errors import TrainingError

PANELS = (marked("image"), marked("labels"), marked("prediction"), marked("disagreement"))
_WRONG = np.array((214, 39, 40), np.uint8)
_GAP = 6  # px of white between panels of a strip

Pixels = npt.NDArray[np.uint8]


def pale(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the colour of the partial label "not k" for the colour of class k."""
    red, green, blue = (round(255 - 0.25 * (255 - value)) for value in rgb)
    return red, green, blue


def colour(channels: Pixels, scheme: ClassScheme) -> Pixels:
    """Return an (H, W, 3) uint8 picture of (H, W) labels; partial labels are pale, ignored pixels grey."""
    scheme = coloured(scheme)
    table = np.full((256, 3), scheme.unlabeled.rgb, np.uint8)
    table[: len(scheme.classes)] = [entry.rgb for entry in scheme.classes]
    table[NOT_CLASS : NOT_CLASS + len(scheme.classes)] = [pale(entry.rgb) for entry in scheme.classes]
    return table[channels]


def disagreement(image: LabelledImage, predicted: Pixels) -> Pixels:
    """Return an (H, W, 3) uint8 picture: the image in pale grey, wrong pixels red, ignored pixels dark."""
    # a partial label "not k" is violated by predicting k
    grey = image.picture.mean(axis=2, keepdims=True)
    picture = np.broadcast_to(155 + grey * (100 / 255), image.picture.shape).astype(np.uint8)
    partial = is_partial(image.labels)
    ignored = (image.labels == IGNORE) | (predicted == IGNORE)
    wrong = ~ignored & np.where(partial, image.labels - NOT_CLASS == predicted, image.labels != predicted)
    picture[wrong] = (0.35 * grey[wrong] + 0.65 * _WRONG).astype(np.uint8)
    picture[ignored] = picture[ignored] // 2
    return picture


def panels(image: LabelledImage, predicted: Pixels, scheme: ClassScheme) -> list[Pixels]:
    """Return the four :data:`PANELS`, (H, W, 3) uint8 each."""
    return [image.picture, colour(image.labels, scheme), colour(predicted, scheme), disagreement(image, predicted)]


def save_comparison(path: Path, image: LabelledImage, predicted: Pixels, scheme: ClassScheme) -> None:
    """Write the panels side by side at full resolution as a PNG.

    Raises:
        TrainingError: if it cannot be written.
    """
    try:
        make_folder(path.parent)
        with atomic_path(path) as partial:
            Image.fromarray(np.concatenate(panels(image, predicted, scheme), axis=1)).save(partial)
    except OSError as error:
        raise TrainingError(
            tr("The picture {path} cannot be written: {error}.", path=path, error=error), tr("Free some space.")
        ) from error


def strip(image: LabelledImage, predicted: Pixels, scheme: ClassScheme, width: int) -> Image.Image:
    """Return the panels side by side, reduced to a total width of at most ``width`` px."""
    side = (width - 3 * _GAP) // 4
    shrink = min(1.0, side / image.labels.shape[1])
    size = tuple(max(round(shrink * length), 1) for length in reversed(image.labels.shape))
    joined = Image.new("RGB", (4 * size[0] + 3 * _GAP, size[1]), "white")
    for index, panel in enumerate(panels(image, predicted, scheme)):
        small = Image.fromarray(panel).resize((size[0], size[1]), Image.Resampling.BOX)
        joined.paste(small, (index * (size[0] + _GAP), 0))
    return joined
