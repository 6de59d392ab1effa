"""What moves the weights: AdamW, its learning rate, and the average of the weights on their way."""

from __future__ import annotations

import copy
import math
from typing import Generic, TypeVar

import torch
from torch import nn

from .config import OptimizerConfig, TrainingConfig

_Model = TypeVar("_Model", bound=nn.Module)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW; weights of a pretrained encoder get their own rate, biases and norms no decay.

    Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        encoder = config.model.pretrained and name.startswith("encoder.")
        rate = config.optimizer.encoder_rate if encoder else config.optimizer.rate
        if not parameter.requires_grad:
            continue
        decay = config.optimizer.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "top": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def learning_rate_factor(step: int, config: OptimizerConfig) -> float:
    """Return the share of the highest rate for a step: linear warm-up, then cosine decay to zero.

    With ``config.decay`` the rate stays constant and falls over the last steps alone, so that a run can be prolonged,
    or branched at any step into a short decay.

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


class WeightAverage(Generic[_Model]):
    """Exponential moving average of a model's weights and buffers.

    Source: Polyak & Juditsky 1992, https://doi.org/10.1137/0330046, in its exponential form.

    Args:
        model: What is averaged; the average starts as its copy.
        decay: Share of the old average kept at each step; less during the first steps.
    """

    def __init__(self, model: _Model, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for mean, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - keep)
            else:
                mean.copy_(new)
