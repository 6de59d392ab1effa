"""The training loop."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric

from dubai_landcover_plugin.core.io.files import atomic_path, write_text
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.ground_samples import GroundSamples
from dubai_landcover_plugin.protocol.json_values import DAMAGED
from dubai_landcover_plugin.protocol.monitor import Monitor, SilentMonitor
from dubai_landcover_plugin.protocol.translation import marked, tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

from ..bands import RGB, InputBands
from ..config import LossConfig, TrainingConfig
from ..data.chips import AheadSampler, Batch, ChipSampler, draw_scenes
from ..data.dataset import LabelledImage
from ..data.splits import Split
from ..errors import ConfigError, TrainingError
from ..memory_format import memory_format
from ..monitoring.curves import draw_curves
from ..monitoring.logs import LOG, Clock, Row, RunLog
from ..monitoring.snapshots import choose_places, draw_snapshot
from ..monitoring.validation import count_pixels, predict_labels, summarize, validate
from .checkpoint import BEST, LAST, START, Checkpoint, check_resumable, load_checkpoint, load_weights, save_checkpoint
from .comparison import UNITS, Candidate, candidates, compare, describe_comparison
from .further_bands import train_further
from .initialization import make_fabric, make_model, set_training_mode
from .losses import SumLoss, balanced_alpha
from .optimizer import average_weights, learning_rate_factor, make_optimizer, set_update_count
from .provenance import current_commit, describe_machine
from .start import Start, start_weights, without_classes

_CROP = 256  # side of the crops in the picture of an epoch, px


class Run:
    """A training run and its folder.

    Every process of a distributed run creates one. Only the process with rank 0 writes: ``last.ckpt``, ``best.ckpt``,
    ``start.ckpt`` (with a start), ``log.csv``, ``config.json``, ``validation.json``, ``pictures``, ``tensorboard`` and
    ``curves.png``.

    Args:
        config: Configuration of the run.
        split: Training and validation images.
        scheme: Classes of the labels.
        folder: Folder of the run.
        resume: Continue from ``last.ckpt`` if it exists.
        start: Trained weights to start from; None for new weights.
        title: Description of the dataset for model cards, one sentence.
        fabric: Launched devices; None for those of ``config``.
        report: Receives lines of text on the progress.
        bands: Bands of the images, as the model file will name them.
        values: Pixel values of the training images for the model file; None if unknown.
        ground: Samples of their ground for the model file; None if unknown.
        scenes: Synthetic scenes; None draws those of the configuration.
        monitor: Receives progress; may cancel a run of one process, which then ends after a step as if it were
            interrupted, with its last state saved. None: no progress, no cancellation.

    Raises:
        TrainingError: if the folder already contains a run, or it cannot be resumed with this configuration.
    """

    def __init__(
        self,
        config: TrainingConfig,
        split: Split,
        scheme: ClassScheme,
        folder: str | Path,
        resume: bool = False,
        start: Start | None = None,
        title: str = "",
        fabric: Fabric | None = None,
        report: Callable[[str], None] = print,
        bands: InputBands = RGB,
        values: ValueStatistics | None = None,
        ground: GroundSamples | None = None,
        scenes: Sequence[LabelledImage] | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.config, self.split, self.scheme, self.bands = config, split, scheme, bands
        self.values, self.ground = values, ground
        self.folder, self.title = Path(folder), title
        self.fabric = fabric or make_fabric(config.run)
        self.report = report if self.fabric.is_global_zero else _ignore
        self._monitor = monitor or SilentMonitor()
        checkpoint = self._find_checkpoint(resume)
        fresh = checkpoint is None and start is None
        torch.manual_seed(config.run.seed)  # equal initial weights in every process
        self.model = make_model(config, len(scheme.classes), config.model.pretrained and fresh, bands)
        self.started_from = start.name if start is not None else ""
        self.new_classes: tuple[str, ...] = ()
        if start is not None and checkpoint is None:
            self.new_classes = start_weights(self.model, start, scheme, self.report, bands)
        set_training_mode(self.model, config.model.frozen, config.model.freeze_norms)
        new = train_further(self.model, start.weights, start.bands, bands) if start is not None else set()
        self.average = average_weights(self.model, config.optimizer.average)
        self.averaged = cast(SegmentationModel, self.average.module)
        self.optimizer = make_optimizer(self.model, config, new)
        self._wrapped, self._wrapped_optimizer = self.fabric.setup(self.model, self.optimizer)
        self._memory_format = memory_format(self.model)  # of chips, on the device of the network
        self.averaged.to(self.fabric.device)
        self.loss = SumLoss(config.loss, self._alpha(config.loss)).to(self.fabric.device)
        self.standardize = Standardize(bands.mean, bands.std)
        if scenes is None:
            scenes = draw_scenes(config.data, scheme, config.model.gsd)
        self.sampler = ChipSampler(
            split.training,
            config.chips,
            config.run.seed,
            scenes,
            config.data.scene_share,
            config.optimizer.steps,
            {source.name: source.weight for source in config.sources},
        )
        self._ahead = AheadSampler(self.sampler.batch)
        self.places = choose_places(split.validation or split.training, config.run.pictures, _CROP)
        self.step, self.seconds, self.stale = 0, 0.0, 0
        self.best: float | None = None
        self.figures: dict[str, Any] = {}  # validation at this step
        self.comparison: dict[str, Any] = {}
        self.losses: list[float] = []  # since the last row of the log
        self.origin = describe_machine(), current_commit()
        if checkpoint is not None:
            self._restore(checkpoint)

    def _find_checkpoint(self, resume: bool) -> Checkpoint | None:
        path = self.folder / LAST
        if not path.is_file():
            return None
        if not resume:
            raise TrainingError(
                f"The folder {self.folder} already contains a run.",
                "Continue it with --resume, or choose another folder.",
            )
        checkpoint = load_checkpoint(path)
        check_resumable(checkpoint, self.config, self.scheme, self.report)
        if checkpoint.input_bands.scaling != self.bands.scaling:
            raise TrainingError(
                tr(
                    "The bands of the training images have other values than those of the checkpoint: their statistics "
                    "differ."
                ),
                tr("Use the data of that run, or start a new one."),
                "A new run can start from its weights: --start-from.",
            )
        if checkpoint.split != self.split.description:
            self.report(tr("The split differs from that of the checkpoint: {split}", split=checkpoint.split))
        return checkpoint

    def _restore(self, checkpoint: Checkpoint) -> None:
        load_weights(self.model, checkpoint.model)
        load_weights(self.averaged, checkpoint.average)
        try:
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (*DAMAGED, RuntimeError) as error:
            raise TrainingError(
                tr(
                    "The optimizer state of {path} does not fit: {error}.",
                    path=self.folder / LAST,
                    error=f"{type(error).__name__}: {error}",
                ),
                tr("Start a new run."),
                f"It can start from its weights: --start-from {self.folder / LAST}.",
            ) from error
        set_update_count(self.average, checkpoint.step)
        self.step, self.seconds, self.figures = checkpoint.step, checkpoint.seconds, checkpoint.figures
        self.best, self.stale, self.losses = checkpoint.best, checkpoint.stale, list(checkpoint.losses)
        self.started_from, self.new_classes = checkpoint.started_from, tuple(checkpoint.new_classes)

    def _alpha(self, config: LossConfig) -> tuple[float, ...] | None:
        if config.alpha != "balanced":
            if config.alpha and len(config.alpha) != len(self.scheme.classes):
                raise ConfigError(
                    f"loss.alpha has {len(config.alpha)} weights, the data have {len(self.scheme.classes)} classes: "
                    f"{', '.join(entry.name for entry in self.scheme.classes)}.",
                    "Give one weight per class in this order, or 'balanced'.",
                )
            return None
        alpha = balanced_alpha(self.split.training, len(self.scheme.classes))
        listed = ", ".join(
            f"{entry.name} {weight:.2f}" for entry, weight in zip(self.scheme.classes, alpha, strict=True)
        )
        self.report(tr("Class weights of the focal loss: {listed}", listed=listed))
        return alpha

    def go(self, until: int | None = None) -> None:
        """Train up to the configured number of steps, or to step ``until``, with validation, logs and checkpoints.

        Raises:
            TrainingError: if the loss or a gradient is not finite, or a file cannot be written; the last checkpoint
                remains.
        """
        config, steps = self.config.run, self.config.optimizer.steps
        end = min(until or steps, steps)
        started = time.monotonic() - self.seconds
        with self._open_log() as log:
            # a start without any class of the data predicts nothing that could be compared
            known = len(self.new_classes) < len(self.scheme.classes)
            if self.step == 0 and self.started_from and known and self.split.validation:
                self._validate_start(log)
            clock = Clock(self.config.chips.batch * self.config.optimizer.accumulate * self.fabric.world_size)
            while self.step < end and not self._stalled() and not self._monitor.cancelled():
                self.losses.append(self._one_step())
                self.step += 1
                self.seconds = time.monotonic() - started
                speed = clock.tick()
                log.tick(self.losses[-1], speed)
                self._monitor.report(self.step, steps, self._progress())
                epoch_ends = self.step % config.epoch == 0 or self.step == steps
                self.figures = self._validate() if epoch_ends else {}
                if epoch_ends or self.step % config.log_every == 0:
                    self._write_row(log, speed)
                if epoch_ends:
                    self._end_epoch(log)
                elif self.step == end or (config.save_every and self.step % config.save_every == 0):
                    self._save(LAST)
                if not self.losses:  # cleared when a row was written
                    clock.restart()
            if self._monitor.cancelled() and self.step < end:
                self._save(LAST)
            self._finish(log)

    def _progress(self) -> str:
        step, loss = self.step, self.losses[-1]
        if self.best is None:
            return tr("step {step}, loss {loss:.3f}", step=step, loss=loss)
        return tr("step {step}, loss {loss:.3f}, validation {best:.3f}", step=step, loss=loss, best=self.best)

    def _open_log(self) -> RunLog:
        writes = self.fabric.is_global_zero
        with self._writing():
            if writes:
                text = json.dumps(self.config.to_json(), indent=2)
                write_text(self.folder / "config.json", text, make_folders=True)
            names = [entry.name for entry in self.scheme.classes]
            run = self.config.run
            return RunLog(
                self.folder, names, self.step, self.config.optimizer.steps, run.tensorboard, self.report, writes
            )

    def _write_row(self, log: RunLog, speed: float) -> None:
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        epoch = -(-self.step // self.config.run.epoch)
        loss = sum(self.losses) / len(self.losses)
        with self._writing():
            log.add(Row(self.step, epoch, loss, rate, speed, self.seconds, self.figures))
        self.losses.clear()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Convert an OSError, such as a full disk, to a TrainingError with a remedy."""
        try:
            yield
        except OSError as error:
            raise TrainingError(
                tr("The run cannot write to {folder}: {error}.", folder=self.folder, error=error),
                tr("Free some space; the training can then be resumed from its last checkpoint."),
                "Resume it with --resume.",
            ) from error

    def _one_step(self) -> float:
        """Do one optimizer step and return the loss, averaged over all processes."""
        config = self.config.optimizer
        factor = learning_rate_factor(self.step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * factor
        losses: list[torch.Tensor] = []
        names: list[str] = []
        for turn in range(config.accumulate):
            batch, part = self._next_batch(turn)
            names += batch.names
            torch.manual_seed(_seed(self.config.run.seed, self.step, part))  # dropout
            chips, labels = self.fabric.to_device((batch.chips, batch.labels))
            chips = self.standardize(chips).contiguous(memory_format=self._memory_format)
            with self.fabric.no_backward_sync(self._wrapped, enabled=turn + 1 < config.accumulate):
                loss = self._loss(chips, labels)
                self.fabric.backward(loss / config.accumulate)
            losses.append(loss.detach())
        value = self._checked(torch.stack(losses), names)
        self._clip(names)
        self._wrapped_optimizer.step()
        self._wrapped_optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.model)
        return value

    def _loss(self, chips: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # Labels are subsampled to the output stride. Chips have random orientations, so taking the upper-left label of
        # each cell causes no shift on average.
        stride = self.model.output_stride if self.config.loss.coarse else 1
        logits = self._wrapped(chips, coarse=self.config.loss.coarse)
        return cast(torch.Tensor, self.loss(logits.float(), labels[:, ::stride, ::stride]))

    def _next_batch(self, turn: int) -> tuple[Batch, int]:
        """Return the batch of this process in an accumulation turn, and its index among all batches of the step."""
        world, rank = self.fabric.world_size, self.fabric.global_rank
        part = turn * world + rank
        last = turn + 1 == self.config.optimizer.accumulate
        following = (self.step + 1, rank) if last else (self.step, part + world)
        return self._ahead.take(self.step, part, following), part

    def _checked(self, losses: torch.Tensor, names: list[str]) -> float:
        """Return the mean loss of all processes.

        Raises:
            TrainingError: in every process, if the loss of any is not finite.
        """
        table = torch.zeros(self.fabric.world_size, len(losses), device=losses.device)  # (processes, turns)
        table[self.fabric.global_rank] = losses
        values = cast(torch.Tensor, self.fabric.all_reduce(table, reduce_op="sum")).tolist()
        for rank, row in enumerate(values):
            wrong = [value for value in row if not math.isfinite(value)]
            if wrong:
                text = marked("The loss is {value} in step {step}, with chips of {names}.")
                raise self._diverged(text, self.fabric.broadcast(names, src=rank), wrong[0])
        return float(np.mean(values))

    def _clip(self, names: list[str]) -> None:
        # in float16 the scaler skips steps with overflowing gradients; otherwise they would corrupt the weights
        strict = self.config.run.precision != "16-mixed"
        try:
            self.fabric.clip_gradients(
                self._wrapped,
                self._wrapped_optimizer,
                max_norm=self.config.optimizer.clip,
                error_if_nonfinite=strict,
            )
        except RuntimeError as error:
            if "non-finite" not in str(error):
                raise
            text = marked("A gradient is not finite in step {step}, with chips of {names}.")
            raise self._diverged(text, names) from error

    def _diverged(self, symptom: str, names: list[str], value: float = 0.0) -> TrainingError:
        path, listed = self.folder / LAST, ", ".join(sorted(set(names)))
        symptom = tr(symptom, step=self.step + 1, names=listed, value=value)
        kept = tr("{path} is unchanged.", path=path) if path.is_file() else tr("There is no checkpoint yet.")
        return TrainingError(
            f"{symptom} {kept}",
            tr("Check these images and their labels."),
            "Or lower optimizer.rate, or set run.precision to 32-true.",
        )

    def _validate(self) -> dict[str, Any]:
        """Return the metrics of the averaged weights on the validation images; empty without validation images."""
        if not self.split.validation:
            return {}
        if self.fabric.world_size > 1:  # statistics of norms differ between processes: those of rank 0 are used
            for value in self.averaged.state_dict().values():
                torch.distributed.broadcast(value, 0)
        return validate(
            self.averaged,
            self.standardize,
            self.split.validation,
            [entry.name for entry in self.scheme.classes],
            self.config.model.window,
            self.fabric,
        )

    def _validate_start(self, log: RunLog) -> None:
        """Validate the initial weights, which are the best ones until an epoch is better."""
        trained = _copied(self.averaged)
        self.averaged.load_state_dict(without_classes(trained, self._new_rows()))
        self.figures = self._validate()
        self.best = self.figures["miou"]
        with self._writing():
            log.add(Row(0, 0, None, 0.0, 0.0, self.seconds, self.figures))
        self._save(START)
        self._save(BEST)
        self.averaged.load_state_dict(trained)
        self.figures = {}

    def _new_rows(self) -> list[int]:
        return [row for row, entry in enumerate(self.scheme.classes) if entry.name in self.new_classes]

    def _compare(self, log: RunLog) -> None:
        """Compare the result with the start on the validation images, and keep the better one in ``best.ckpt``."""
        self.fabric.barrier()  # the files are written by the process with rank 0
        start, best = (load_checkpoint(self.folder / name) for name in (START, BEST))
        last, device = _copied(self.averaged), self.fabric.device
        epoch = None
        if 0 < best.step < self.step and not best.comparison:
            epoch = Candidate(tr("result after step {step}", step=best.step), 1.0, best.step, best.average)
        tried = candidates(
            {name: value.to(device) for name, value in start.average.items()},
            last,
            self.step,
            self.config.start.alphas,
            self._new_rows(),
            epoch,
        )
        images = self.split.validation
        units = min(len(images), UNITS)
        names = [entry.name for entry in self.scheme.classes]

        def count(candidate: Candidate) -> Any:
            self.averaged.load_state_dict(dict(candidate.weights))
            window = self.config.model.window
            return count_pixels(self.averaged, self.standardize, images, len(names), window, self.fabric, units)

        found, kept, figures, lines = compare(
            tried,
            count,
            lambda counts: summarize(counts, images, names),
            self.started_from,
            self.new_classes,
            len(images),
            _part_names(images, units),
        )
        self.averaged.load_state_dict(last)
        self.comparison = found.to_json()
        for line in (tr("Compared on the held-out images:"), *lines, describe_comparison(self.comparison)):
            log.write_line(line)
        if self.fabric.is_global_zero:
            average = {name: value.cpu() for name, value in kept.weights.items()}
            state = replace(self.checkpoint(), step=kept.step, average=average, figures=figures)
            save_checkpoint(self.folder / BEST, state)
            self._write_validation(kept.step, figures)

    def _write_validation(self, step: int, figures: dict[str, Any]) -> None:
        content = {"step": step, "split": self.split.description, **figures}
        if self.comparison:
            content["start"] = self.comparison
        with self._writing():
            write_text(self.folder / "validation.json", json.dumps(content, indent=2), make_folders=True)

    def _end_epoch(self, log: RunLog) -> None:
        """Update the best metric, save checkpoints and draw the picture."""
        miou = self.figures.get("miou")
        better = miou is not None and (self.best is None or miou > self.best)
        self.best = miou if better else self.best
        self.stale = 0 if better or not self.figures else self.stale + 1
        if better:
            self._save(BEST)
        self._save(LAST)
        if not self.fabric.is_global_zero:
            return
        if self.figures:
            self._write_validation(self.step, self.figures)
        if self.places:
            with self._writing():
                self._draw(log)

    def _draw(self, log: RunLog) -> None:
        def predict(pixels: Any) -> Any:
            return predict_labels(self.averaged, self.standardize, pixels, self.config.model.window)

        where = "validation images" if self.split.validation else "training images"
        title = f"Step {self.step}, {where}"
        if self.figures:
            title += f": accuracy {self.figures['accuracy']}, mean IoU {self.figures['miou']} over all images"
        picture = draw_snapshot(self.places, predict, self.scheme, title)
        (self.folder / "pictures").mkdir(exist_ok=True)
        with atomic_path(self.folder / "pictures" / f"step_{self.step:06d}.png") as partial:
            picture.save(partial)
        log.show(picture, self.step)

    def _stalled(self) -> bool:
        return bool(self.config.run.patience) and self.stale >= self.config.run.patience

    def _finish(self, log: RunLog) -> None:
        if self._stalled() and self.best is not None:
            log.write_line(
                tr(
                    "Stopped at step {step}: no better mean IoU for {stale} epochs (best {best:.4f}).",
                    step=self.step,
                    stale=self.stale,
                    best=self.best,
                )
            )
        ended = self._stalled() or self.step == self.config.optimizer.steps
        if ended and self.started_from and (self.folder / START).is_file():
            self._compare(log)
        if ended and self.fabric.is_global_zero:
            with self._writing():
                draw_curves(self.folder / LOG, self.folder / "curves.png")
        self.fabric.barrier()

    def checkpoint(self) -> Checkpoint:
        """Return the state of the run."""
        return Checkpoint(
            self.config,
            self.step,
            self.model.state_dict(),
            self.averaged.state_dict(),
            self.optimizer.state_dict(),
            self.seconds,
            self.scheme,
            self.title,
            self.split.description,
            self.figures,
            self.best,
            self.stale,
            tuple(self.losses),
            self.started_from,
            *self.origin,
            self.bands.names,
            self.bands.numbers,
            self.values.to_json() if self.values else None,
            self.new_classes,
            self.comparison,
            self.ground.to_json() if self.ground else None,
            self.bands.scaling.to_json() if self.bands.scaling else None,
            self.bands.mean,
            self.bands.std,
        )

    def _save(self, name: str) -> None:
        if self.fabric.is_global_zero:
            save_checkpoint(self.folder / name, self.checkpoint())


def _copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _part_names(images: Sequence[LabelledImage], parts: int) -> list[str]:
    """Return the first and last image of each part of :func:`.count_pixels`."""
    owners = np.arange(len(images)) * parts // max(len(images), 1)
    ends = [np.flatnonzero(owners == part)[[0, -1]] for part in range(parts)]
    return [" – ".join(dict.fromkeys(images[index].name for index in pair)) for pair in ends]


def _seed(run: int, step: int, part: int) -> int:
    return int(np.random.SeedSequence((run, step, part)).generate_state(1)[0])


def _ignore(text: str) -> None:
    pass
