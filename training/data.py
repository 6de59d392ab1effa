"""The Dubai dataset as it really is: images, colour-coded masks and their oddities.

Layout: ``Tile N/images/NAME.jpg`` with ``Tile N/masks/NAME.png``. Source: "Semantic segmentation of aerial imagery",
Humans in the Loop and Mohammed Bin Rashid Space Centre, CC0 1.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.accuracy import IGNORE
from dubai_landcover_plugin.core.classes import DUBAI, ClassScheme
from training.errors import DatasetError

_BLACK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class ImagePair:
    """Where an image and its mask are; ``mask`` is None for an unlabelled image."""

    tile: int
    image: Path
    mask: Path | None

    @property
    def name(self) -> str:
        """Short name such as ``tile1/image_part_003``."""
        return f"tile{self.tile}/{self.image.stem}"


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A decoded image.

    Args:
        name: Short name.
        pixels: (H, W, 3) uint8.
        labels: (H, W) uint8 channel index of the model's output, or ``IGNORE``.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.pixels.shape != (*self.labels.shape, 3):
            raise DatasetError(
                f"{self.name}: the image has {self.pixels.shape[1]}×{self.pixels.shape[0]} px, "
                f"its mask {self.labels.shape[1]}×{self.labels.shape[0]} px.",
                "Export image and mask with the same size.",
            )


def find_pairs(root: str | Path) -> list[ImagePair]:
    """List the images below ``root``, sorted by tile and name; those without a mask are unlabelled.

    Raises:
        DatasetError: if there are none.
    """
    pairs = []
    for image in sorted(Path(root).glob("Tile */images/*.jpg")):
        number = re.fullmatch(r"Tile (\d+)", image.parents[1].name)
        if number:
            mask = image.parents[1] / "masks" / f"{image.stem}.png"
            pairs.append(ImagePair(int(number[1]), image, mask if mask.is_file() else None))
    if not pairs:
        raise DatasetError(f"There are no images under {root}.", "They lie in 'Tile N/images/NAME.jpg' there.")
    return sorted(pairs, key=lambda pair: (pair.tile, pair.image.name))


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) uint8.

    Raises:
        DatasetError: if the file cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error


def read_labels(path: Path, scheme: ClassScheme = DUBAI) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices from a colour-coded mask, RGB or palette.

    Raises:
        DatasetError: if a colour belongs to no class.
    """
    return labels_from_colours(read_image(path), scheme, str(path))


def labels_from_colours(
    colours: npt.NDArray[np.uint8], scheme: ClassScheme = DUBAI, source: str = "The mask"
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 channel indices for (H, W, 3) uint8 colours; Unlabeled and black become ``IGNORE``.

    Raises:
        DatasetError: if a colour belongs to no class.
    """
    codes = _codes(colours)
    labels = np.full(codes.shape, IGNORE, np.uint8)
    known = _codes(np.array([_BLACK, scheme.unlabeled.rgb], np.uint8))
    unknown = ~np.isin(codes, known)
    for channel, entry in enumerate(scheme.classes):
        hit = codes == _codes(np.array(entry.rgb, np.uint8))
        labels[hit] = channel
        unknown &= ~hit
    if unknown.any():
        values, counts = np.unique(codes[unknown], return_counts=True)
        listed = ", ".join(f"#{value:06X} ({count} px)" for value, count in zip(values[:5], counts[:5], strict=True))
        raise DatasetError(
            f"{source} has {len(values)} colours of no class: {listed}.",
            "Save masks without compression losses, in the colours of the class scheme.",
        )
    return labels


def _codes(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return one integer 0xRRGGBB for each colour of (..., 3)."""
    wide = colours.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def load_image(pair: ImagePair, scheme: ClassScheme = DUBAI) -> LabelledImage:
    """Decode an image and its mask.

    Raises:
        DatasetError: if there is no mask, or sizes or colours do not fit.
    """
    if pair.mask is None:
        raise DatasetError(f"{pair.name} has no mask.", "Leave it out or label it.")
    return LabelledImage(pair.name, read_image(pair.image), read_labels(pair.mask, scheme))
