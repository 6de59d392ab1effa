"""A classified raster and its corrections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import shapely

from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import CorrectionsRequest

MONITOR = SilentMonitor()
LAND, ROAD, BUILDING, VEGETATION = 2, 3, 4, 5


def town() -> np.ndarray:
    """Class ids of 160 × 200 px: land, a road, two houses; the upper rows have no data."""
    ids = np.full((160, 200), LAND, np.uint8)
    ids[60:70] = ROAD
    ids[20:40, 30:60] = ids[100:130, 100:140] = BUILDING
    ids[:5] = 0
    return ids


def square(left, top, right, bottom):
    return shapely.box(300_000 + left, 2_780_000 - bottom, 300_000 + right, 2_780_000 - top)


def expected() -> np.ndarray:
    ids = town()
    ids[5:10] = VEGETATION
    ids[20:40, 30:60] = LAND
    return ids


def request(files, output, **changes):
    return CorrectionsRequest(str(files / "map.tif"), str(files / "corrections.gpkg"), str(output), **changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def pixels(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)
