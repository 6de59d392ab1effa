"""The loop: it learns, it resumes exactly, it stops when it must."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dubai_landcover_plugin.core.models.unet_efficientnet import EfficientNetLite0
from tests.training.dataset import make_image
from training.checkpoint import load_checkpoint
from training.config import (
    ChipConfig,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    TrainingConfig,
    load_config,
)
from training.errors import ConfigError, TrainingError
from training.train import CHECKPOINT, Run, WeightAverage, learning_rate_factor, make_optimizer

CONFIG = TrainingConfig(
    data=DataConfig(validate_tiles=(2,)),
    model=ModelConfig(architecture="unet", arguments={"width": 4, "depth": 1}, pretrained=False, window=64),
    chips=ChipConfig(size=32, batch=4),
    optimizer=OptimizerConfig(steps=4, warmup=1, rate=1e-2),
    run=RunConfig(log_every=1, save_every=2),
)
CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))
IMAGES, VALIDATION = [make_image(1), make_image(2)], [make_image(3)]


def quiet(text: str) -> None:
    """Say nothing."""


def start(folder: Path, config: TrainingConfig = CONFIG, resume: bool = False) -> Run:
    return Run(config, IMAGES, VALIDATION, folder, resume)


def test_two_and_two_steps_equal_four(tmp_path: Path) -> None:
    start(tmp_path / "whole").go(say=quiet)
    start(tmp_path / "parts").go(until=2, say=quiet)
    resumed = start(tmp_path / "parts", resume=True)
    assert resumed.step == 2
    resumed.go(say=quiet)
    whole, parts = (load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("whole", "parts"))
    assert whole.step == parts.step == 4
    for one, other in ((whole.model, parts.model), (whole.average, parts.average)):
        assert all(torch.equal(one[key], other[key]) for key in one)
    with (tmp_path / "parts" / "log.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2", "3", "4"]


def test_it_learns_what_is_easy(tmp_path: Path) -> None:
    config = replace(
        CONFIG,
        model=replace(CONFIG.model, arguments={"width": 8, "depth": 1}),
        chips=replace(CONFIG.chips, brightness=0, contrast=0, gamma=0, gain=0),
        optimizer=replace(CONFIG.optimizer, steps=100, average=0.9),
    )
    run = start(tmp_path, config)
    run.go(say=quiet)
    figures = json.loads((tmp_path / "validation.json").read_text())
    assert figures["step"] == 100
    assert figures["accuracy"] > 0.9
    assert all(parameter.grad is None for parameter in run.average.model.parameters())


def test_a_loss_that_is_no_number_stops_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.go(until=2, say=quiet)
    with torch.no_grad():
        run.model.head.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="The loss is nan at step 2"):
        run.go(say=quiet)
    assert load_checkpoint(tmp_path / CHECKPOINT).step == 2


def test_a_failing_write_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path)
    run.go(until=2, say=quiet)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(TrainingError, match="No space left"):
        run.go(say=quiet)
    assert load_checkpoint(tmp_path / CHECKPOINT).step == 2
    assert not list(tmp_path.glob(".*partial"))


def test_checkpoints_of_another_network_or_length_are_refused(tmp_path: Path) -> None:
    start(tmp_path).go(until=2, say=quiet)
    other = replace(CONFIG, model=replace(CONFIG.model, arguments={"width": 8, "depth": 1}))
    with pytest.raises(TrainingError, match=r"another network(.|\n)*stem\.0\.weight"):
        start(tmp_path, other, resume=True)
    with pytest.raises(TrainingError, match="has 2 steps, the run 1"):
        start(tmp_path, replace(CONFIG, optimizer=replace(CONFIG.optimizer, steps=1)), resume=True)


def test_a_checkpoint_is_data_and_no_code(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    torch.save({"version": 1, "config": os.system}, path)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(path)
    torch.save({"version": 99}, path)
    with pytest.raises(TrainingError, match="of version 1, but of 99"):
        load_checkpoint(path)


def test_a_run_can_start_from_the_weights_of_another(tmp_path: Path) -> None:
    start(tmp_path / "first").go(say=quiet)
    path = tmp_path / "first" / CHECKPOINT
    second = Run(CONFIG, IMAGES, VALIDATION, tmp_path / "second", start_from=path)
    average = load_checkpoint(path).average
    assert second.step == 0
    assert all(torch.equal(value, average[key]) for key, value in second.model.state_dict().items())


def test_the_rate_rises_then_falls_to_zero() -> None:
    config = OptimizerConfig(steps=100, warmup=10)
    factors = [learning_rate_factor(step, config) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-9)


def test_the_average_trails_the_weights() -> None:
    model = torch.nn.Linear(1, 1)
    average = WeightAverage(model, decay=0.5)
    start_value = model.weight.item()
    with torch.no_grad():
        model.weight += 1
    average.update(model, step=1000)
    assert average.model.weight.item() == pytest.approx(start_value + 0.5)
    with torch.no_grad():
        model.weight += 1
    average.update(model, step=1000)
    assert average.model.weight.item() == pytest.approx(start_value + 1.25)


def test_a_pretrained_encoder_learns_at_its_own_rate(tmp_path: Path) -> None:
    config = replace(CONFIG, model=ModelConfig("unet_efficientnet", pretrained=True))
    run = start(tmp_path, config)
    rates = {id(p): group["top"] for group in run.optimizer.param_groups for p in group["params"]}
    assert rates[id(run.model.encoder.stem.conv.weight)] == config.optimizer.encoder_rate
    assert rates[id(run.model.head.weight)] == config.optimizer.rate
    assert len(rates) == len(list(run.model.parameters()))
    fresh = EfficientNetLite0(3)
    assert not torch.equal(run.model.encoder.stem.conv.weight, fresh.stem.conv.weight)
    plain = make_optimizer(run.model, replace(config, model=replace(config.model, pretrained=False)))
    assert {group["top"] for group in plain.param_groups} == {config.optimizer.rate}


def test_imagenet_weights_are_for_one_architecture(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unet has no ImageNet weights"):
        start(tmp_path, replace(CONFIG, model=replace(CONFIG.model, pretrained=True)))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_can_be_read(path: Path) -> None:
    assert load_config(path).optimizer.steps > 0


def test_a_configuration_survives_json_and_refuses_the_unknown(tmp_path: Path) -> None:
    assert TrainingConfig.from_mapping(json.loads(json.dumps(CONFIG.to_json()))) == CONFIG
    for text, message in (
        ("[optimiser]\nsteps = 3", "Unknown sections: .*optimiser"),
        ("[optimizer]\nstep = 3", r"Unknown keys in \[optimizer\]: step"),
        ("[optimizer]\nsteps = 0", "steps must be >= 1"),
        ("[chips]\nscale = [2.0, 1.0]", "scale must be positive and rise"),
        ("steps =", "cannot be read"),
    ):
        path = tmp_path / "config.toml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(path)
