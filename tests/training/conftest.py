"""A small trained model and small data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from tests.core.conftest import one_thread  # noqa: F401 (fixtures are found by name)
from tests.training.dataset import make_image, write_dataset

SPEC = ModelSpec("unet", arguments={"width": 4, "depth": 1})
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that has learnt the colours of the synthetic classes, but not well."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = build_model(SPEC)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
    images = [make_image(seed, 64, 64) for seed in range(100, 104)]
    chips = torch.stack([torch.tensor(image.pixels).permute(2, 0, 1) for image in images])
    labels = torch.stack([torch.tensor(image.labels).long() for image in images])
    for _ in range(25):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(Standardize(MEAN, STD)(chips)), labels).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    metadata = BundleMetadata(
        name="small", title="A small one", spec=SPEC, scheme=DUBAI, bands=("red", "green", "blue"), mean=MEAN, std=STD,
        gsd=1.0, window=64, stride=model.stride,
        training={"finished": "2026-01-01T00:00:00Z", "config": {"split": {"kind": "list", "validation": ["tile2"]}}},
    )  # fmt: skip
    save_bundle(path, metadata, model.eval())
    return path


@pytest.fixture
def trained(_trained_once: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that gives a copy of the model file."""
    return lambda: Path(shutil.copy(_trained_once, tmp_path / "small.safetensors"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folder of two labelled images in each of two tiles."""
    return write_dataset(tmp_path / "data")
