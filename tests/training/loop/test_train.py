"""The loop: it learns, it resumes exactly, it stops when it must, it leaves what it promises."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import training.loop.train
from dubai_landcover_plugin.core.assessment.confusion import Confusion
from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from tests.training.dataset import make_image
from training.config import ChipConfig, LossConfig, ModelConfig, OptimizerConfig, RunConfig, SplitConfig, TrainingConfig
from training.data.splits import Split
from training.errors import TrainingError
from training.loop.checkpoint import BEST, LAST, load_checkpoint, save_checkpoint
from training.loop.optimizer import average_weights, learning_rate_factor, make_optimizer, set_update_count
from training.loop.start import read_start
from training.loop.train import Run

CONFIG = TrainingConfig(
    model=ModelConfig(architecture="unet", arguments={"width": 4, "depth": 1}, pretrained=False, gsd=1.0, window=64),
    chips=ChipConfig(size=32, batch=4),
    optimizer=OptimizerConfig(steps=4, warmup=1, rate=1e-2),
    run=RunConfig(accelerator="cpu", epoch=1, log_every=1, pictures=0, tensorboard=False),
)
SPLIT = Split((make_image(1), make_image(2)), (make_image(3),), "Image 3 kept out.")


DRAW_CURVES = training.loop.train.draw_curves


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the curves out where they are not looked at: drawing them takes longer than these runs."""
    monkeypatch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)


def quiet(text: str) -> None:
    """Say nothing."""


def start(folder: Path, config: TrainingConfig = CONFIG, split: Split = SPLIT, **options: object) -> Run:
    return Run(config, split, DUBAI, folder, **{"report": quiet, **options})


def changed(section: str, **values: object) -> TrainingConfig:
    return replace(CONFIG, **{section: replace(getattr(CONFIG, section), **values)})


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Return the log without what depends on the clock."""
    with (folder / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return [{key: value for key, value in row.items() if key not in ("seconds", "chips_per_second")} for row in rows]


def assert_same(one: object, other: object) -> None:
    """Compare nested dicts and lists of tensors bit by bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other


@pytest.mark.parametrize("epoch", [1, 3], ids=["between epochs", "within an epoch"])
def test_two_and_two_equal_four(tmp_path: Path, epoch: int) -> None:
    config = replace(
        CONFIG,
        optimizer=replace(CONFIG.optimizer, accumulate=2, average=0.5),
        chips=replace(CONFIG.chips, balance=0.5, blur=1.0),
        run=replace(CONFIG.run, epoch=epoch, log_every=2 * epoch),
    )
    start(tmp_path / "whole", config).go()
    start(tmp_path / "parts", config).go(until=2)
    resumed = start(tmp_path / "parts", config, resume=True)
    assert resumed.step == 2
    resumed.go()
    for name in (LAST, BEST):
        whole, parts = (load_checkpoint(tmp_path / folder / name) for folder in ("whole", "parts"))
        for field in ("step", "model", "average", "optimizer", "figures", "best", "stale", "losses"):
            assert_same(getattr(whole, field), getattr(parts, field))
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "parts")
    assert read_rows(tmp_path / "whole")[-1]["step"] == "4"


def test_rows_that_a_killed_run_wrote_after_its_last_checkpoint_go(tmp_path: Path) -> None:
    start(tmp_path).go(until=2)
    text = (tmp_path / "log.csv").read_text()
    (tmp_path / "log.csv").write_text(text + text.splitlines()[-1].replace("2,", "3,", 1) + "\n")
    assert [row["step"] for row in read_rows(tmp_path)] == ["1", "2", "3"]
    start(tmp_path, resume=True).go()
    assert [row["step"] for row in read_rows(tmp_path)] == ["1", "2", "3", "4"]


def test_it_learns_what_is_easy(tmp_path: Path) -> None:
    config = replace(
        CONFIG,
        model=replace(CONFIG.model, arguments={"width": 8, "depth": 1}),
        chips=replace(CONFIG.chips, brightness=0, contrast=0, gamma=0, gain=0),
        optimizer=replace(CONFIG.optimizer, steps=100, average=0.9),
        run=replace(CONFIG.run, epoch=100, log_every=25),
    )
    run = start(tmp_path, config)
    run.go()
    figures = json.loads((tmp_path / "validation.json").read_text())
    assert figures["step"] == 100
    assert figures["accuracy"] > 0.9
    assert run.figures["miou"] == figures["miou"] == load_checkpoint(tmp_path / BEST).figures["miou"]
    assert all(parameter.grad is None for parameter in run.averaged.parameters())
    assert all(parameter.grad is None for parameter in run.model.parameters()), "each step starts without gradients"
    losses = [float(row["loss"]) for row in read_rows(tmp_path)]
    assert losses[-1] < losses[0] / 2


