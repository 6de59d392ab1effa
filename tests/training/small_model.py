"""A small network that has learnt the colours of the synthetic classes, but not well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from tests.training.dataset import make_image

SPEC = ModelSpec("unet", arguments={"width": 4, "depth": 1})
Triple = tuple[float, float, float]


def save_small_model(path: Path, mean: Triple, std: Triple, steps: int, training: dict[str, Any]) -> None:
    """Train for some steps and write the model file, with ``training`` in its metadata."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = build_model(SPEC)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
    images = [make_image(seed, 64, 64) for seed in range(100, 104)]
    chips = torch.stack([torch.tensor(image.pixels).permute(2, 0, 1) for image in images])
    labels = torch.stack([torch.tensor(image.labels).long() for image in images])
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(Standardize(mean, std)(chips)), labels).backward()
        optimizer.step()
    metadata = BundleMetadata(
        name="small", title="A small one", spec=SPEC, scheme=DUBAI, bands=("red", "green", "blue"), mean=mean, std=std,
        gsd=1.0, window=64, stride=model.stride, training={"finished": "2026-01-01T00:00:00Z", **training},
    )  # fmt: skip
    save_bundle(path, metadata, model.eval())
