"""The section [start]."""

from __future__ import annotations

import pytest

from training.config import TrainingConfig, load_config
from training.errors import ConfigError
from training.start_config import OF_START, StartConfig


def test_the_recipe_starts_from_a_model_and_takes_its_network() -> None:
    config = load_config("finetune", ["start.alphas=0.5"])
    assert config.start == StartConfig("world", (0.5,))
    assert config.model.architecture == OF_START
    assert config.model.freeze_norms
    assert TrainingConfig.from_mapping(config.to_json()) == config


@pytest.mark.parametrize("alpha", [0, 1, -0.5, float("nan")])
def test_shares_are_between_start_and_result(alpha: float) -> None:
    with pytest.raises(ConfigError, match=r"start\.alphas must be between 0 and 1"):
        StartConfig(alphas=(0.5, alpha))
