from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.requests.training import LENGTHS
from training.config import ModelConfig
from training.lengths import FINE_TUNING, NEW, configuration


@pytest.mark.parametrize("table", [FINE_TUNING, NEW])
def test_longer_words_mean_more_steps(table):
    steps = [table[name].steps for name in LENGTHS]
    assert steps == sorted(set(steps))
    assert all(length.epoch <= length.steps for length in table.values())


def test_the_configuration_follows_start_and_length():
    tuned, new = configuration("normal", ModelConfig()), configuration("quick", None)
    assert tuned.optimizer.steps == FINE_TUNING["normal"].steps
    assert (tuned.model.architecture, tuned.model.frozen) == ("start", 3)
    assert new.model.architecture == "unet_efficientnet"
    assert new.optimizer.steps == NEW["quick"].steps
    assert {tuned.split.kind, new.split.kind} == {"auto"}
    assert configuration("quick", ModelConfig(architecture="unet")).model.frozen == 0  # has no such blocks
