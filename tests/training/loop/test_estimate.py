from __future__ import annotations

from pathlib import Path

import torch

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.loop.test_fine_tuning import CONFIG, SPLIT
from training.loop.estimate import Estimate, estimate
from training.loop.train import Run


def test_the_time_is_that_of_steps_and_validations():
    assert Estimate(step=2.0, validation=30.0, steps=120, validations=4).minutes == 6.0


def test_an_estimate_changes_nothing(tmp_path: Path) -> None:
    run = Run(CONFIG, SPLIT, DUBAI, tmp_path / "run", report=lambda text: None)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    found = estimate(run)
    assert (found.steps, found.validations) == (4, 2)  # without a start nothing is compared
    assert found.step > 0
    assert found.validation > 0
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())
    assert all(parameter.grad is None for parameter in run.model.parameters())
    assert not (tmp_path / "run").exists()
