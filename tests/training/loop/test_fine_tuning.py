"""Runs that start from trained weights: the start is validated, compared and kept where it is as good."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import training.loop.train
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from tests.training.dataset import make_image
from training.bands import RGB
from training.config import ChipConfig, ModelConfig, OptimizerConfig, RunConfig, StartConfig, TrainingConfig
from training.data.splits import Split
from training.loop.checkpoint import BEST, LAST, START, load_checkpoint
from training.loop.start import Start, read_start
from training.loop.train import Run

CONFIG = TrainingConfig(
    start=StartConfig(alphas=(0.5,)),
    model=ModelConfig(architecture="unet", arguments={"width": 8, "depth": 1}, pretrained=False, gsd=1.0, window=64),
    chips=ChipConfig(size=32, batch=8, brightness=0, contrast=0, gamma=0, gain=0),
    optimizer=OptimizerConfig(steps=4, warmup=1, rate=1e-2, average=0.5),
    run=RunConfig(accelerator="cpu", epoch=2, log_every=2, pictures=0, tensorboard=False),
)
SPLIT = Split((make_image(1), make_image(2)), (make_image(3), make_image(4), make_image(5)), "Images 3 to 5 kept out.")


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Weights that tell most classes apart."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    config = configured(steps=60, epoch=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)
        Run(config, SPLIT, DUBAI, folder, report=lambda text: None).go()
    return read_start(folder / LAST)


def configured(steps: int = 4, rate: float = 1e-2, epoch: int = 2, **model: object) -> TrainingConfig:
    return replace(
        CONFIG,
        model=replace(CONFIG.model, **model),
        optimizer=replace(CONFIG.optimizer, steps=steps, rate=rate, encoder_rate=rate),
        run=replace(CONFIG.run, epoch=epoch),
    )


def run(
    folder: Path, start: Start, config: TrainingConfig = CONFIG, scheme: ClassScheme = DUBAI, **options: object
) -> Run:
    split = options.pop("split", SPLIT)
    return Run(config, split, scheme, folder, **{"start": start, "report": lambda text: None, **options})


def equal(one: object, other: object) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_result_that_is_worse_is_not_kept(tmp_path: Path, trained: Start) -> None:
    said: list[str] = []
    run(tmp_path, trained, configured(rate=3.0), report=said.append).go()
    kept, start = load_checkpoint(tmp_path / BEST), load_checkpoint(tmp_path / START)
    assert equal(kept.average, trained.weights)
    assert not equal(load_checkpoint(tmp_path / LAST).average, trained.weights)
    assert (kept.step, kept.figures) == (0, start.figures)
    written = json.loads((tmp_path / "validation.json").read_text())
    assert (written["step"], written["miou"]) == (0, start.figures["miou"])
    assert written["start"] == kept.comparison
    assert not kept.comparison["better"]
    assert kept.comparison["start"]["miou"] == start.figures["miou"] > kept.comparison["result"]["miou"]
    assert "no better than its start" in said[-1]
    assert (tmp_path / "log.csv").read_text().splitlines()[1].startswith("0,0,,")


def test_a_result_that_is_better_is_kept_with_both_figures(tmp_path: Path) -> None:
    torch.manual_seed(3)
    weak = Start("weak.ckpt", build_model(CONFIG.model.spec(5)).state_dict(), DUBAI, RGB, CONFIG.model)
    said: list[str] = []
    run(tmp_path, weak, configured(steps=60, epoch=60), report=said.append).go()
    kept = load_checkpoint(tmp_path / BEST)
    found = kept.comparison
    assert found["better"]
    assert found["gain"] > 2 * found["error"] > 0
    assert (found["images"], kept.step) == (3, 60)
    assert found["result"]["miou"] == kept.figures["miou"] > 0.5 > found["start"]["miou"]
    assert said[-5] == "Compared on the held-out images:"
    assert said[-3].startswith("  50% start, 50% result: mean IoU 0.")


def test_two_and_two_equal_four_with_a_start(tmp_path: Path, trained: Start) -> None:
    run(tmp_path / "whole", trained).go()
    run(tmp_path / "parts", trained).go(until=2)
    run(tmp_path / "parts", read_start(tmp_path / "parts" / START), resume=True).go()
    whole, parts = (load_checkpoint(tmp_path / name / BEST) for name in ("whole", "parts"))
    assert equal(whole.average, parts.average)
    assert whole.comparison == {**parts.comparison, "name": whole.comparison["name"]}
    assert parts.started_from == trained.name


def test_a_run_that_is_prolonged_is_compared_with_its_first_start(tmp_path: Path, trained: Start) -> None:
    run(tmp_path, trained, configured()).go()
    first = load_checkpoint(tmp_path / START)
    run(tmp_path, read_start(tmp_path / START), configured(steps=6), resume=True).go()
    found = load_checkpoint(tmp_path / BEST).comparison
    assert found["start"]["miou"] == first.figures["miou"]
    assert equal(first.average, trained.weights)


def test_statistics_of_norms_can_be_kept(tmp_path: Path, trained: Start) -> None:
    for freeze in (False, True):
        tuned = run(tmp_path / str(freeze), trained, configured(freeze_norms=freeze))
        tuned.go()
        weights = tuned.model.state_dict()
        names = [name for name in weights if name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
        assert names
        assert all(torch.equal(weights[name], trained.weights[name]) for name in names) == freeze
        assert not torch.equal(weights["head.weight"], trained.weights["head.weight"])


def test_a_start_without_some_classes_never_predicts_them(tmp_path: Path, trained: Start) -> None:
    names = ("Palm", *(entry.name for entry in DUBAI.classes[1:]))
    classes = tuple(replace(entry, name=name) for entry, name in zip(DUBAI.classes, names, strict=True))
    scheme = ClassScheme(classes, DUBAI.unlabeled)
    run(tmp_path, trained, configured(steps=40, epoch=40), scheme).go()
    start, kept = load_checkpoint(tmp_path / START), load_checkpoint(tmp_path / BEST)
    assert start.new_classes == kept.new_classes == ("Palm",)
    assert start.figures["classes"]["Palm"]["iou"] == 0
    assert start.figures["classes"]["Land"]["iou"] > 0.5
    assert kept.figures["classes"]["Palm"]["iou"] > 0.5
    assert kept.comparison["new_classes"] == ["Palm"]


def test_without_common_classes_or_held_out_images_there_is_no_comparison(tmp_path: Path, trained: Start) -> None:
    classes = tuple(LandCoverClass(entry.id, f"New {entry.id}", entry.colour) for entry in DUBAI.classes)
    run(tmp_path / "one", trained, CONFIG, ClassScheme(classes, DUBAI.unlabeled)).go()
    assert not (tmp_path / "one" / START).exists()
    assert load_checkpoint(tmp_path / "one" / BEST).comparison == {}
    run(tmp_path / "two", trained, split=replace(SPLIT, validation=())).go()
    assert not (tmp_path / "two" / BEST).exists()
