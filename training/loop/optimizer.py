"""AdamW, the learning rate schedule and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..config import OptimizerConfig, TrainingConfig

_Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


def make_optimizer(model: nn.Module, config: TrainingConfig, new: Collection[str] = ()) -> torch.optim.AdamW:
    """Return AdamW with a separate rate for a pretrained encoder and no weight decay on biases and norms.

    Args:
        model: The network.
        config: Rates and weight decay.
        new: Names of parameters with filters of further bands: trained at the rate of the output layer, without weight
            decay, which would change the filters beside them.

    Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        encoder = config.model.pretrained and name.startswith(f"{model.convolutions}.")
        rate = config.optimizer.encoder_rate if encoder else config.optimizer.rate
        if (name in new or name.startswith("head.")) and config.optimizer.head_rate:
            rate = config.optimizer.head_rate
        if not parameter.requires_grad:
            continue
        decay = config.optimizer.weight_decay if parameter.ndim > 1 and name not in new else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "top": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def learning_rate_factor(step: int, config: OptimizerConfig) -> float:
    """Return the learning rate of a step as a share of the peak rate, 0..1.

    After a linear warm-up the rate follows a cosine to zero. With ``config.decay`` it stays constant and falls to zero
    over the last ``config.decay`` steps (trapezoid schedule): such a run can be prolonged, or branched at any step into
    a short decay.

    Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, without restarts; Hägele et al. 2024,
    https://arxiv.org/abs/2405.18392, for the constant rate with a decay of one minus the square root.
    """
    if step < config.warmup:
        return (step + 1) / config.warmup
    if config.decay:
        begun = max(step - (config.steps - config.decay), 0)
        return 1 - math.sqrt(min(begun / config.decay, 1.0))
    done = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def average_weights(model: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a model's parameters and buffers; it starts as a copy of them.

    The model itself counts as the first of the averaged states, so that after ``n`` updates the decay is
    ``min(decay, (n + 1) / (n + 10))``: the random initial weights fade quickly.

    Source: Polyak & Juditsky 1992, https://doi.org/10.1137/0330046, in its exponential form.

    Args:
        model: Model to average.
        decay: Share of the earlier average that each update keeps, 0..1.
    """

    def update(averaged: _Tensors, current: _Tensors, count: torch.Tensor | int) -> None:
        if not torch.is_floating_point(averaged[0]):  # counters of batch normalization
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(value)
            return
        updates = int(count)
        ema = get_ema_multi_avg_fn(min(decay, updates / (updates + 9)))  # type: ignore[no-untyped-call]
        ema(averaged, current, count)

    average = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    set_update_count(average, 0)
    return average.eval().requires_grad_(False)


def set_update_count(average: AveragedModel, updates: int) -> None:
    """Set the number of updates that an average has seen, which determines its decay."""
    average.n_averaged.fill_(updates + 1)
