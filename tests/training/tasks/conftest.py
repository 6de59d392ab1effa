"""A model that training can start from, a labelled raster, and trainings of a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests import LabelledData
from tests.training.dataset import draw_labels, make_image, write_polygons, write_raster
from tests.training.small_model import save_small_model
from training import lengths
from training.bands import RGB


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model file that has learnt the colours of the synthetic classes, but not well."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    save_small_model(path, RGB.mean, RGB.std, 20, {})
    return str(path)


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledData:
    """A raster of 96 × 80 px whose blocks of 16 px are labelled."""
    raster = write_raster(tmp_path / "town.tif", make_image(5).pixels)
    labels = draw_labels(5)
    blocks, names = [], []
    for row in range(0, 96, 16):
        for col in range(0, 80, 16):
            x, y = 300000 + col, 2800000 - row
            blocks.append(shapely.box(x, y - 16, x + 16, y))
            names.append(DUBAI.classes[int(labels[row, col])].name)
    layer = write_polygons(tmp_path / "labels.gpkg", blocks, names)
    return LabelledData(rasters=(str(raster),), labels=str(layer))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of four steps."""
    for table in (lengths.FINE_TUNING, lengths.NEW):
        monkeypatch.setitem(table, "quick", lengths.Length(4, 2, 0))


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
