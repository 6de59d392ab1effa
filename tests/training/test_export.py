"""From run to model file through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dubai_landcover_plugin.core.bundle import load_bundle
from tests.training.dataset import write_dataset
from training.__main__ import main
from training.export import load_average
from training.train import CHECKPOINT

CONFIG = """
[data]
validate_tiles = [2]
[model]
architecture = "unet"
arguments = { width = 4, depth = 1 }
pretrained = false
window = 64
[chips]
size = 32
batch = 4
[optimizer]
steps = 40
rate = 1e-2
warmup = 2
average = 0.9
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    data = write_dataset(tmp_path / "data")
    (tmp_path / "small.toml").write_text(CONFIG)
    folder = tmp_path / "run"
    assert main(["train", str(tmp_path / "small.toml"), "--data", str(data), "--run", str(folder)]) == 0
    return folder


def test_train_export_and_evaluate(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "models" / "small.safetensors"
    figures = run / "validation.json"
    command = [
        "export",
        str(run / CHECKPOINT),
        str(target),
        "--validation",
        str(figures),
        "--split",
        "Tile 2 kept out.",
    ]
    assert main([*command, "--trained-by", "python -m training train small.toml"]) == 0
    bundle = load_bundle(target)
    assert bundle.metadata.name == "small"
    assert bundle.metadata.metrics["split"] == "Tile 2 kept out."
    assert bundle.metadata.training["steps"] == 40

    chips = torch.randn(1, 3, 40, 33)
    with torch.inference_mode():
        expected = load_average(run / CHECKPOINT)[1](chips)
        torch.testing.assert_close(bundle.model(chips), expected, rtol=2e-2, atol=2e-2)

    card = target.with_suffix(".md").read_text()
    accuracy = json.loads(figures.read_text())["accuracy"]
    for part in ("Tile 2 kept out.", f"pixel accuracy {accuracy:.3f}", "CC0 1.0", "small.toml", "| Vegetation |"):
        assert part in card
    assert "ImageNet" not in card

    output, pictures = tmp_path / "figures.json", tmp_path / "pictures"
    arguments = ["evaluate", str(target), "--data", str(tmp_path / "data"), "--tiles", "2", "--output", str(output)]
    assert main([*arguments, "--pictures", str(pictures)]) == 0
    measured = json.loads(output.read_text())
    assert measured["accuracy"] == pytest.approx(accuracy, abs=0.01)  # float16 weights, float32 arithmetic
    assert "tile2/image_part_001: accuracy" in capsys.readouterr().out
    with Image.open(pictures / "tile2_image_part_001.png") as picture:
        assert np.asarray(picture).shape == (96, 3 * 80, 3)


def test_errors_reach_the_user_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path / "none.ckpt"), str(tmp_path / "m.safetensors")]) == 1
    assert "error: The checkpoint" in capsys.readouterr().err
    data = write_dataset(tmp_path / "data")
    assert main(["evaluate", "nowhere", "--data", str(data)]) == 1
    assert "There is no model 'nowhere'" in capsys.readouterr().err
