"""What an export would refuse, found before a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.exports.test_export import make_checkpoint
from training.errors import TrainingError
from training.exports.export import load_average
from training.exports.trial import check_export


def test_a_run_that_can_be_exported_passes(tmp_path: Path) -> None:
    checkpoint, model = load_average(make_checkpoint(tmp_path / "a.ckpt"))
    check_export(checkpoint, model)
    check_export(checkpoint, model, "palm groves")


def test_names_of_models_are_checked(tmp_path: Path) -> None:
    checkpoint, model = load_average(make_checkpoint(tmp_path / "a.ckpt"))
    with pytest.raises(TrainingError, match="'ab' is not a valid model name"):
        check_export(checkpoint, model, "ab")


def test_what_a_model_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    checkpoint, model = load_average(make_checkpoint(tmp_path / "a.ckpt"))
    with pytest.raises(TrainingError, match=r"could not be exported: .*damaged"):
        check_export(replace(checkpoint, title="x" * 100_001), model)  # texts are limited
    window = replace(checkpoint.config, model=replace(checkpoint.config.model, window=8194))
    with pytest.raises(TrainingError, match="the limits are 8192 px") as caught:
        check_export(replace(checkpoint, config=window), model)
    assert caught.value.remedy.endswith("Change the settings or the data.")