def test_what_a_run_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.loop.train, "draw_curves", DRAW_CURVES)
    said: list[str] = []
    config = replace(CONFIG, run=replace(CONFIG.run, epoch=2, pictures=3, tensorboard=True))
    start(tmp_path, config, title="Small squares, CC0 1.0", report=said.append).go()
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"last.ckpt", "best.ckpt", "log.csv", "config.json", "validation.json", "curves.png"}
    assert [path.name for path in sorted((tmp_path / "pictures").iterdir())] == ["step_000002.png", "step_000004.png"]
    assert TrainingConfig.from_mapping(json.loads((tmp_path / "config.json").read_text())) == config
    rows = read_rows(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "1", "2", "2"]
    assert [bool(row["miou"]) for row in rows] == [False, True, False, True]
    assert float(rows[3]["iou Water"]) >= 0
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2, 3, 4]
    assert events.Scalars("validation/miou")[-1].value == pytest.approx(float(rows[3]["miou"]), abs=1e-4)
    assert [event.step for event in events.Images("predictions")] == [2, 4]
    checkpoint = load_checkpoint(tmp_path / LAST)
    with Image.open(tmp_path / "curves.png") as curves:
        assert curves.width > 500
    assert (checkpoint.title, checkpoint.split) == ("Small squares, CC0 1.0", "Image 3 kept out.")
    assert "step 4/4" in said[-1]
    assert "mIoU" in said[-1]


def test_without_validation_there_is_a_last_checkpoint_only(tmp_path: Path) -> None:
    config = changed("run", pictures=1)
    start(tmp_path, config, replace(SPLIT, validation=())).go()
    assert (tmp_path / LAST).is_file()
    assert not (tmp_path / BEST).exists()
    assert not (tmp_path / "validation.json").exists()
    assert len(list((tmp_path / "pictures").iterdir())) == 4, "training images are shown instead"


def test_it_stops_when_epochs_bring_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = iter([5, 9, 7, 8, 9, 99])

    def pretend(*arguments: object) -> dict[str, object]:
        return Confusion(np.eye(5, dtype=np.int64) * next(hits) + 1).to_json(list("abcde"))

    monkeypatch.setattr(training.loop.train, "validate", pretend)
    said: list[str] = []
    config = replace(CONFIG, optimizer=replace(CONFIG.optimizer, steps=9), run=replace(CONFIG.run, patience=3))
    run = start(tmp_path, config, report=said.append)
    run.go()
    assert run.step == 5
    assert "Stopped at step 5: no better mean IoU for 3 epochs" in said[-1]
    assert load_checkpoint(tmp_path / BEST).step == 2
    assert load_checkpoint(tmp_path / LAST).step == 5
    again = start(tmp_path, config, resume=True)
    again.go()
    assert again.step == 5, "a run that has stopped stays so"
    more = start(tmp_path, replace(config, run=replace(config.run, patience=4)), resume=True)
    more.go(until=6)
    assert more.step == 6


def test_a_loss_that_is_no_number_names_step_and_images(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.go(until=2)
    with torch.no_grad():
        run.model.head.bias.fill_(torch.nan)
    with pytest.raises(
        TrainingError, match=r"The loss is nan in step 3, with chips of image\d.*last\.ckpt is unchanged"
    ):
        run.go()
    assert load_checkpoint(tmp_path / LAST).step == 2
    assert torch.isfinite(load_checkpoint(tmp_path / LAST).model["head.bias"]).all()


def test_a_gradient_that_is_no_number_stops_before_it_spoils_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(tmp_path)
    run.model.head.bias.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match=r"A gradient is not finite in step 1.*no checkpoint yet"):
        run.go()
    assert all(torch.isfinite(value).all() for value in run.model.state_dict().values())


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path)
    run.go(until=2)
    before = {name: (tmp_path / name).read_bytes() for name in (LAST, BEST)}
    real_save = torch.save

    def fill(content: object, stream: object) -> None:
        real_save(content, stream)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(TrainingError, match=r"cannot be written.*No space left.*Free some space"):
        run.go()
    assert (tmp_path / LAST).read_bytes() == before[LAST]
    assert load_checkpoint(tmp_path / LAST).step == 2
    assert not list(tmp_path.glob(".*partial"))
    monkeypatch.undo()
    resumed = start(tmp_path, resume=True)
    resumed.go()
    assert resumed.step == 4


