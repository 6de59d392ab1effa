"""Checkpoints of a run, written atomically and read without executing pickled code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from dubai_landcover_plugin.core.io.files import atomic_path
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.failures import one_line
from dubai_landcover_plugin.protocol.ground_samples import GroundSamples
from dubai_landcover_plugin.protocol.json_values import DAMAGED
from dubai_landcover_plugin.protocol.translation import marked, tr
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics

from ..bands import InputBands
from ..config import TrainingConfig
from ..data.names import listing
from ..errors import TrainingError

LAST, BEST, START = "last.ckpt", "best.ckpt", "start.ckpt"
_VERSION = 2
_DUBAI_TITLE = (
    "Semantic segmentation of aerial imagery, Humans in the Loop with the Mohammed Bin Rashid Space Centre, CC0 1.0"
)
_LISTED = 8
_Statistics = TypeVar("_Statistics", ValueStatistics, GroundSamples)
_MOVED_SCENES = {"tests.scenes:draw_scene": ".synthetic.scenes:draw_scene"}  # names in older checkpoints


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a run after ``step`` steps, with the provenance that an exported model file needs.

    Args:
        config: Configuration of the run.
        step: Optimizer steps done.
        model: Weights being trained.
        average: Moving average of the weights, which is validated and exported.
        optimizer: State of the optimizer.
        seconds: Wall time so far, s.
        scheme: Classes in the order of the network's outputs.
        title: Description of the dataset, one sentence; empty if unknown.
        split: Description of the split; empty if unknown.
        figures: Validation of ``average`` at this step, as :meth:`Confusion.to_json` returns it; empty without one.
        best: Best mean IoU of the run so far, or None.
        stale: Epochs since the best one.
        losses: Losses since the last row of the log.
        machine: Description of the hardware; empty if unknown.
        commit: Commit of the code; empty if unknown.
        started_from: Name of the file with the initial weights; empty if there was none.
        new_classes: Classes that the initial weights do not have.
        comparison: Comparison with the start, as :meth:`.Comparison.to_json` returns it; empty before the end of the
            run and without a start.
        bands: Names of the bands in the order of the network's inputs, see :class:`.InputBands`; empty in checkpoints
            of earlier versions, of which the configuration has the numbers.
        band_numbers: Their numbers in the training rasters; may be empty.
        values: Pixel values of the training images, as :meth:`ValueStatistics.to_json` returns them; None in
            checkpoints of earlier versions.
        ground: Samples of their ground, as :meth:`GroundSamples.to_json` returns them; None in checkpoints of earlier
            versions, or if the images are too few.
        scaling: Values of the bands that become 0 and 255, as :meth:`BandScaling.to_json` returns them; None for images
            that are stretched to 8 bits.
        mean: Mean of each band with which pixels are standardized, on the scale 0..1; empty in checkpoints of earlier
            versions, for 0.5.
        std: Standard deviation likewise.
        version: Version of the file format.
    """

    config: TrainingConfig
    step: int
    model: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    seconds: float
    scheme: ClassScheme = DUBAI
    title: str = ""
    split: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    best: float | None = None
    stale: int = 0
    losses: tuple[float, ...] = ()
    started_from: str = ""
    machine: str = ""
    commit: str = ""
    bands: tuple[str, ...] = ()
    band_numbers: tuple[int, ...] = ()
    values: dict[str, Any] | None = None
    new_classes: tuple[str, ...] = ()
    comparison: dict[str, Any] = field(default_factory=dict)
    ground: dict[str, Any] | None = None
    scaling: dict[str, Any] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    version: int = _VERSION

    @property
    def value_statistics(self) -> ValueStatistics | None:
        """Pixel values of the training images.

        Raises:
            TrainingError: if they are damaged.
        """
        return self._statistics(ValueStatistics, self.values)

    @property
    def ground_samples(self) -> GroundSamples | None:
        """Samples of the ground of the training images.

        Raises:
            TrainingError: if they are damaged.
        """
        return self._statistics(GroundSamples, self.ground)

    @staticmethod
    def _statistics(kind: type[_Statistics], value: dict[str, Any] | None) -> _Statistics | None:
        try:
            return None if value is None else kind.from_json(value)
        except DAMAGED as error:
            raise TrainingError(
                tr(
                    "The statistics of the training images in the checkpoint are damaged: {error}.",
                    error=one_line(error),
                ),
                tr("Give the {last} or {best} of another run.", last=LAST, best=BEST),
            ) from error

    @property
    def input_bands(self) -> InputBands:
        """The bands of the network's inputs."""
        if not self.bands:
            return self.config.data.input_bands
        scaling = None if self.scaling is None else BandScaling.from_json(self.scaling)
        return InputBands(self.bands, self.band_numbers, False, scaling, tuple(self.mean), tuple(self.std))


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; on failure an earlier one at ``path`` remains.

    Raises:
        TrainingError: if it cannot be written.
    """
    content = {item.name: getattr(checkpoint, item.name) for item in fields(checkpoint)}
    content |= {"config": checkpoint.config.to_json(), "scheme": checkpoint.scheme.to_json(), "version": _VERSION}
    try:
        with atomic_path(path) as partial, partial.open("wb") as stream:
            torch.save(content, stream)
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError
        raise TrainingError(
            tr("The checkpoint {path} cannot be written: {error}.", path=path, error=_cause(error)),
            tr("Free some space; the training can then be resumed from its previous checkpoint."),
            "Resume it with --resume.",
        ) from error


def _cause(error: BaseException) -> str:
    """Return the words of the file system for an error of torch.save, which has none of its own."""
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    return cause.strerror or one_line(cause) if isinstance(cause, OSError) else one_line(error)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; only tensors and plain values are accepted (``weights_only``).

    Raises:
        TrainingError: if it is missing, damaged or of an unsupported version.
    """
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise TrainingError(
            tr("The checkpoint {path} is not a regular file.", path=path),
            tr("Give the {last} or {best} of a run.", last=LAST, best=BEST),
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file
        # the message of torch is not shown: it recommends weights_only=False, which can execute code
        reason = (
            error.strerror
            if isinstance(error, OSError) and not path.is_file()
            else tr("the file is damaged or not a checkpoint")
        )
        raise TrainingError(
            tr("The checkpoint {path} cannot be read: {reason}.", path=path, reason=reason),
            tr("Give the {last} or {best} of a run; if {last} is damaged, {best} may be intact.", last=LAST, best=BEST),
        ) from error
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, int) or version not in (1, _VERSION):
        raise TrainingError(
            tr(
                "{path} has checkpoint version {version}; versions 1 and {supported} are supported.",
                path=path,
                version=f"{version!s:.60}",
                supported=_VERSION,
            ),
            tr("Give the {last} or {best} of a run of this version.", last=LAST, best=BEST),
        )
    try:
        if version == 1:
            content = _from_version_1(content)
        content["config"] = TrainingConfig.from_mapping(with_moved_scenes(content["config"]))
        content["scheme"] = ClassScheme.from_json(content["scheme"])
        _check_types(content)
        return Checkpoint(**content)
    except (LandCoverError, *DAMAGED) as error:
        kind = "" if isinstance(error, LandCoverError | TypeError) else f"{type(error).__name__}: "
        raise TrainingError(
            tr("The checkpoint {path} is inconsistent: {error}.", path=path, error=f"{kind}{one_line(error)}"),
            tr("Give the {last} or {best} of another run, or start a new run.", last=LAST, best=BEST),
        ) from error


