"""How long a run will take, from a few steps and a prediction that change nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from ..data.chips import AheadSampler
from ..memory_format import memory_format
from ..monitoring.validation import predict_labels
from .train import Run

_STEPS = 4  # the first one is slower, and others while another program takes the processor
_CROP = 512  # px, side of the part of an image that is predicted


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected time of a run.

    Args:
        step: Time of an optimizer step, s.
        validation: Time of a prediction of all held-out images, s.
        steps: Steps that remain.
        validations: Validations that remain, those of the comparison at the end included.
    """

    step: float
    validation: float
    steps: int
    validations: int

    @property
    def minutes(self) -> float:
        """The whole time, min."""
        return (self.step * self.steps + self.validation * self.validations) / 60


def estimate(run: Run) -> Estimate:
    """Return the expected time of the rest of a run; its weights and statistics are those of before.

    Args:
        run: A run of one process.
    """
    config = run.config
    buffers = {name: value.clone() for name, value in run.model.named_buffers()}
    ahead = AheadSampler(run.sampler.batch)  # draws beside the network, as in the run
    stride = run.model.output_stride if config.loss.coarse else 1
    seconds: list[float] = []
    for step in range(_STEPS):
        started = time.perf_counter()
        batch = ahead.take(step, 0, (step + 1, 0))
        chips, labels = run.fabric.to_device((batch.chips, batch.labels))
        chips = run.standardize(chips).contiguous(memory_format=memory_format(run.model))
        logits = run.model(chips, coarse=config.loss.coarse)
        run.loss(logits.float(), labels[:, ::stride, ::stride]).backward()
        seconds.append(time.perf_counter() - started)
    run.model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, value in run.model.named_buffers():
            value.copy_(buffers[name])
    left = max(config.optimizer.steps - run.step, 0)
    compared = 2 + len(config.start.alphas) + 1 if run.started_from else 0  # start twice, interpolations, result
    return Estimate(
        step=min(seconds) * config.optimizer.accumulate,
        validation=_validation_seconds(run),
        steps=left,
        validations=(-(-left // config.run.epoch) + compared) if run.split.validation else 0,
    )


def _validation_seconds(run: Run) -> float:
    """Return the time of a prediction of all held-out images, s, from a part of the first one."""
    images = run.split.validation
    if not images:
        return 0.0
    pixels = images[0].pixels[:_CROP, :_CROP]
    started = time.perf_counter()
    predict_labels(run.averaged, run.standardize, pixels, run.config.model.window)
    seconds = time.perf_counter() - started
    total = sum(image.labels.size * image.scale[0] * image.scale[1] for image in images)
    return float(seconds * total / (pixels.shape[0] * pixels.shape[1]))