def test_a_full_disk_under_the_log_is_reported_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path)
    run.go(until=2)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CsvWriter, "writerow", fail)
    with pytest.raises(TrainingError, match=r"cannot write to .*No space left.*--resume"):
        run.go()
    assert load_checkpoint(tmp_path / LAST).step == 2


def test_a_run_remembers_whose_weights_it_started_from(tmp_path: Path) -> None:
    start(tmp_path / "first").go(until=1)
    source = tmp_path / "first" / LAST
    average = load_checkpoint(source).average
    second = start(tmp_path / "second", start=read_start(source))
    assert second.step == 0
    assert all(torch.equal(value, average[key]) for key, value in second.model.state_dict().items())
    second.go(until=1)
    start(tmp_path / "second", resume=True).go(until=2)
    assert load_checkpoint(tmp_path / "second" / LAST).started_from == LAST
    assert load_checkpoint(source).started_from == ""


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    start(tmp_path).go(until=1)
    with pytest.raises(TrainingError, match=r"already contains a run.*--resume"):
        start(tmp_path)


def test_resuming_with_other_settings_names_them(tmp_path: Path) -> None:
    start(tmp_path).go(until=2)
    other = replace(changed("optimizer", rate=0.5, steps=8), loss=LossConfig(gamma=3.0))
    with pytest.raises(TrainingError, match=r"optimizer\.rate was 0\.01, now 0\.5; loss\.gamma was 0\.75, now 3\.0"):
        start(tmp_path, other, resume=True)
    with pytest.raises(TrainingError, match=r"run\.seed was 1, now 2"):
        start(tmp_path, changed("run", seed=2), resume=True)
    with pytest.raises(TrainingError, match=r"split\.kind was 'none', now 'seed'"):
        start(tmp_path, replace(CONFIG, split=SplitConfig(kind="seed")), resume=True)
    with pytest.raises(TrainingError, match=r"is at step 2, but the training has only 1 steps.*optimizer\.steps"):
        start(tmp_path, changed("optimizer", steps=1), resume=True)
    scheme = ClassScheme(DUBAI.classes[:4], DUBAI.unlabeled)
    with pytest.raises(TrainingError, match=r"has the classes Water, .*Vegetation; the data have Water.*Building"):
        Run(CONFIG, SPLIT, scheme, tmp_path, resume=True, report=quiet)
    said: list[str] = []
    config = replace(changed("optimizer", steps=6), run=replace(CONFIG.run, log_every=2))
    start(tmp_path, config, resume=True, report=said.append)
    assert said == ["Resuming with changed settings: optimizer.steps was 4, now 6; run.log_every was 1, now 2."]
    start(tmp_path, resume=True, split=replace(SPLIT, description="Another."), report=said.append)
    assert said[-1] == "The split differs from that of the checkpoint: Image 3 kept out."


def test_a_checkpoint_of_another_network_is_not_resumed(tmp_path: Path) -> None:
    start(tmp_path).go(until=1)
    wide = changed("model", arguments={"width": 8, "depth": 1})
    checkpoint = load_checkpoint(tmp_path / LAST)
    save_checkpoint(tmp_path / LAST, replace(checkpoint, config=wide))  # says one thing, holds another
    with pytest.raises(TrainingError, match=r"another network.*Of another shape.*stem\.0\.weight \(4×3×3×3 instead"):
        start(tmp_path, wide, resume=True)


def test_devices_that_are_not_there_are_reported(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TrainingError, match=r"devices for the training are not available.*run\.accelerator"):
        start(tmp_path, changed("run", accelerator="cuda"))
    with pytest.raises(TrainingError, match=r"not available.*banana"):
        start(tmp_path, changed("run", precision="banana"))


def test_half_precision_trains(tmp_path: Path) -> None:
    run = start(tmp_path, changed("run", precision="bf16-mixed"))
    run.go(until=2)
    assert run.model.head.weight.dtype == torch.float32
    assert run.figures["accuracy"] is not None


def test_balanced_weights_are_reported_and_used(tmp_path: Path) -> None:
    said: list[str] = []
    run = start(tmp_path, replace(CONFIG, loss=LossConfig(alpha="balanced")), report=said.append)
    assert said[0].startswith("Class weights of the focal loss: Water ")
    assert run.loss.parts[0].alpha.mean().item() == pytest.approx(1)


def test_the_rate_rises_then_falls_to_zero() -> None:
    config = OptimizerConfig(steps=100, warmup=10)
    factors = [learning_rate_factor(step, config) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-9)


