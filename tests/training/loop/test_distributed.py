"""Two processes over gloo on the CPU, started as the documentation says; and one process that does their work."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import training.loop.train
from tests.training.loop.ddp_worker import Plain, make_run, train_and_report
from training.loop.checkpoint import LAST, load_checkpoint

ROOT = Path(__file__).parents[3]
WORKER = "tests.training.loop.ddp_worker"


def launch(arguments: list[str]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launch([*torchrun, "-m", "--", WORKER, str(folder), "2"])
    return folder


def reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("report*.json"))]


def test_two_processes_see_different_chips_and_end_with_equal_weights(pair: Path) -> None:
    first, second = reports(pair)
    assert first["world"] == second["world"] == 2
    assert len(first["seen"]) == len(second["seen"]) == 12
    assert not set(first["seen"]) & set(second["seen"])
    assert first["weights"] == second["weights"]
    assert first["average"] == second["average"]
    assert first["figures"] == second["figures"]
    assert first["figures"]["pixels"] == 3 * 96 * 80, "three images, two processes: each is counted once"


def test_only_the_first_process_writes(pair: Path) -> None:
    assert {path.name for path in (pair / "rank0").iterdir()} >= {LAST, "best.ckpt", "log.csv", "curves.png"}
    assert not (pair / "rank1").exists()


def test_the_loss_falls(pair: Path) -> None:
    with (pair / "rank0" / "log.csv").open() as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert len(losses) == 4
    assert losses[-1] < losses[0] - 0.2


def test_two_processes_do_what_one_does_that_accumulates_two_batches(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.loop.train, "make_model", lambda *arguments, **options: Plain())
    monkeypatch.delenv("RANK", raising=False)
    alone = train_and_report(make_run(tmp_path, devices=1, accumulate=2))
    first, second = reports(pair)
    assert alone["seen"] == [digest for both in zip(first["seen"], second["seen"], strict=True) for digest in both]
    one, two = (load_checkpoint(folder / "rank0" / LAST) for folder in (tmp_path, pair))
    for name, value in one.model.items():
        torch.testing.assert_close(two.model[name], value, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(two.average[name], one.average[name], rtol=1e-3, atol=1e-5)


def test_all_processes_stop_and_name_the_images_of_the_one_that_diverged(pair: Path) -> None:
    first, second = (report["diverged"] for report in reports(pair))
    assert first == second
    assert first.startswith("The loss is nan in step 13, with chips of image")
