"""Reads the Dubai dataset.

Layout: ``Tile N/images/NAME.jpg`` with ``Tile N/masks/NAME.png``. Its ``classes.json`` is not read, because its colours
differ from those of the masks. Source: "Semantic segmentation of aerial imagery", Humans in the Loop and Mohammed Bin
Rashid Space Centre, CC0 1.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from dubai_landcover_plugin.protocol.classes import DUBAI

from ..bands import InputBands
from ..config import DataConfig
from ..errors import DatasetError
from .dataset import Dataset, Entry
from .masks import load_pair
from .pixels import grid_of

TITLE = "Semantic segmentation of aerial imagery, Humans in the Loop with the Mohammed Bin Rashid Space Centre, CC0 1.0"
FOLDS = (("tile4", "tile7", "tile8"), ("tile5", "tile6"), ("tile1", "tile3"), ("tile2",))
"""Folds: tiles 4, 7 and 8 overlap on the ground, 5 and 6 are presumably adjacent."""


@dataclass(frozen=True, slots=True)
class ImagePair:
    """Paths of an image and its mask; ``mask`` is None for an unlabelled image."""

    tile: int
    image: Path
    mask: Path | None

    @property
    def group(self) -> str:
        """The tile, such as ``tile1``."""
        return f"tile{self.tile}"

    @property
    def name(self) -> str:
        """Short name such as ``tile1/image_part_003``."""
        return f"{self.group}/{self.image.stem}"


def find_pairs(root: str | Path) -> list[ImagePair]:
    """List the images in ``root``, sorted by tile and name, with and without masks.

    Raises:
        DatasetError: if there are no images.
    """
    pairs = []
    for image in sorted(Path(root).glob("Tile */images/*.jpg")):
        number = re.fullmatch(r"Tile (\d+)", image.parents[1].name)
        if number:
            mask = image.parents[1] / "masks" / f"{image.stem}.png"
            pairs.append(ImagePair(int(number[1]), image, mask if mask.is_file() else None))
    if not pairs:
        raise DatasetError(f"There are no images in {root}.", "The expected paths are 'Tile N/images/NAME.jpg'.")
    return sorted(pairs, key=lambda pair: (pair.tile, pair.image.name))


def open_dubai(config: DataConfig, root: Path, bands: InputBands | None = None) -> Dataset:
    """List the images of the Dubai dataset.

    Args:
        config: Title, and bands if ``bands`` is None.
        root: Data folder.
        bands: Bands to read.

    Raises:
        DatasetError: if there is no image with a mask.
    """
    pairs = find_pairs(root)
    entries = tuple(
        Entry(
            pair.name,
            pair.group,
            pair.image,
            partial(load_pair, pair.name, pair.group, pair.image, pair.mask, DUBAI, bands or config.input_bands),
            grid=cache(partial(grid_of, pair.image, pair.mask)),
        )
        for pair in pairs
        if pair.mask is not None
    )
    if not entries:
        raise DatasetError(f"No image in {root} has a mask.", "The expected paths are 'Tile N/masks/NAME.png'.")
    known = {entry.group for entry in entries}
    listed = {group for fold in FOLDS for group in fold}
    folds = [tuple(group for group in fold if group in known) for fold in FOLDS]
    others = [(group,) for group in sorted(known - listed)]
    return Dataset(
        title=config.title or TITLE,
        scheme=DUBAI,
        entries=entries,
        unlabelled=tuple(pair.name for pair in pairs if pair.mask is None),
        folds=tuple(fold for fold in [*folds, *others] if fold),
    )
