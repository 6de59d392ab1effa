"""Pairs of classified rasters for the tests of this room."""

import numpy as np
from rasterio.crs import CRS

from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass

UTM40 = CRS.from_epsg(32640)


def scheme(*names, first=1):
    classes = tuple(LandCoverClass(first + i, name, f"#{i:02X}{i:02X}{i:02X}") for i, name in enumerate(names))
    return ClassScheme(classes, LandCoverClass(first + len(names), "Unlabeled", "#9B9B9B"))


def town(height=160, width=200, seed=0):
    """Blocks, streets and a few houses: a map with edges everywhere."""
    rng = np.random.default_rng(seed)
    ids = np.full((height, width), 2, np.uint8)
    for _ in range(height * width // 300):
        row, col = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(4, 18, 2)
        ids[row : row + tall, col : col + wide] = rng.integers(1, 6)
    return ids


def built(ids, seed=5, houses=6):
    """The same map with houses added on land; and where they are."""
    later, rng = ids.copy(), np.random.default_rng(seed)
    for _ in range(houses):
        row, col = (int(rng.integers(10, size - 24)) for size in ids.shape)
        later[row : row + 12, col : col + 14] = 4
    return later, (later != ids)
