"""Configurations: read from TOML, changed from the command line, refused where they are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.config import ChipConfig, LossConfig, OptimizerConfig, RunConfig, TrainingConfig, load_config
from training.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[optimizer]\nsteps = 7\n[model]\narguments = { width = 4 }\n")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_shipped_configurations_can_be_read(path: Path) -> None:
    assert load_config(path).optimizer.steps > 0


def test_a_configuration_survives_json() -> None:
    config = TrainingConfig(
        chips=ChipConfig(scale=(0.5, 2.0), balance=0.25),
        loss=LossConfig(alpha=(1.0, 2.0), lovasz=0.5),
        run=RunConfig(devices="auto"),
    )
    assert TrainingConfig.from_mapping(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optimiser]\nsteps = 3", r"Unknown sections: optimiser\. Known: data"),
        ("[optimizer]\nstep = 3", r"Unknown keys in \[optimizer\]: step\. Known: steps, rate"),
        ("[optimizer]\nsteps = 0", "steps must be >= 1"),
        ("[optimizer]\nsteps = 2.5", r"optimizer\.steps must be a whole number, got 2\.5"),
        ("[optimizer]\nsteps = true", r"optimizer\.steps must be a whole number, got True"),
        ("[optimizer]\nrate = '1e-3'", r"optimizer\.rate must be a number, got '1e-3'"),
        ("[chips]\nscale = [2.0, 1.0]", "scale must be two ascending numbers"),
        ("[chips]\nscale = [1.0]", r"chips\.scale must be a list of 2, each a number, got \[1\.0\]"),
        ("[loss]\nalpha = 'even'", "alpha must be weights or 'balanced', got 'even'"),
        ("[loss]\nfocal = 0\ndice = 0", "one of them positive"),
        ("[run]\ndevices = 0", "devices must be at least 1 or 'auto', got 0"),
        ("chips = 3", r"\[chips\] must be a table, got 3"),
        ("steps =", "cannot be read"),
    ],
)
def test_faults_are_reported(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_settings_go_before_the_file_and_get_the_declared_type(path: Path) -> None:
    settings = [
        "optimizer.rate=1",
        "chips.scale=0.5,2",
        "run.precision=bf16-mixed",
        "run.devices=2",
        "run.tensorboard=false",
        "loss.alpha=balanced",
        "model.arguments.depth=2",
        'split.validation=tile1, "tile2"',
        "split.kind=list",
        "data.title=2024",
    ]
    config = load_config(path, settings)
    assert config.optimizer == OptimizerConfig(steps=7, rate=1.0)
    assert isinstance(config.optimizer.rate, float)
    assert config.chips.scale == (0.5, 2.0)
    assert (config.run.precision, config.run.devices, config.run.tensorboard) == ("bf16-mixed", 2, False)
    assert config.loss.alpha == "balanced"
    assert config.model.arguments == {"width": 4, "depth": 2}
    assert config.split.validation == ("tile1", "tile2")
    assert config.data.title == "2024"
    assert load_config(path, ["loss.alpha=1,2,3"]).loss.alpha == (1.0, 2.0, 3.0)
    assert load_config(path, ["run.devices=auto", "optimizer.steps=2", "optimizer.steps=3"]).optimizer.steps == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.step=3", r"no key 'step' in \[optimizer\].*Known: steps, rate"),
        ("optimiser.steps=3", r"no section 'optimiser'.*Known: data, split, model"),
        ("steps=3", r"'steps=3' is not of the form section\.key=value"),
        ("optimizer.steps", "is not of the form section.key=value"),
        ("optimizer..steps=3", "is not of the form section.key=value"),
        ("optimizer.steps.more=3", "optimizer.steps is not a table"),
        ("optimizer.steps=many", r"optimizer\.steps must be a whole number, got 'many'"),
        ("optimizer.steps=0", "steps must be >= 1"),
        ("run.devices=1.5", r"run\.devices must be a whole number or a text"),
        ("model.arguments.width.x=1", r"'width' is not a table.*Its value is 4"),
        ("run.seed=9223372036854775808", r"run\.seed must be below 2\^63"),
        ("split.seed=-1", r"split\.seed must be in 0\.\.2\^63 - 1, got -1"),
        ("loss.alpha=0,0", "alpha must be finite weights of at least 0, one of them positive"),
        ("model.gsd=-1", r"model\.gsd must be a finite number of metres of at least 0, got -1\.0"),
        ("model.gsd=inf", "model.gsd must be a finite number"),
        ("model.window=-5", r"model\.window must be at least 1 px, got -5"),
        ("model.frozen=-1", r"model\.frozen must be at least 0, got -1"),
        ("chips.scale=1,inf", "scale must be two ascending numbers above 0 and at most 64"),
        ("chips.brightness=-1", r"chips\.brightness must be in 0\.\.4, got -1\.0"),
        ("chips.gain=nan", r"chips\.gain must be in 0\.\.4, got nan"),
        ("optimizer.weight_decay=-1", r"weight_decay must be a finite number of at least 0, got -1\.0"),
        ("optimizer.rate=inf", "rate and encoder_rate must be positive and finite"),
    ],
)
def test_wrong_settings_are_reported(path: Path, setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(path, [setting])
