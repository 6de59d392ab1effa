"""Statistics of the training images in model files: added to earlier ones, and exported from checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import add_graphs
from dubai_landcover_plugin.protocol.model_file import read_metadata
from tests.conftest import ROOT
from training.__main__ import main
from training.data.ground_samples import ground_samples
from training.data.layouts import open_dataset
from training.data.values import value_statistics
from training.data_config import DataConfig


def test_the_values_of_training_images_alone_are_added(
    trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model's configuration holds tile 2 out."""
    model = trained()
    before = load_bundle(model)
    add_graphs(model, before.metadata, {"int8": b"graph"})
    assert before.metadata.values is None
    assert main(["statistics", str(model), "--data", str(data)]) == 0
    assert "2 training images" in capsys.readouterr().out
    after = load_bundle(model)
    entries = [entry for entry in open_dataset(DataConfig(), data).entries if entry.group != "tile2"]
    ground = ground_samples((entry.name, entry.load()) for entry in entries)  # images of one place
    assert ground is None or len(ground.cells) > 6
    values = value_statistics(entry.load() for entry in entries)
    assert after.metadata == replace(before.metadata, values=values, ground=ground)
    assert after.graph("int8") == b"graph"
    weights = before.model.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in after.model.state_dict().items())


def test_the_shipped_model_has_them() -> None:
    values = read_metadata(ROOT / "resources/models/dubai.safetensors").values
    assert values is not None
    assert len(values.images) == 64
    assert not values.stretched
    ground = read_metadata(ROOT / "resources/models/dubai.safetensors").ground
    assert ground is not None
    assert len(ground.cells) == 2000
