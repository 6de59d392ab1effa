"""The training loop."""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from dubai_landcover_plugin.core.classes import DUBAI
from dubai_landcover_plugin.core.models import build_model
from dubai_landcover_plugin.core.models.unet_efficientnet import UNetEfficientNet
from dubai_landcover_plugin.core.preprocessing import Standardize
from training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from training.chips import ChipSampler, draw_scenes
from training.config import OptimizerConfig, TrainingConfig
from training.data import LabelledImage, find_pairs, load_image
from training.errors import TrainingError
from training.evaluate import evaluate_images, total
from training.losses import SumLoss
from training.pretrained import MEAN, STD, load_imagenet_weights

CHECKPOINT = "last.ckpt"
_COLUMNS = ("step", "loss", "rate", "seconds", "accuracy", "miou")


class WeightAverage:
    """Exponential moving average of a model's weights and buffers.

    Source: Polyak & Juditsky 1992, https://doi.org/10.1137/0330046, in its exponential form.

    Args:
        model: What is averaged; the average starts as its copy.
        decay: Share of the old average kept at each step; less during the first steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
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


def learning_rate_factor(step: int, config: OptimizerConfig) -> float:
    """Return the share of the highest rate for a step: linear warm-up, then cosine decay to zero."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    done = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def load_split(
    root: str | Path, validate_tiles: Sequence[int], say: Callable[[str], None] = print
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Return the images to train on and those to validate on, decoded; unlabelled ones are listed and left out."""
    pairs = find_pairs(root)
    unlabelled = [pair.name for pair in pairs if pair.mask is None]
    if unlabelled:
        say(f"{len(unlabelled)} of {len(pairs)} images have no mask and are left out: {', '.join(unlabelled)}")
    labelled = [pair for pair in pairs if pair.mask is not None]
    training = [load_image(pair) for pair in labelled if pair.tile not in validate_tiles]
    validation = [load_image(pair) for pair in labelled if pair.tile in validate_tiles]
    say(f"{len(training)} images to train on, {len(validation)} to validate on")
    return training, validation


def make_model(config: TrainingConfig, pretrained: bool) -> nn.Module:
    """Return the network of a configuration, with ImageNet weights if asked for.

    Raises:
        TrainingError: if the architecture has no encoder that takes them.
    """
    model = build_model(config.model.spec(len(DUBAI.classes)))
    if pretrained:
        if not isinstance(model, UNetEfficientNet):
            raise TrainingError(f"{config.model.architecture} has no ImageNet weights.", "Set pretrained = false.")
        load_imagenet_weights(model.encoder)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW; weights of a pretrained encoder get their own rate, biases and norms no decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        encoder = config.model.pretrained and name.startswith("encoder.")
        rate = config.optimizer.encoder_rate if encoder else config.optimizer.rate
        decay = config.optimizer.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "top": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


class Run:
    """A training run in a folder: ``last.ckpt``, ``log.csv``, ``config.json`` and ``validation.json``.

    Args:
        config: What the run is made of.
        training: Images to train on.
        validation: Images to validate on; may be empty.
        folder: Where everything goes.
        resume: Go on from ``last.ckpt`` if there is one.
        start_from: Checkpoint of another run whose averaged weights are the start, or None.
    """

    def __init__(
        self,
        config: TrainingConfig,
        training: Sequence[LabelledImage],
        validation: Sequence[LabelledImage],
        folder: str | Path,
        resume: bool = False,
        start_from: str | Path | None = None,
    ) -> None:
        self.config, self.validation, self.folder = config, validation, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        torch.manual_seed(config.run.seed)
        self.fabric = Fabric(accelerator=config.run.accelerator, devices=1, precision=config.run.precision)
        self.fabric.launch()
        checkpoint = load_checkpoint(self.folder / CHECKPOINT) if resume and self._exists() else None
        self.model = make_model(config, pretrained=config.model.pretrained and checkpoint is None)
        if start_from is not None and checkpoint is None:
            load_weights(self.model, load_checkpoint(Path(start_from)).average)
        self.average = WeightAverage(self.model, config.optimizer.average)
        self.optimizer = make_optimizer(self.model, config)
        self.step, self._earlier = 0, 0.0
        if checkpoint is not None:
            self._restore(checkpoint)
        self._wrapped, self._wrapped_optimizer = self.fabric.setup(self.model, self.optimizer)
        self.average.model.to(self.fabric.device)
        self.loss = SumLoss(config.loss).to(self.fabric.device)
        self.standardize = Standardize(MEAN, STD)
        self.sampler = ChipSampler(
            training, config.chips, config.run.seed, draw_scenes(config.data), config.data.scene_share
        )
        (self.folder / "config.json").write_text(json.dumps(config.to_json(), indent=2), encoding="utf-8")

    def _exists(self) -> bool:
        return (self.folder / CHECKPOINT).is_file()

    def _restore(self, checkpoint: Checkpoint) -> None:
        if checkpoint.step > self.config.optimizer.steps:
            raise TrainingError(f"The checkpoint has {checkpoint.step} steps, the run {self.config.optimizer.steps}.")
        load_weights(self.model, checkpoint.model)
        load_weights(self.average.model, checkpoint.average)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.step, self._earlier = checkpoint.step, checkpoint.seconds

    def go(self, until: int | None = None, say: Callable[[str], None] = print) -> None:
        """Train until ``until`` steps or the configured end, logging, saving and validating on the way.

        Raises:
            TrainingError: if the loss is no finite number; the last checkpoint stays.
        """
        config, started = self.config.run, time.monotonic() - self._earlier
        end = min(until or self.config.optimizer.steps, self.config.optimizer.steps)
        self.model.train()
        recent: list[float] = []
        while self.step < end:
            recent.append(self._one_step())
            self.step += 1
            seconds = time.monotonic() - started
            finished = self.step == end
            figures: dict[str, Any] = {}
            if self.validation and (finished or (config.validate_every and self.step % config.validate_every == 0)):
                figures = self._validate()
            if finished or self.step % config.save_every == 0:
                self._save(seconds)
            if finished or figures or self.step % config.log_every == 0:
                self._log(sum(recent) / len(recent), seconds, figures, say)
                recent.clear()

    def _one_step(self) -> float:
        factor = learning_rate_factor(self.step, self.config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * factor
        chips, labels = self.fabric.to_device(self.sampler.batch(self.step, self.fabric.global_rank))
        chips = self.standardize(chips).contiguous(memory_format=torch.channels_last)
        loss = self.loss(self._wrapped(chips).float(), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"The loss is {value} at step {self.step}.", "Lower the learning rate.")
        self._wrapped_optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self._wrapped, self._wrapped_optimizer, max_norm=self.config.optimizer.clip)
        self._wrapped_optimizer.step()
        self.average.update(self.model, self.step)
        return value

    def _validate(self) -> dict[str, Any]:
        classes = len(DUBAI.classes)
        results = evaluate_images(self.average.model, self.standardize, self.validation, classes)
        figures = total(results, classes).to_json([entry.name for entry in DUBAI.classes])
        text = json.dumps({"step": self.step, **figures}, indent=2)
        (self.folder / "validation.json").write_text(text, encoding="utf-8")
        return figures

    def _save(self, seconds: float) -> None:
        save_checkpoint(
            self.folder / CHECKPOINT,
            Checkpoint(
                self.config,
                self.step,
                self.model.state_dict(),
                self.average.model.state_dict(),
                self.optimizer.state_dict(),
                seconds,
            ),
        )

    def _log(self, loss: float, seconds: float, figures: dict[str, Any], say: Callable[[str], None]) -> None:
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        row = (self.step, f"{loss:.5f}", f"{rate:.3g}", f"{seconds:.0f}", figures.get("accuracy"), figures.get("miou"))
        path = self.folder / "log.csv"
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if stream.tell() == 0:
                writer.writerow(_COLUMNS)
            writer.writerow(row)
        say("  ".join(f"{name} {value}" for name, value in zip(_COLUMNS, row, strict=True) if value is not None))