def with_moved_scenes(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a configuration with the present name of a scene function that has moved."""
    data = dict(config.get("data", {}))
    if "scenes" in data:
        data["scenes"] = _MOVED_SCENES.get(data["scenes"], data["scenes"])
    return {**config, "data": data}


def _check_types(content: Mapping[str, Any]) -> None:
    kinds: dict[str, Any] = {"step": int, "seconds": float, "figures": dict, "losses": tuple | list, "stale": int}
    kinds |= {"bands": tuple | list, "band_numbers": tuple | list, "values": dict | None}
    kinds |= {"ground": dict | None, "scaling": dict | None, "mean": tuple | list, "std": tuple | list}
    kinds |= {"new_classes": tuple | list, "comparison": dict}
    kinds |= {"model": dict, "average": dict, "optimizer": dict, "split": str, "title": str, "best": float | None}
    for name, kind in kinds.items():
        if name in content and not isinstance(content[name], kind):
            raise TypeError(f"{name} is {content[name]!r:.60}")
    for name in ("model", "average"):
        for key, value in content[name].items():
            if not isinstance(key, str) or not isinstance(value, torch.Tensor):
                raise TypeError(f"{name} has {key!r:.60}: {value!r:.60}")


def _from_version_1(content: dict[str, Any]) -> dict[str, Any]:
    """Convert the content of version 1, which had fixed classes (Dubai) and a split by tiles, to version 2."""
    config = {name: dict(table) for name, table in content["config"].items()}
    tiles = config["data"].pop("validate_tiles", ())
    epoch = config["run"].pop("validate_every", 0)
    if epoch:
        config["run"]["epoch"] = epoch
    split = f"Tiles {', '.join(map(str, tiles))} held out for validation." if tiles else ""
    return {**content, "config": config, "scheme": DUBAI.to_json(), "title": _DUBAI_TITLE, "split": split}


def load_weights(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Load weights into a model.

    Raises:
        TrainingError: with the differences, if names or shapes of the weights do not fit.
    """
    differences = compare_weights(model.state_dict(), weights)
    if differences:
        raise TrainingError(
            tr("The checkpoint has the weights of another network.") + f" {' '.join(differences)}",
            tr("Use the start and the settings of that training."),
            "In a configuration: its [model] section.",
        )
    model.load_state_dict(dict(weights), strict=True)


def compare_weights(expected: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> list[str]:
    """Return one sentence each on missing weights, unexpected weights and weights of another shape."""
    shapes = [
        tr("{name} ({given} instead of {expected})", name=name, given=_shape(given[name]), expected=_shape(value))
        for name, value in expected.items()
        if name in given and given[name].shape != value.shape
    ]
    listed = (
        (marked("Missing ({count}): {names}."), [name for name in expected if name not in given]),
        (marked("Unexpected ({count}): {names}."), [name for name in given if name not in expected]),
        (marked("Of another shape ({count}): {names}."), shapes),
    )
    return [tr(text, count=len(names), names=listing(names, _LISTED)) for text, names in listed if names]


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"


def config_differences(earlier: TrainingConfig, now: TrainingConfig) -> dict[str, tuple[Any, Any]]:
    """Return the two values of each differing key, by ``section.key`` or ``sources.name.key``."""
    before, after = (_flat(config) for config in (earlier, now))
    keys = dict.fromkeys((*before, *after))  # a source may exist in only one of them
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _flat(config: TrainingConfig) -> dict[str, Any]:
    tables = config.to_json()
    sections = {name: table for name, table in tables.items() if name != "sources"}
    sections |= {f"sources.{source['name']}": source for source in tables["sources"]}
    return {f"{section}.{key}": value for section, table in sections.items() for key, value in table.items()}


# and all of [run] except the seed
_MAY_CHANGE = ("optimizer.steps", "optimizer.decay", "data.title", "start.model", "start.alphas")


def check_resumable(
    checkpoint: Checkpoint, config: TrainingConfig, scheme: ClassScheme, report: Callable[[str], None] = print
) -> None:
    """Check that a run can be resumed with a configuration: only its length and [run] except the seed may differ.

    Raises:
        TrainingError: with both values of each differing key, or if the classes differ.
    """
    if checkpoint.version == 1:
        raise TrainingError(
            tr("The checkpoint has version 1, which lacks the state needed to resume a run exactly."),
            tr("Start a new run."),
            "It can start from its weights (--start-from); the checkpoint can also be exported.",
        )
    if checkpoint.scheme != scheme:
        ours, theirs = (", ".join(entry.name for entry in known.classes) for known in (scheme, checkpoint.scheme))
        raise TrainingError(
            tr("The checkpoint has the classes {theirs}; the data have {ours}.", theirs=theirs, ours=ours),
            tr("Use the data of that run, or start a new one."),
            "A new run can start from its weights: --start-from.",
        )
    if checkpoint.step > config.optimizer.steps:
        raise TrainingError(
            tr(
                "The checkpoint is at step {step}, but the training has only {steps} steps.",
                step=checkpoint.step,
                steps=config.optimizer.steps,
            ),
            tr("Choose a longer training, or start a new one."),
            "Raise optimizer.steps or use a new folder.",
        )
    differences = config_differences(checkpoint.config, config)
    refused = {key: pair for key, pair in differences.items() if not _may_change(key)}
    if refused:
        raise TrainingError(
            tr("The run was started with other settings: {listed}.", listed=_listed(refused)),
            tr("Use the earlier settings, or start a new run."),
            "They are in config.json of the run's folder; a new run can start from its weights: --start-from.",
        )
    if differences:
        report(tr("Resuming with changed settings: {listed}.", listed=_listed(differences)))


def _may_change(key: str) -> bool:
    return key in _MAY_CHANGE or (key.startswith("run.") and key != "run.seed")


def _listed(differences: Mapping[str, tuple[object, object]]) -> str:
    return "; ".join(
        tr("{key} was {before!r}, now {now!r}", key=key, before=before, now=now)
        for key, (before, now) in differences.items()
    )
