"""Trainings that start from a model of fewer bands: the first step equals the start, and the new band is learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from tests.training.loop.test_any_bands import CONFIG, NAMES, write_data
from training.__main__ import main
from training.bands import RGB, InputBands
from training.config import OptimizerConfig, TrainingConfig
from training.loop.checkpoint import LAST
from training.loop.further_bands import has_further, train_further, widened
from training.loop.initialization import set_training_mode
from training.loop.optimizer import make_optimizer

FOUR = InputBands(NAMES)


@pytest.mark.parametrize("architecture", ["unet", "vit"])
@pytest.mark.parametrize("order", [NAMES, ("nir", "blue", "green", "red")])
def test_further_bands_change_nothing_at_first(architecture: str, order: tuple[str, ...]) -> None:
    arguments = {"width": 4, "depth": 1} if architecture == "unet" else {"dim": 8, "depth": 1, "heads": 1, "patch": 8}
    narrow, wide = (build_model(ModelSpec(architecture, count, 5, arguments)).eval() for count in (3, 4))
    wide.load_state_dict(widened(wide.state_dict(), narrow.state_dict(), RGB, InputBands(order)))
    chip = torch.randn(1, 4, 32, 32)
    three = chip[:, [order.index(name) for name in RGB.names]]
    with torch.inference_mode():
        torch.testing.assert_close(wide(chip), narrow(three))


def test_only_more_bands_of_the_same_names_are_further_ones() -> None:
    assert has_further(FOUR, RGB)
    assert not has_further(RGB, RGB)
    assert not has_further(InputBands(("red", "green", "nir", "height")), RGB)


@pytest.mark.parametrize("frozen", [0, 2])
def test_filters_of_further_bands_are_trained_beside_frozen_ones(frozen: int) -> None:
    narrow, wide = (build_model(ModelSpec("unet_efficientnet", count, 5, {"widths": [8] * 4})) for count in (3, 4))
    order = InputBands(("nir", "red", "green", "blue"))
    weights = narrow.state_dict()
    wide.load_state_dict(widened(wide.state_dict(), weights, RGB, order))
    set_training_mode(wide, frozen)
    new = train_further(wide, weights, RGB, order)
    config = TrainingConfig(optimizer=OptimizerConfig(rate=1e-5, encoder_rate=1e-5, head_rate=1e-2))
    optimizer = make_optimizer(wide, config, new)
    wide(torch.randn(2, 4, 64, 64)).square().mean().backward()
    optimizer.step()
    ((name, before),) = [(name, weights[name]) for name in new]
    after = wide.state_dict()[name]
    assert after[:, :1].abs().max() > 5e-3  # a step of the rate of new layers
    assert torch.equal(after[:, 1:], before)


def test_a_start_of_the_same_bands_has_no_filters_of_further_ones() -> None:
    model = build_model(ModelSpec("unet_efficientnet", 3, 5, {"widths": [8] * 4}))
    set_training_mode(model, 2)
    assert train_further(model, model.state_dict(), RGB, RGB) == set()
    assert not any(parameter.requires_grad for parameter in model.encoder.stem.parameters())


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Configuration and model of a training of red, green and blue, which does not tell meadow from bare land."""
    root = tmp_path_factory.mktemp("start")
    config = root / "three.toml"
    config.write_text(CONFIG.format(data='bands = ["red", "green", "blue"]').replace("steps = 60", "steps = 40"))
    data = write_data(root / "bytes")
    assert main(["train", str(config), "--data", str(data), "--run", str(root / "run")]) == 0
    assert main(["export", str(root / "run" / LAST), str(root / "three.safetensors")]) == 0
    return config, root / "three.safetensors"


@pytest.mark.parametrize("deep", [False, True])
def test_near_infrared_is_learnt_from_a_start_of_red_green_and_blue(
    start: tuple[Path, Path], tmp_path: Path, deep: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    config, model = start
    data = write_data(tmp_path / "data", 257 if deep else 1, np.uint16 if deep else np.uint8)
    run = tmp_path / "run"
    options = ["--data", str(data), "--run", str(run), "--start-from", str(model)]
    bands = f"data.bands={json.dumps(NAMES)}"
    assert main(["train", str(config), *options, "--set", bands, "--set", "optimizer.steps=60"]) == 0
    assert "the filters of the further bands begin with zero" in capsys.readouterr().out
    found = json.loads((run / "validation.json").read_text())["start"]
    assert found["result"]["miou"] > found["start"]["miou"] + 0.2
    assert main(["export", str(run / LAST), str(tmp_path / "four.safetensors")]) == 0
    metadata = read_metadata(tmp_path / "four.safetensors")
    assert metadata.bands == NAMES
    assert isinstance(metadata.scaling, BandScaling)
    if not deep:
        assert metadata.scaling.limits[:3] == ((0, 255),) * 3
        assert found["start"]["miou"] > 0.4
