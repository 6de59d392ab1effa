"""Initial state of a run: devices, network and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.core.networks.unet_efficientnet import UNetEfficientNet
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX

from ..config import RunConfig, TrainingConfig
from ..errors import TrainingError
from .checkpoint import compare_weights, load_checkpoint
from .pretrained import load_imagenet_weights

_LEAST_SHARE = 0.5


def make_fabric(config: RunConfig) -> Fabric:
    """Return the launched devices of a run; every process executes the lines that follow the call.

    Raises:
        TrainingError: if the devices are not available.
    """
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            strategy=config.strategy,
            devices=config.devices,
            num_nodes=config.num_nodes,
            precision=config.precision,  # type: ignore[arg-type]
        )
    except (MisconfigurationException, RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"The devices of [run] are not available: {error}",
            "Set run.accelerator, run.devices, run.strategy and run.precision.",
        ) from error
    fabric.launch()
    if config.threads:
        torch.set_num_threads(config.threads)
    return fabric


def make_model(config: TrainingConfig, classes: int, pretrained: bool) -> SegmentationModel:
    """Return the network of a configuration, in channels-last memory format.

    Args:
        config: Network and window.
        classes: Number of output channels.
        pretrained: Load ImageNet weights into the encoder.

    Raises:
        TrainingError: if the window is not a multiple of the stride, or there are no ImageNet weights for the network.
    """
    if not config.model.gsd:
        raise TrainingError("The ground sampling distance of the model is unknown.", "Set model.gsd, m/px.")
    model = build_model(config.model.spec(classes))
    if config.model.window % model.stride:  # checked here, because the export would fail after hours of training
        above = -(-config.model.window // model.stride) * model.stride
        raise TrainingError(
            f"model.window is {config.model.window} px; this network needs a multiple of {model.stride} px.",
            f"Set model.window = {above}.",
        )
    if pretrained:
        if not isinstance(model, UNetEfficientNet):
            raise TrainingError(f"{config.model.architecture} has no ImageNet weights.", "Set pretrained = false.")
        load_imagenet_weights(model.encoder)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def set_training_mode(model: SegmentationModel, frozen: int) -> None:
    """Set a network to training mode and freeze the stem and the first ``frozen`` blocks of its encoder.

    Raises:
        TrainingError: if the encoder has fewer blocks.
    """
    model.train()
    if not frozen:
        return
    if not isinstance(model, UNetEfficientNet) or frozen > len(model.encoder.blocks):
        blocks = len(model.encoder.blocks) if isinstance(model, UNetEfficientNet) else 0
        raise TrainingError(f"model.frozen is {frozen}, the encoder has {blocks} blocks.", "Set frozen = 0.")
    for part in (model.encoder.stem, *model.encoder.blocks[:frozen]):
        part.eval().requires_grad_(False)  # eval() keeps the statistics of the norms


def start_weights(
    model: nn.Module, source: str | Path, scheme: ClassScheme, report: Callable[[str], None] = print
) -> None:
    """Load trained weights whose names and shapes fit into a network; all others keep their initial values.

    The output layer is not loaded if the classes differ.

    Args:
        model: The network.
        source: Checkpoint of another run, of which the averaged weights are used, or a ``.safetensors`` model file.
        scheme: Classes of the new run.
        report: Receives a message on the weights that did not fit.

    Raises:
        TrainingError: with the differences, if less than half of the weights fit.
        BundleError: if the model file cannot be read.
    """
    weights, theirs = _trained_weights(Path(source))
    expected = model.state_dict()
    same = [entry.name for entry in theirs.classes] == [entry.name for entry in scheme.classes]
    if not same:
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
    fits = {name: weights[name] for name in expected if name in weights and weights[name].shape == expected[name].shape}
    share = sum(value.numel() for value in fits.values()) / max(sum(value.numel() for value in expected.values()), 1)
    differences = " ".join(compare_weights(expected, weights))
    if share < _LEAST_SHARE:
        raise TrainingError(
            f"{source} has the weights of another network: only {share:.0%} fit. {differences}",
            "Start from a model with the same [model] section.",
        )
    model.load_state_dict(fits, strict=False)
    if differences:
        reason = "" if same else " The classes differ, so the output layer is initialized anew."
        report(f"Started from {source}: {share:.1%} of the weights loaded.{reason} {differences}")


def _trained_weights(source: Path) -> tuple[Mapping[str, torch.Tensor], ClassScheme]:
    if source.suffix == BUNDLE_SUFFIX:
        bundle = load_bundle(str(source))
        return bundle.model.state_dict(), bundle.metadata.scheme
    checkpoint = load_checkpoint(source)
    return checkpoint.average, checkpoint.scheme
