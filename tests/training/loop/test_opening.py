"""Data of a run that starts from a model: its ground sampling distance and bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import colours_of, make_image, write_image, write_raster
from training.bands import RGB, InputBands
from training.config import ModelConfig, TrainingConfig
from training.errors import ConfigError
from training.loop.opening import open_training_data
from training.loop.start import Start

MODEL = ModelConfig("unet", {"width": 4, "depth": 1}, False, gsd=1.0, window=64)
NIR = InputBands(("nir", "red", "green"), (4, 1, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image of 2 m with the bands red, green, blue and nir, and its mask."""
    image = make_image(1)
    pixels = np.dstack([image.pixels, 255 - image.pixels[..., :1]])
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.nir]
    write_raster(tmp_path / "images" / "a.tif", pixels, size=2.0, colorinterp=colours)
    write_image(tmp_path / "masks" / "a.png", colours_of(image.labels))
    return tmp_path


def start_with(bands: InputBands) -> Start:
    return Start("first", build_model(MODEL.spec(5)).state_dict(), DUBAI, bands, MODEL)


def opened(
    root: Path, start: Start | None, **sections: object
) -> tuple[TrainingConfig, np.ndarray, InputBands, list[str]]:
    said: list[str] = []
    config, dataset, bands = open_training_data(TrainingConfig.from_mapping(sections), root, start, said.append)
    image = dataset.entries[0].load()
    assert image.scale == ((2.0, 2.0) if config.model.gsd == 1 else (1.0, 1.0))
    return config, image.pixels, bands, said


def test_pixels_are_those_of_the_start(root: Path) -> None:
    config, pixels, bands, said = opened(root, start_with(RGB), model={"architecture": "start"})
    assert (config.model.gsd, bands) == (1.0, RGB)
    assert np.array_equal(pixels, make_image(1).pixels)
    assert said == ["Ground sampling distance: 1 m/px, that of the start."]
    assert opened(root, start_with(RGB), model={"architecture": "unet"})[0].model.gsd == 2.0
    assert opened(root, None)[0].model.gsd == 2.0
    with pytest.raises(ConfigError, match=r"model\.gsd is 1 m, but a has pixels of 2×2 m"):
        opened(root, start_with(RGB), model={"gsd": 1.0})


def test_bands_are_those_of_the_start_in_its_order(root: Path) -> None:
    expected = make_image(1).pixels
    expected = np.dstack([255 - expected[..., 0], expected[..., 0], expected[..., 1]])
    for given in ((), ("nir", "red", "green"), ("green=2", "nir=4", "red=1"), (1, 4, 2)):
        config, pixels, bands, _ = opened(root, start_with(NIR), data={"bands": given})
        assert (bands.names, bands.numbers) == (NIR.names, NIR.numbers)
        assert np.array_equal(pixels, expected)
        assert config.data.input_bands.numbers in ((), NIR.numbers)
    with pytest.raises(ConfigError, match="reads the bands nir, red, green; the training images have red, green, blue"):
        opened(root, start_with(NIR), data={"bands": (1, 2, 3)})
