"""Tiny data in every layout that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from PIL import Image

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests import factories
from training.data.layouts import LabelledImage

LOOKS = np.array([(20, 40, 90), (220, 200, 170), (90, 90, 90), (250, 250, 250), (40, 120, 40)], np.uint8)
"""A colour of the ground for each class, so that even a tiny network can tell them apart."""

SMALL_RUN = """
[split]
kind = "list"
validation = ["tile2"]
[model]
architecture = "unet"
arguments = { width = 4, depth = 1 }
pretrained = false
window = 64
gsd = 1.0
[chips]
size = 32
"""
"""Start of a configuration of a run that takes seconds."""


def draw_labels(seed: int, height: int = 96, width: int = 80) -> npt.NDArray[np.uint8]:
    """Return (H, W) channel indices: blocks of 16 px."""
    draw = np.random.default_rng(seed)
    blocks = draw.integers(len(DUBAI.classes), size=(-(-height // 16), -(-width // 16)))
    return np.kron(blocks, np.ones((16, 16), int))[:height, :width].astype(np.uint8)


def make_image(seed: int, height: int = 96, width: int = 80) -> LabelledImage:
    """Return an image whose colours tell its classes, with a little noise."""
    labels = draw_labels(seed, height, width)
    noise = np.random.default_rng(seed).integers(-8, 9, (height, width, 3))
    pixels = np.clip(LOOKS[labels].astype(int) + noise, 0, 255).astype(np.uint8)
    return LabelledImage(f"image{seed}", pixels, labels)


def colours_of(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the (H, W, 3) mask of channel indices, as the dataset draws it."""
    return np.array([entry.rgb for entry in DUBAI.classes], np.uint8)[labels]


def write_pair(root: Path, tile: int, number: int, mask: Image.Image | None, size: tuple[int, int] = (80, 96)) -> Path:
    """Write an image of ``size`` (width, height) and its mask, if there is one, in the layout of the Dubai dataset."""
    image = make_image(10 * tile + number, size[1], size[0])
    for folder in ("images", "masks"):
        (root / f"Tile {tile}" / folder).mkdir(parents=True, exist_ok=True)
    name = f"image_part_{number:03d}"
    Image.fromarray(image.pixels).save(root / f"Tile {tile}" / "images" / f"{name}.jpg", quality=95)
    if mask is not None:
        mask.save(root / f"Tile {tile}" / "masks" / f"{name}.png")
    return root


def write_dataset(root: Path, tiles: tuple[int, ...] = (1, 2), parts: int = 2) -> Path:
    """Write ``parts`` labelled images for each tile."""
    for tile in tiles:
        for number in range(1, parts + 1):
            write_pair(root, tile, number, Image.fromarray(colours_of(draw_labels(10 * tile + number))))
    return root


def write_image(path: Path, values: npt.NDArray[np.generic]) -> Path:
    """Write (H, W) or (H, W, C) values without a place on the ground, as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def write_raster(
    path: Path,
    values: npt.NDArray[np.generic],
    crs: str | None = "EPSG:32640",
    origin: tuple[float, float] = (300000.0, 2800000.0),
    size: float = 1.0,
    transform: Affine | None = None,
    **profile: Any,
) -> Path:
    """Write (H, W, C) values as a GeoTIFF whose pixels are ``size`` units wide."""
    place = transform or Affine.translation(*origin) @ Affine.scale(size, -size)
    profile = {"photometric": "RGB", **profile}
    return factories.write_raster(path, values.transpose(2, 0, 1), crs=crs, transform=place, **profile)


def write_polygons(
    path: Path,
    geometries: list[shapely.Geometry],
    classes: list[object],
    field: str = "class",
    crs: str | None = "EPSG:32640",
    **options: Any,
) -> Path:
    """Write features with one field."""
    factories.write_layer(path, geometries, crs, **options, **{field: np.array(classes)})
    return path
