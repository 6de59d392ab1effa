"""Trained weights that a run starts from: network, classes and bands of a model file or checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.model_folders import installed_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, is_unnamed_band
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import InputBands
from ..config import DataConfig, ModelConfig, TrainingConfig
from ..errors import ConfigError, TrainingError
from ..start_config import OF_START
from .checkpoint import compare_weights, load_checkpoint
from .further_bands import has_further, widened

_LEAST_SHARE = 0.5
_HEAD = ("head.weight", "head.bias")  # one row for each class
_NEVER = -100.0  # bias of a class that the start does not know: it is never predicted


@dataclass(frozen=True, slots=True)
class Start:
    """Weights that a run starts from.

    Args:
        name: Name of the file.
        weights: Weights of the network, by name.
        scheme: Classes in the order of its outputs.
        bands: Bands in the order of its inputs.
        model: Network, ground sampling distance (0 if unknown) and window.
    """

    name: str
    weights: Mapping[str, torch.Tensor]
    scheme: ClassScheme
    bands: InputBands
    model: ModelConfig


def read_start(source: str | Path) -> Start:
    """Read a model file, an installed model by its name, or a checkpoint, of which the averaged weights are used.

    Raises:
        TrainingError: if a checkpoint cannot be read.
        BundleError: if a model file cannot be read.
    """
    path = Path(source)
    if not path.exists():
        path = installed_models().get(str(source), path)
    if path.suffix != BUNDLE_SUFFIX:
        checkpoint = load_checkpoint(path)
        return Start(path.name, checkpoint.average, checkpoint.scheme, checkpoint.input_bands, checkpoint.config.model)
    bundle = load_bundle(str(path))
    metadata = bundle.metadata
    model = ModelConfig(
        architecture=metadata.spec.architecture,
        arguments=dict(metadata.spec.arguments),
        pretrained=bool(metadata.training.get("encoder")),
        gsd=metadata.gsd,
        window=metadata.window,
    )
    bands = InputBands.of_model(metadata)
    return Start(path.name, bundle.model.state_dict(), metadata.scheme, bands, model)


def settle_model(config: TrainingConfig, start: Start | None) -> TrainingConfig:
    """Return a configuration with the network of the start in place of ``architecture = "start"``.

    Raises:
        ConfigError: if there is no start.
    """
    own = config.model
    if own.architecture != OF_START:
        return config
    if start is None:
        raise ConfigError(
            f"model.architecture is '{OF_START}', but the training starts from no model.",
            "Name one: --start-from, or start.model in the configuration.",
        )
    model = replace(start.model, frozen=own.frozen, freeze_norms=own.freeze_norms, gsd=own.gsd or start.model.gsd)
    return replace(config, model=model)


def bands_to_read(config: DataConfig, start: Start | None) -> InputBands:
    """Return the configured bands, or without any those of the start."""
    return config.input_bands if config.bands or start is None else replace(start.bands, second=config.second)


def match_bands(bands: InputBands, start: Start) -> InputBands:
    """Return the bands of the images in the order of the inputs of the start; with further ones, in their own order.

    Args:
        bands: Bands of the images.
        start: The start.

    Raises:
        ConfigError: if the start reads other bands, or they cannot be compared because only one has names.
    """
    if has_further(bands, start.bands):
        return bands
    bands = bands.scaled_as(start.bands)
    if bands.names == start.bands.names:
        return bands
    if sorted(bands.names) == sorted(start.bands.names):
        order = [bands.names.index(name) for name in start.bands.names]
        numbers = tuple(bands.numbers[index] for index in order if bands.numbers)
        return replace(bands, names=start.bands.names, numbers=numbers)
    unnamed = any(map(is_unnamed_band, (*bands.names, *start.bands.names)))
    if unnamed and bands.numbers and bands.numbers == start.bands.numbers:
        return bands
    remedy = tr("Choose the bands of {start}, or start without it.", start=start.name)
    hint = "In a configuration: data.bands."
    if unnamed:
        numbers = bands.numbers or tuple(range(1, len(bands.names) + 1))
        pairs = [f"{name}={number}" for name, number in zip(start.bands.names, numbers, strict=False)]
        remedy = tr(
            "If these are the same bands, name them, for example {pairs}. Else start without it.",
            pairs=", ".join(pairs),
        )
        hint = "In a configuration: data.bands = [{}].".format(", ".join(f'"{pair}"' for pair in pairs))
    text = tr(
        "{start} reads the bands {bands}; the training images have {given}.",
        start=start.name,
        bands=start.bands,
        given=bands,
    )
    raise ConfigError(text, remedy, hint)


def in_order(config: TrainingConfig, bands: InputBands) -> TrainingConfig:
    """Return a configuration whose ``data.bands`` are these bands."""
    listed: list[int | str] = [*bands.names]
    if bands.numbers:
        listed = [f"{name}={number}" for name, number in zip(bands.names, bands.numbers, strict=True)]
    if any(map(is_unnamed_band, bands.names)):
        listed = [*bands.numbers]
    return replace(config, data=replace(config.data, bands=tuple(listed)))


def start_weights(
    model: nn.Module,
    start: Start,
    scheme: ClassScheme,
    report: Callable[[str], None] = print,
    bands: InputBands | None = None,
) -> tuple[str, ...]:
    """Load the trained weights whose names and shapes fit into a network; all others keep their initial values.

    Rows of the output layer are those of the classes of equal names, regardless of case and order.

    Args:
        model: The network.
        start: Trained weights.
        scheme: Classes of the new run.
        report: Receives a message on classes and weights that did not fit.
        bands: Bands of the network, which may be more than those of the start; None for these.

    Returns:
        Names of the classes that the start does not have.

    Raises:
        TrainingError: with the differences, if less than half of the weights fit.
    """
    expected = model.state_dict()
    rows = _rows(start.scheme, scheme)
    weights = widened(expected, start.weights, start.bands, bands or start.bands)
    weights |= _head_rows(expected, start.weights, rows)
    fits = {name: weights[name] for name in expected if name in weights and weights[name].shape == expected[name].shape}
    share = sum(value.numel() for value in fits.values()) / max(sum(value.numel() for value in expected.values()), 1)
    differences = " ".join(compare_weights(expected, weights))
    if share < _LEAST_SHARE:
        raise TrainingError(
            tr("{start} has the weights of another network: only {share:.0%} fit.", start=start.name, share=share)
            + f" {differences}",
            tr("Start from another model."),
            "It needs the same [model] section; or set model.architecture = 'start'.",
        )
    model.load_state_dict(fits, strict=False)
    if differences:
        loaded = tr("Started from {start}: {share:.1%} of the weights loaded.", start=start.name, share=share)
        report(f"{loaded} {differences}")
    names = [entry.name for entry in scheme.classes]
    added = tuple(name for name, row in zip(names, rows, strict=True) if row is None)
    dropped = [entry.name for number, entry in enumerate(start.scheme.classes) if number not in rows]
    if added or dropped:
        kept = ", ".join(name for name in names if name not in added) or tr("none")
        new = ", ".join(added) or tr("none")
        report(tr("Classes: kept from {start}: {kept}; new: {new}.", start=start.name, kept=kept, new=new))
        if dropped:
            report(tr("Classes not in the data and dropped: {names}.", names=", ".join(dropped)))
    return added


def _rows(theirs: ClassScheme, ours: ClassScheme) -> list[int | None]:
    """Return the row of the start's output layer for each of our classes; None for a new class."""
    known = {entry.name.casefold(): number for number, entry in enumerate(theirs.classes)}
    return [known.get(entry.name.casefold()) for entry in ours.classes]


