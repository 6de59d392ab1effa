"""``python -m training train`` from the command line to the folder of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import training.loop.train
from tests.training.dataset import SMALL_RUN, write_dataset
from training.__main__ import main
from training.loop.checkpoint import BEST, LAST, load_checkpoint
from training.loop.train import Run

CONFIG = f"""{SMALL_RUN}[optimizer]
steps = 4
[run]
accelerator = "cpu"
epoch = 2
tensorboard = false
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)
    data = write_dataset(tmp_path / "data")
    (tmp_path / "small.toml").write_text(CONFIG)
    return ["train", str(tmp_path / "small.toml"), "--data", str(data), "--run", str(tmp_path / "run")]


def test_settings_reach_the_run_and_it_goes_on(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", "chips.batch=2", "--set", "model.arguments.width=6"]) == 0
    said = capsys.readouterr().out
    assert "2 training images, 2 validation images" in said
    assert "step 4/4" in said
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["chips"]["batch"], config["model"]["arguments"]) == (2, {"width": 6, "depth": 1})
    checkpoint = load_checkpoint(tmp_path / "run" / LAST)
    assert checkpoint.split == "Own list: tile2 held out."
    assert checkpoint.title

    assert main(command) == 1
    assert "error: The folder " in capsys.readouterr().err
    assert main([*command, "--resume"]) == 1
    assert "; chips.batch was 2, now 8. " in capsys.readouterr().err
    more = ["--resume", "--set", "chips.batch=2", "--set", "model.arguments.width=6", "--set", "optimizer.steps=6"]
    assert main([*command, *more]) == 0
    assert load_checkpoint(tmp_path / "run" / LAST).step == 6


def test_faults_end_without_a_traceback(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--set", "optimizer.stepz=2"]) == 1
    assert "error: There is no key 'stepz'" in capsys.readouterr().err
    assert main([*command, "--start-from", str(tmp_path / "none.ckpt")]) == 1
    assert "none.ckpt cannot be read" in capsys.readouterr().err
    command[command.index("--data") + 1] = str(tmp_path / "nowhere")
    assert main(command) == 1
    assert "nowhere does not exist" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.window=63", "model.window is 63 px; this network needs a multiple of 2 px. Set model.window = 64."),
        (
            "loss.alpha=1,2",
            "loss.alpha has 2 weights, the data have 5 classes: Water, Land, Road, Building, Vegetation.",
        ),
    ],
)
def test_what_does_not_suit_the_network_or_the_classes_is_reported_before_training(
    command: list[str], setting: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", setting]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError("8 GB are not there")])
def test_what_the_machine_refuses_is_reported_without_a_traceback(
    command: list[str], error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: Run) -> float:
        raise error

    monkeypatch.setattr(Run, "_one_step", fail)
    assert main(command) == 1
    printed = capsys.readouterr().err
    assert str(error.args[-1]) in printed
    assert "train --resume" in printed
    assert "Traceback" not in printed


def test_the_end_of_a_run_names_the_next_command(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    best = Path(command[-1]) / BEST
    assert f"python -m training export {best} " in capsys.readouterr().out


def test_an_interrupt_says_how_to_go_on(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: Run) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_one_step", interrupt)
    assert main(command) == 130
    assert "--resume" in capsys.readouterr().err
