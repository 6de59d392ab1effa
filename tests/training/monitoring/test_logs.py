"""The log of a run: rows, resuming, text."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from training.monitoring.curves import draw_curves
from training.monitoring.logs import LOG, Row, RunLog

FIGURES = {"accuracy": 0.75, "miou": 0.5, "classes": {"Road": {"iou": 0.25}}}


def log(folder: Path, step: int = 0, lines: list[str] | None = None, **options: Any) -> RunLog:
    report = (lambda text: None) if lines is None else lines.append
    return RunLog(folder, ["Road", "Land"], step, 100, **{"board": False, "report": report, **options})


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def row(step: int, **figures: Any) -> Row:
    return Row(step, 1, 0.123456, 1e-3, 12.345, 7.6, figures)


def test_rows_have_a_column_for_each_class(tmp_path: Path) -> None:
    with log(tmp_path) as opened:
        opened.add(row(10))
        opened.add(row(20, **FIGURES))
    first, second = rows(tmp_path)
    assert (first["step"], first["loss"], first["chips_per_second"], first["seconds"]) == (
        "10",
        "0.12346",
        "12.35",
        "8",
    )
    assert first["miou"] == first["iou Road"] == ""
    assert (second["accuracy"], second["iou Road"], second["iou Land"]) == ("0.75", "0.25", "")


def test_a_resumed_run_drops_the_rows_after_its_checkpoint(tmp_path: Path) -> None:
    with log(tmp_path) as opened:
        for step in (10, 20, 30):
            opened.add(row(step))
    with log(tmp_path, step=20) as opened:
        opened.add(row(25))
    assert [one["step"] for one in rows(tmp_path)] == ["10", "20", "25"]


def test_a_run_from_the_start_has_no_earlier_rows(tmp_path: Path) -> None:
    with log(tmp_path) as opened:
        opened.add(row(10))
    with log(tmp_path):
        pass
    assert not (tmp_path / LOG).exists()


def test_the_start_has_a_row_without_a_loss(tmp_path: Path) -> None:
    said: list[str] = []
    with log(tmp_path, lines=said, board=True) as written:
        written.add(Row(0, 0, None, 0.0, 0.0, 0.0, {"accuracy": 0.5, "miou": 0.25}))
        written.add(row(20))
    assert [(line["step"], line["loss"], line["miou"]) for line in rows(tmp_path)] == [
        ("0", "", "0.25"),
        ("20", "0.12346", ""),
    ]
    assert said[0] == "start  accuracy 0.500  mIoU 0.250"
    assert draw_curves(tmp_path / LOG, tmp_path / "curves.png")


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    with log(tmp_path) as opened:
        opened.add(row(10))
    lines: list[str] = []
    with log(tmp_path, lines=lines, writes=False, board=True) as opened:
        opened.add(row(20, **FIGURES))
        opened.tick(0.1, 2.0)
        opened.show(Image.new("RGB", (4, 4)), 1)
    assert lines == []
    assert [path.name for path in tmp_path.iterdir()] == [LOG]
    assert [one["step"] for one in rows(tmp_path)] == ["10"]


def test_a_line_has_the_rest_of_the_time_and_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("training.monitoring.logs.time.monotonic", lambda: now[0])
    lines: list[str] = []
    with log(tmp_path, step=20, lines=lines) as opened:
        now[0] += 40  # ten steps
        opened.add(row(30, **FIGURES))
        now[0] += 200
        opened.add(row(80))
    assert lines[0] == "step 30/100  loss 0.1235  rate 0.001  12.3 chips/s  5 min left  accuracy 0.750  mIoU 0.500"
    assert lines[1].endswith("80 s left")


def test_tensorboard_gets_scalars_and_pictures(tmp_path: Path) -> None:
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with log(tmp_path, board=True) as opened:
        opened.add(row(10, **FIGURES))
        opened.show(Image.fromarray(np.zeros((4, 6, 3), np.uint8)), 10)
    events = board.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= {"training/loss", "validation/miou", "validation/iou Road"}
    assert "validation/iou Land" not in events.Tags()["scalars"]
    assert events.Tags()["images"] == ["predictions"]
