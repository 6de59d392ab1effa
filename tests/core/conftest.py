"""Small rasters and small models with known answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import nn

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec

ROOT = Path(__file__).resolve().parents[2]
UTM40 = "EPSG:32640"
ONE_METRE = Affine(1, 0, 300_000, 0, -1, 2_780_000)

METADATA = BundleMetadata(
    name="stub",
    title="A model with known answers",
    spec=ModelSpec("stub"),
    scheme=DUBAI,
    bands=("red", "green", "blue"),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    gsd=1.0,
    window=32,
    stride=1,
    receptive_radius=0,
)


class Neighbourhood(nn.Module):
    """Convolutions whose answer looks exactly ``radius`` pixels far; 0 is pixelwise."""

    stride = 1

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.receptive_radius = radius
        generator = torch.Generator().manual_seed(7)
        layers = [nn.Conv2d(3, 8, 1), *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(radius)), nn.Conv2d(8, 5, 1)]
        for layer in layers:
            layer.weight.data.normal_(0, 1.0 / layer.in_channels**0.5, generator=generator)
            layer.bias.data.normal_(0, 0.3, generator=generator)
        self.layers = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        return 3 * self.layers(chips)


def stub_bundle(radius: int = 0, **changes: Any) -> ModelBundle:
    """A bundle around :class:`Neighbourhood`."""
    metadata = replace(METADATA, receptive_radius=radius, **changes)
    return ModelBundle(metadata, Neighbourhood(radius).eval(), "0" * 64)


def whole_image_classes(bundle: ModelBundle, pixels: np.ndarray) -> np.ndarray:
    """Class ids (H, W) from one pass over (3, H, W) uint8, with nothing of the project's windows in between."""
    chips = (torch.from_numpy(pixels)[None].float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        return bundle.model(chips).argmax(1)[0].numpy().astype(np.uint8) + 1


def random_pixels(height: int, width: int, seed: int = 0, bands: int = 3) -> np.ndarray:
    """(bands, H, W) uint8 without zeros."""
    return np.random.default_rng(seed).integers(1, 256, (bands, height, width), np.uint8)


def write_raster(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    """Write (C, H, W) as GeoTIFF, EPSG:32640 at 1 m unless told otherwise."""
    interpretation = profile.pop("colorinterp", None)
    settings = {"crs": UTM40, "transform": ONE_METRE, "driver": "GTiff", **profile}
    count, height, width = pixels.shape
    if count == 3 and interpretation is None:
        settings.setdefault("photometric", "RGB")
    with rasterio.open(path, "w", count=count, height=height, width=width, dtype=pixels.dtype, **settings) as dataset:
        dataset.write(pixels)
        if interpretation is not None:
            dataset.colorinterp = interpretation
    return path


@pytest.fixture
def raster(tmp_path: Path) -> Callable[..., Path]:
    """Make ``raster(pixels, **profile)`` in a temporary folder."""

    def make(pixels: np.ndarray, name: str = "input.tif", **profile: Any) -> Path:
        return write_raster(tmp_path / name, pixels, **profile)

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle file: an untrained U-Net of width 4."""
    torch.manual_seed(0)
    spec = ModelSpec("unet", arguments={"width": 4})
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_bundle(path, replace(METADATA, name="tiny", spec=spec, window=64, stride=16), build_model(spec))
    return path