def test_the_average_trails_the_weights() -> None:
    model = torch.nn.Linear(1, 1)
    average = average_weights(model, decay=0.5)
    set_update_count(average, 1000)
    start_value = model.weight.item()
    with torch.no_grad():
        model.weight += 1
    average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(start_value + 0.5)
    with torch.no_grad():
        model.weight += 1
    average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(start_value + 1.25)


def test_the_decay_of_the_average_rises_from_a_tenth_and_counters_are_copied() -> None:
    model = torch.nn.BatchNorm1d(1)
    average = average_weights(model, decay=0.99)
    expected = 1.0
    for step in range(3):
        with torch.no_grad():
            model.weight.fill_(step + 2.0)
            model.num_batches_tracked += 5
        average.update_parameters(model)
        keep = (1 + step) / (10 + step)
        expected = keep * expected + (1 - keep) * (step + 2.0)
        assert average.module.weight.item() == pytest.approx(expected)
    assert average.module.num_batches_tracked.item() == 15
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert not average.module.training


def test_accumulated_batches_give_the_gradient_of_their_mean(tmp_path: Path) -> None:
    """With every weight of one step's batches equal, accumulating two batches is one batch of twice the size."""
    runs = [start(tmp_path / str(count), changed("optimizer", accumulate=count)) for count in (1, 2)]
    runs[0].sampler.batch = runs[1].sampler.batch = lambda step, part: batch  # type: ignore[method-assign]
    batch = runs[0].sampler.__class__(SPLIT.training, CONFIG.chips, 1).batch(0)
    for run in runs:
        run._ahead._draw = run.sampler.batch
        run.model.train()
        run._one_step()
    for one, two in zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_pretrained_encoder_learns_at_its_own_rate(tmp_path: Path) -> None:
    config = replace(CONFIG, model=ModelConfig("unet_efficientnet", pretrained=True, gsd=1.0))
    run = start(tmp_path, config)
    rates = {id(p): group["top"] for group in run.optimizer.param_groups for p in group["params"]}
    assert rates[id(run.model.encoder.stem.conv.weight)] == config.optimizer.encoder_rate
    assert rates[id(run.model.head.weight)] == config.optimizer.rate
    assert len(rates) == len(list(run.model.parameters()))
    fresh = EfficientNetLite(3)
    assert not torch.equal(run.model.encoder.stem.conv.weight, fresh.stem.conv.weight)
    plain = make_optimizer(run.model, replace(config, model=replace(config.model, pretrained=False)))
    assert {group["top"] for group in plain.param_groups} == {config.optimizer.rate}


def test_imagenet_weights_are_for_one_architecture(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unet has no ImageNet weights"):
        start(tmp_path, changed("model", pretrained=True))


def test_no_process_id_or_partial_file_stays(tmp_path: Path) -> None:
    start(tmp_path).go(until=1)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def efficientnet(**model: object) -> TrainingConfig:
    network = ModelConfig(arguments={"widths": [4, 4, 4, 4]}, pretrained=False, gsd=1.0, window=64, **model)
    return replace(CONFIG, model=network, chips=ChipConfig(size=33, batch=2), optimizer=OptimizerConfig(steps=2))


def test_frozen_blocks_stay_as_they_are_and_the_others_do_not(tmp_path):
    run = start(tmp_path, efficientnet(frozen=2))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.go()
    moved = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    frozen = tuple(f"encoder.{part}." for part in ("stem", "blocks.0", "blocks.1"))
    assert not {name for name in moved if name.startswith(frozen)}
    assert any(name.startswith("encoder.blocks.2.") for name in moved)


@pytest.mark.parametrize("config", [changed("model", frozen=1), efficientnet(frozen=17)], ids=["unet", "too many"])
def test_blocks_that_are_not_there_cannot_be_frozen(tmp_path, config):
    with pytest.raises(TrainingError, match=r"model.frozen is \d+, the encoder has \d+ blocks"):
        start(tmp_path, config)


def test_coarse_logits_are_compared_with_every_second_label(tmp_path, monkeypatch):
    config = replace(efficientnet(), loss=LossConfig(coarse=True))
    run = start(tmp_path, config)
    seen = []
    monkeypatch.setattr(
        run, "loss", lambda logits, labels: seen.append((logits.shape, labels)) or logits.square().mean()
    )
    batch = run.sampler.batch(0, 0)
    run.go(until=1)
    (shape, labels) = seen[0]
    assert shape == (2, 5, 17, 17)
    assert torch.equal(labels, batch.labels[:, ::2, ::2])
