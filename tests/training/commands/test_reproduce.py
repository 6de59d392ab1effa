"""``python -m training reproduce-published``, with a tiny network and tiny images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import training.loop.train
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from tests.training.dataset import colours_of, draw_labels, write_pair
from training.__main__ import main
from training.commands.reproduce import comparison, stand_ins
from training.config import DataConfig, load_config
from training.data.layouts import open_dataset
from training.data.splits import choose
from training.loop.checkpoint import LAST, load_checkpoint

SMALL = (
    *("model.arguments.width=4", "model.arguments.depth=1", "model.arguments.dim=16", "model.arguments.grid=4"),
    *("model.window=64", "chips.size=32", "optimizer.steps=3", "run.epoch=3", "run.accelerator=cpu"),
    *("run.tensorboard=false", "run.pictures=0", "split.images=1"),
)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four images; the split chooses tile1/image_part_002 as the test image."""
    monkeypatch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)
    for tile, number in ((1, 1), (1, 2), (1, 4), (2, 6)):
        write_pair(tmp_path / "data", tile, number, Image.fromarray(colours_of(draw_labels(10 * tile + number))))
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return ["reproduce-published", "--data", str(tmp_path / "data"), "--run", str(tmp_path / "run"), *settings]


def test_it_trains_evaluates_the_last_weights_and_compares(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert [image["name"] for image in figures["images"]] == ["tile1/image_part_002"]
    assert f"| Pixel accuracy | 0.72 | {figures['accuracy']:.3f} |" in printed
    assert f"| Mean recall | 0.48 | {figures['mean_recall']:.3f} |" in printed
    assert "into 3 and 1 with seed 101" in printed
    bundle, last = load_bundle(tmp_path / "run" / "published.safetensors"), load_checkpoint(tmp_path / "run" / LAST)
    assert bundle.metadata.spec.architecture == "unet_vit"
    assert last.step == 3
    weights = bundle.model.state_dict()
    assert all(abs(weights[name] - value).max() < 1e-2 for name, value in last.model.items())  # half precision


def test_other_images_are_held_out_where_the_test_images_have_no_labels(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    assert stand_ins(str(data), SMALL) == ()
    assert capsys.readouterr().out == ""
    (data / "Tile 1" / "masks" / "image_part_002.png").unlink()
    settings = (*SMALL, *stand_ins(str(data), SMALL))
    assert "have no labels" in capsys.readouterr().out
    choice = choose(open_dataset(DataConfig(), data), load_config("published", settings).split)
    assert [entry.name for entry in choice.validation] == ["tile1/image_part_004", "tile2/image_part_006"]
    assert [entry.name for entry in choice.training] == ["tile1/image_part_001"]


def test_data_without_any_of_these_images_is_refused_before_the_training(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "data"
    for name in (
        "Tile 1/masks/image_part_002.png",
        "Tile 1/masks/image_part_004.png",
        "Tile 2/masks/image_part_006.png",
    ):
        (masks / name).unlink()
    assert main(command) == 1
    assert "No image of the published split has labels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_comparison_names_the_split() -> None:
    figures = {"accuracy": 0.5, "mean_precision": None, "mean_recall": 0.25, "split": "Own list: tile2 held out."}
    assert comparison(figures).splitlines()[2:6] == [
        "| Pixel accuracy | 0.72 | 0.500 |", "| Mean precision | 0.50 | – |", "| Mean recall | 0.48 | 0.250 |", "",
    ]  # fmt: skip
    assert "Own list: tile2 held out." in comparison(figures)


def test_the_configuration_has_five_epochs_of_the_published_split() -> None:
    config = load_config("published")
    steps = -(-65 // config.chips.batch)  # of an epoch
    assert (config.run.epoch, config.optimizer.steps) == (steps, 5 * steps)
    assert (config.split.kind, config.split.seed, config.split.images) == ("seed", 101, 7)
    assert (config.loss.focal, config.loss.gamma, config.loss.dice) == (1.0, 0.75, 0.0)
