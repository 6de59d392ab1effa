from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import LabelledData, TrainRequest
from training.errors import TrainingError
from training.tasks.train import run_folder, train_model

pytestmark = pytest.mark.usefixtures("short")


class Watching(SilentMonitor):
    """Remembers messages and cancels after some steps."""

    def __init__(self, steps: int = 10**6) -> None:
        self.lines: list[str] = []
        self.steps: list[str] = []
        self._most = steps

    def log(self, level: str, text: str) -> None:
        self.lines.append(text)

    def report(self, done: int, total: int, text: str = "") -> None:
        if text.startswith("step"):
            self.steps.append(text)

    def cancelled(self) -> bool:
        return len(self.steps) >= self._most


def test_a_training_is_estimated_compared_and_written(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    watch = Watching()
    request = TrainRequest(
        str(tmp_path / "own.safetensors"), labelled, start, report=str(tmp_path / "own.html"), curve=True
    )
    result = train_model(request, watch)
    assert result.steps == result.planned == 4
    assert any(line.startswith("This will take") and "4 steps" in line for line in watch.lines)
    assert watch.steps[3].startswith("step 4, loss")
    assert None not in (result.before, result.after, result.gain)
    assert result.better in (True, False)
    assert result.gain == pytest.approx(result.after - result.before, abs=2e-4)
    assert "small.safetensors" in result.verdict
    metadata = read_metadata(result.output)
    assert metadata.training["start"]["better"] == result.better
    assert str(tmp_path) not in str(metadata.training)  # no paths of this computer
    page = (tmp_path / "own.html").read_text(encoding="utf-8")
    assert "Would more labels help?" in page
    assert [point["images"] for point in result.curve][-1] == 1
    assert result.run is None
    assert not run_folder(request).exists()


def test_an_estimate_trains_nothing(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    request = TrainRequest(str(tmp_path / "own.safetensors"), labelled, start, estimate=True)
    result = train_model(request, Watching())
    assert (result.output, result.steps, result.planned) == (None, 0, 4)
    assert result.estimated >= 0
    assert not (tmp_path / "own.safetensors").exists()


def test_a_cancelled_training_keeps_the_best_and_can_be_resumed(
    labelled: LabelledData, start: str, tmp_path: Path
) -> None:
    request = TrainRequest(str(tmp_path / "own.safetensors"), labelled, start)
    result = train_model(request, Watching(steps=3))
    assert (result.cancelled, result.steps, result.better) == (True, 3, None)
    assert read_metadata(result.output).scheme.classes
    assert result.run == str(run_folder(request))
    again = replace(request, overwrite=True)
    with pytest.raises(TrainingError, match="was not finished"):
        train_model(again, Watching())
    watch = Watching()
    resumed = train_model(replace(again, resume=True), watch)
    assert (resumed.steps, resumed.cancelled) == (4, False)
    assert len(watch.steps) == 1
    assert resumed.before is not None
    with pytest.raises(TrainingError, match="no training to resume"):
        train_model(replace(again, resume=True), watch)


def test_new_classes_and_names_are_checked(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a valid model name"):
        train_model(TrainRequest(str(tmp_path / "x.safetensors"), labelled, start))
    data = replace(labelled, new_classes=("Pool",))
    result = train_model(TrainRequest(str(tmp_path / "pools.safetensors"), data, start), Watching())
    assert [entry.name for entry in read_metadata(result.output).scheme.classes][-1] == "Pool"


def test_a_full_disk_is_told_before_the_training(
    labelled: LabelledData, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.loop.disk_space.shutil.disk_usage", lambda path: namedtuple("Usage", "free")(1000))
    watch = Watching()
    with pytest.raises(TrainingError, match=r"need about \d+ MB in .*, 0 MB are free"):
        train_model(TrainRequest(str(tmp_path / "own.safetensors"), labelled, start), watch)
    assert "1 image is held out, too few to tell how good the model is: label more places." in watch.lines
    assert not watch.steps
    assert not any(path.suffix in (".safetensors", ".training") for path in tmp_path.iterdir())
