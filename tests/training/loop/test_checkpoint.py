"""Checkpoints and starting weights: what is read, and what is refused with which words."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
import torch

from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from training.config import ModelConfig, TrainingConfig
from training.errors import TrainingError
from training.loop.checkpoint import (
    LAST,
    Checkpoint,
    check_resumable,
    compare_weights,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from training.loop.start import read_start, start_weights
from training.monitoring.logs import LOG, RunLog

OTHER = ClassScheme(
    (LandCoverClass(1, "Forest", "#00FF00"), LandCoverClass(2, "Field", "#FFFF00")), LandCoverClass(9, "?", "#000000")
)


def build(width: int = 4, classes: int = 5, architecture: str = "unet", **arguments: object) -> SegmentationModel:
    return build_model(ModelSpec(architecture, 3, classes, {"width": width, "depth": 1, **arguments}))


def write(path: Path, model: SegmentationModel, scheme: ClassScheme = DUBAI) -> Path:
    config = TrainingConfig(model=ModelConfig("unet", {"width": 4, "depth": 1}, False))
    weights = model.state_dict()
    save_checkpoint(
        path, Checkpoint(config, 3, weights, weights, {}, 1.5, scheme, "Title", "Split", {"miou": 0.5}, 0.5)
    )
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    model = build()
    checkpoint = load_checkpoint(write(tmp_path / LAST, model, OTHER))
    assert checkpoint.scheme == OTHER
    assert (checkpoint.step, checkpoint.title, checkpoint.split, checkpoint.best) == (3, "Title", "Split", 0.5)
    assert checkpoint.config.model.arguments == {"width": 4, "depth": 1}
    assert all(torch.equal(checkpoint.model[name], value) for name, value in model.state_dict().items())
    assert checkpoint.version == 2


def test_version_1_means_the_dubai_classes_and_can_be_started_from_but_not_resumed(tmp_path: Path) -> None:
    weights = build().state_dict()
    path = tmp_path / LAST
    config = {
        "data": {"validate_tiles": (1, 3), "scene_share": 0.1},
        "model": {"architecture": "unet", "arguments": {"width": 4, "depth": 1}, "pretrained": False},
        "run": {"seed": 4, "save_every": 70, "validate_every": 140, "precision": "32-true"},
    }
    content = {"step": 7, "model": weights, "average": weights, "optimizer": {}, "seconds": 60.0}
    torch.save({"version": 1, "config": config, **content}, path)
    checkpoint = load_checkpoint(path)
    assert checkpoint.scheme == DUBAI
    assert "Humans in the Loop" in checkpoint.title
    assert checkpoint.split == "Tiles 1, 3 held out for validation."
    assert (checkpoint.step, checkpoint.config.run.seed, checkpoint.config.run.epoch) == (7, 4, 140)
    assert checkpoint.config.data.scene_share == 0.1
    model = build()
    start_weights(model, read_start(path), DUBAI)
    assert torch.equal(model.state_dict()["head.weight"], weights["head.weight"])
    with pytest.raises(TrainingError, match=r"version 1.*--start-from"):
        check_resumable(checkpoint, checkpoint.config, DUBAI)


def test_the_earlier_name_of_the_scene_function_is_read_as_todays(tmp_path: Path) -> None:
    path = write(tmp_path / LAST, build())
    content = torch.load(path, weights_only=True)
    content["config"]["data"]["scenes"] = "tests.scenes:draw_scene"
    torch.save(content, path)
    assert load_checkpoint(path).config.data.scenes == ".synthetic.scenes:draw_scene"


def test_a_checkpoint_is_data_and_no_code(tmp_path: Path) -> None:
    path = tmp_path / LAST
    torch.save({"version": 1, "config": os.system}, path)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(path)
    torch.save({"version": 99}, path)
    with pytest.raises(TrainingError, match="has checkpoint version 99; versions 1 and 2 are supported"):
        load_checkpoint(path)
    torch.save({"version": 2, "config": {"moodel": {}}, "scheme": DUBAI.to_json()}, path)
    with pytest.raises(TrainingError, match=r"is inconsistent: Unknown sections: moodel"):
        load_checkpoint(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(path)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(tmp_path / "none.ckpt")


def test_weights_of_another_network_are_listed() -> None:
    model, other = build(), build(width=8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = {**other.state_dict(), "extra.weight": torch.zeros(1)}
    del given["head.bias"]
    with pytest.raises(TrainingError) as caught:
        load_weights(model, given)
    text = str(caught.value)
    assert "Missing (1): head.bias." in text
    assert "Unexpected (1): extra.weight." in text
    assert "stem.0.weight (8×3×3×3 instead of 4×3×3×3)" in text
    assert "more." in text, "a long list is cut"
    assert "[model]" in text
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert compare_weights(before, before) == []


@pytest.mark.parametrize("content", [b"", b"[optimizer]\nsteps = 3\n", b"\x80\x04\x95"])
def test_no_advice_to_run_code_from_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / LAST
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged or not a checkpoint") as caught:
        load_checkpoint(path)
    assert "weights_only" not in str(caught.value)


OLD = {"version": 1, "config": {"data": {}, "run": {}}}


@pytest.mark.parametrize(
    "content",
    [
        {"version": 1}, {"version": 2}, OLD, {**OLD, "config": 3}, {**OLD, "config": {"data": 3, "run": []}},
        {"version": 2, "config": {}, "scheme": {}}, {"version": 2, "config": 3, "scheme": "x"}, [1, 2], "text", None,
        {"version": float("nan")}, {"version": [1]}, {"version": True}, {"version": 3}, {"version": "2"},
        {"version": None},
        {"version": 2, "config": {"data": []}, "scheme": DUBAI.to_json()},
        {"version": 2, "config": {"sources": 3}, "scheme": DUBAI.to_json()},
        {"version": 2, "config": {}, "scheme": DUBAI.to_json(), "step": 1},
        {"version": 2, "config": {}, "scheme": {"classes": [1]}, "unknown": 1},
    ],
    ids=lambda content: str(content)[:50],
)  # fmt: skip
def test_checkpoints_with_missing_and_wrong_values_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / LAST)
    with pytest.raises(TrainingError, match=r"is inconsistent|has checkpoint version") as caught:
        load_checkpoint(tmp_path / LAST)
    assert caught.value.remedy


def test_weights_that_are_not_tensors_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / LAST, build())
    torch.save({**torch.load(path, weights_only=True), "average": {"stem": [1.0]}}, path)
    with pytest.raises(TrainingError, match=r"average has 'stem': \[1\.0\]"):
        load_checkpoint(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / LAST
    {"pipe": os.mkfifo, "folder": Path.mkdir, "device": lambda place: place.symlink_to("/dev/zero")}[kind](path)
    with pytest.raises(TrainingError, match="not a regular file"):
        load_checkpoint(path)


def test_a_full_disk_is_told_in_the_words_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.checkpoint.atomic_path", lambda path: contextlib.nullcontext(Path("/dev/full")))
    weights = {"weight": torch.zeros(100_000)}
    with pytest.raises(TrainingError, match=r"last.ckpt cannot be written: No space left on device\. Free some space"):
        save_checkpoint(tmp_path / LAST, Checkpoint(TrainingConfig(), 1, weights, weights, {}, 0.5))


@pytest.mark.parametrize(("name", "value"), [("step", "x"), ("losses", 5), ("model", [1]), ("optimizer", 3)])
def test_values_of_another_type_are_named(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / LAST
    save_checkpoint(path, Checkpoint(TrainingConfig(), 1, {}, {}, {}, 0.5))
    torch.save({**torch.load(path, weights_only=True), name: value}, path)
    with pytest.raises(TrainingError, match=f"is inconsistent: {name} is "):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"rubbish\n1,2\n", b"\xff\xfe\x00", b"step,loss\nx,1\n"])
def test_a_damaged_log_stops_no_run_without_a_word(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOG).write_bytes(content)
    with pytest.raises(
        TrainingError, match=r"log\.csv is not a log of a training run, or is damaged: .*move this file"
    ):
        RunLog(tmp_path, ["Water"], 3, 9, board=False)
    assert (tmp_path / LOG).read_bytes() == content
