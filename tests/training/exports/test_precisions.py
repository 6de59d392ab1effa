"""Accuracy in each precision: measured through runs, kept in the file, used by the choice of the precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.protocol.model_file import read_metadata
from training.__main__ import main
from training.exports import precisions
from training.exports.precisions import Bfloat16Network, in_bfloat16


def bfloat16(values: torch.Tensor) -> torch.Tensor:
    return values.bfloat16().float()


def test_inputs_and_weights_are_rounded_and_the_last_steps_are_not() -> None:
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)
    enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
    batch = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        given = Bfloat16Network(nn.Sequential(first, nn.ReLU(), last, enlarge))(batch)
        features = nn.functional.conv2d(bfloat16(batch), bfloat16(first.weight), bfloat16(first.bias))
        logits = nn.functional.conv2d(bfloat16(features).relu(), bfloat16(last.weight), bfloat16(last.bias))
        assert torch.equal(given, enlarge(logits))
        assert not torch.equal(given, bfloat16(given))
        assert not torch.equal(given, nn.Sequential(first, nn.ReLU(), last, enlarge)(batch))


def test_the_table_is_stored_and_shown(
    trained: Callable[[], Path], data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(precisions, "has_bfloat16", lambda: False)
    model = trained()
    weights = load_bundle(model).model.state_dict()
    assert read_metadata(model).accurate_precisions == frozenset()
    assert main(["precisions", str(model), "--data", str(data)]) == 0
    printed = capsys.readouterr().out
    metadata = read_metadata(model)
    measured = metadata.metrics["precisions"]
    assert measured["emulated"] is True
    assert measured["float32"]["agreement"] == 1
    assert 0.9 < measured["bfloat16"]["agreement"] <= 1
    assert measured["images"]
    assert "float32" in metadata.accurate_precisions
    assert f"| bfloat16 | {measured['bfloat16']['accuracy']:.4f} |" in printed
    assert all((value == weights[key]).all() for key, value in load_bundle(model).model.state_dict().items())
    assert main(["card", str(model)]) == 0
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert f"| float32 | {measured['float32']['accuracy']:.4f} | {measured['float32']['miou']:.4f} | 100.00 % |" in card


def test_the_emulation_is_another_model_with_nearly_the_same_answer(trained: Callable[[], Path]) -> None:
    bundle = load_bundle(trained())
    rounded = in_bfloat16(bundle)
    assert rounded.digest != bundle.digest
    chips = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8)
    exact = Predictor(bundle, "cpu", "float32", runtime="torch")(chips)
    given = Predictor(rounded, "cpu", "float32", runtime="torch")(chips)
    assert 0 < np.abs(given - exact).max() < 0.2
