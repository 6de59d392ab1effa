"""One process of a training run; ``torchrun`` starts several, the test reads what each wrote.

Usage: ``ddp_worker.py FOLDER DEVICES``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import training.loop.train
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import make_image
from training.config import ChipConfig, LossConfig, ModelConfig, OptimizerConfig, RunConfig, TrainingConfig
from training.data.chips import Batch
from training.data.splits import Split
from training.errors import TrainingError
from training.loop.train import Run


class Plain(SegmentationModel):
    """Convolutions without batch normalization, so that the number of processes makes no difference."""

    receptive_radius = 2

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.Dropout2d(0.1), nn.Conv2d(8, 5, 1))

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        return self.body(chips)


def digest(tensors: list[torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


def make_run(folder: Path, devices: int, accumulate: int) -> Run:
    """Return a run that writes into a folder of this process's own."""
    config = TrainingConfig(
        model=ModelConfig("unet", {}, False, gsd=1.0, window=64),
        chips=ChipConfig(size=32, batch=2),
        optimizer=OptimizerConfig(steps=12, warmup=1, rate=3e-2, average=0.9, accumulate=accumulate),
        loss=LossConfig(dice=0.0),
        run=RunConfig(accelerator="cpu", devices=devices, threads=1, epoch=6, log_every=3, pictures=1),
    )
    split = Split(tuple(make_image(number) for number in (1, 2)), tuple(make_image(n) for n in (3, 4, 5)), "")
    rank = os.environ.get("RANK", "0")
    return Run(config, split, DUBAI, folder / f"rank{rank}")


def train_and_report(run: Run) -> dict[str, Any]:
    """Train and return what was seen and what came out."""
    seen: list[str] = []
    take = run._ahead.take

    def note(step: int, part: int, following: tuple[int, int]) -> Batch:
        batch = take(step, part, following)
        seen.append(digest([batch.chips, batch.labels]))
        return batch

    run._ahead.take = note  # type: ignore[method-assign]
    run.go()
    weights, average = (digest(list(model.state_dict().values())) for model in (run.model, run.averaged))
    return {
        "seen": list(seen),
        "weights": weights,
        "average": average,
        "figures": run.figures,
        "world": run.fabric.world_size,
    }


def diverge(run: Run) -> str:
    """Return what this process says when the chips of the last one give no number."""
    loss = run.loss
    if run.fabric.global_rank == run.fabric.world_size - 1:
        run.loss = lambda logits, labels: loss(logits, labels) * torch.nan
    try:
        run._one_step()
    except TrainingError as error:
        return error.message.partition(". ")[0]
    return ""


def main() -> None:
    folder, devices = Path(sys.argv[1]), int(sys.argv[2])
    training.loop.train.make_model = lambda *arguments, **options: Plain()
    run = make_run(folder, devices, accumulate=1)
    report = {**train_and_report(run), "diverged": diverge(run)}
    (folder / f"report{run.fabric.global_rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
