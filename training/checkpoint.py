"""Checkpoints of a run: written whole or not at all, and read without running code from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.config import TrainingConfig
from training.errors import TrainingError

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a run after ``step`` steps.

    Args:
        config: What the run is made of.
        step: Optimizer steps done.
        model: Weights being trained.
        average: Their moving average, which is evaluated and exported.
        optimizer: State of the optimizer.
        seconds: Time spent so far.
    """

    config: TrainingConfig
    step: int
    model: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    seconds: float


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; if that fails, an earlier one at ``path`` survives.

    Raises:
        TrainingError: if it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    content = {
        "version": _VERSION,
        "config": checkpoint.config.to_json(),
        "step": checkpoint.step,
        "model": checkpoint.model,
        "average": checkpoint.average,
        "optimizer": checkpoint.optimizer,
        "seconds": checkpoint.seconds,
    }
    try:
        with partial.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(f"The checkpoint {path} cannot be written: {error}.", "Free some space.") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing but tensors and plain values is accepted.

    Raises:
        TrainingError: if it is missing, damaged or of another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(f"The checkpoint {path} cannot be read: {error}.") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != _VERSION:
        raise TrainingError(f"{path} is no checkpoint of version {_VERSION}, but of {version}.")
    config = TrainingConfig.from_mapping(content.pop("config"))
    content.pop("version")
    return Checkpoint(config=config, **content)


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Fill a model.

    Raises:
        TrainingError: listing what differs, if the weights belong to another architecture.
    """
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise TrainingError(f"The checkpoint belongs to another network. {error}") from error