def _head_rows(
    expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], rows: Sequence[int | None]
) -> dict[str, torch.Tensor]:
    """Return the output layer with the rows of the start where there is one, and initial values elsewhere."""
    found = {}
    for name in _HEAD:
        # rows may differ in number, their contents must not differ in shape
        if name in expected and name in weights and expected[name].shape[1:] == weights[name].shape[1:]:
            value = expected[name].clone()
            for row, other in enumerate(rows):
                if other is not None:
                    value[row] = weights[name][other].to(value)
            found[name] = value
    return found


def without_classes(weights: Mapping[str, torch.Tensor], rows: Sequence[int]) -> dict[str, torch.Tensor]:
    """Return weights of a network that never predicts the classes of these output rows."""
    found = {name: value.detach().clone() for name, value in weights.items()}
    for row in rows:
        found[_HEAD[0]][row] = 0
        found[_HEAD[1]][row] = _NEVER
    return found


def interpolate(
    start: Mapping[str, torch.Tensor], result: Mapping[str, torch.Tensor], alpha: float, rows: Sequence[int] = ()
) -> dict[str, torch.Tensor]:
    """Return (1 - alpha) start + alpha result for each weight and statistic.

    Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models,
    https://doi.org/10.1109/CVPR52688.2022.00780.

    Args:
        start: Weights before the training.
        result: Weights after it.
        alpha: Share of the result, 0..1.
        rows: Rows of the output layer that are taken from the result: classes that the start does not have.
    """
    mixed = {}
    for name, value in result.items():
        before = start[name].to(value.device)
        mixed[name] = torch.lerp(before, value, alpha) if value.is_floating_point() else value.clone()
    for name in _HEAD:
        for row in rows:
            mixed[name][row] = result[name][row]
    return mixed
