"""Lengths of a training that a user chooses by a word, and their configurations."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dubai_landcover_plugin.protocol.requests.training import LENGTHS

from .config import ModelConfig, TrainingConfig, load_config


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a training.

    Args:
        steps: Optimizer steps.
        epoch: Steps between validations.
        patience: Validations without a better result after which it ends.
    """

    steps: int
    epoch: int
    patience: int


FINE_TUNING = dict(zip(LENGTHS, (Length(120, 40, 0), Length(400, 80, 3), Length(1500, 150, 4)), strict=True))
"""Lengths of a training that starts from a model."""
NEW = dict(zip(LENGTHS, (Length(300, 100, 0), Length(1200, 150, 4), Length(4000, 250, 6)), strict=True))
"""Lengths of the training of a new network."""
_WITH_ENCODER = "unet_efficientnet"  # has blocks that can be frozen
_WARMUP = 0.08  # share of the steps


def configuration(length: str, start: ModelConfig | None) -> TrainingConfig:
    """Return the configuration of a training: that of ``finetune`` with a start, else that of ``own``.

    Args:
        length: A key of :data:`FINE_TUNING`.
        start: Network of the model that it starts from; None for none.
    """
    config = load_config("own" if start is None else "finetune")
    chosen = (NEW if start is None else FINE_TUNING)[length]
    if start is not None and start.architecture != _WITH_ENCODER:
        config = replace(config, model=replace(config.model, frozen=0))
    optimizer = replace(config.optimizer, steps=chosen.steps, warmup=round(_WARMUP * chosen.steps))
    run = replace(config.run, epoch=chosen.epoch, patience=chosen.patience, tensorboard=False)
    return replace(config, split=replace(config.split, kind="auto"), optimizer=optimizer, run=run)
