"""What a run starts with: devices, network, weights, and whether an earlier checkpoint belongs to it."""

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
    """Return the devices of a run, launched: from here on every process runs the same lines.

    Raises:
        TrainingError: if they are not there.
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
            f"The devices that [run] asks for cannot be had: {error}",
            "Set run.accelerator, run.devices, run.strategy and run.precision.",
        ) from error
    fabric.launch()
    if config.threads:
        torch.set_num_threads(config.threads)
    return fabric


def make_model(config: TrainingConfig, classes: int, pretrained: bool) -> SegmentationModel:
    """Return the network of a configuration, with ImageNet weights if asked for.

    Raises:
        TrainingError: if the window does not suit the network, or it has no encoder that takes them.
    """
    model = build_model(config.model.spec(classes))
    if config.model.window % model.stride:  # an export would refuse it, after hours of training
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
    """Make a network ready for training, all but the stem and the first ``frozen`` blocks of its encoder.

    Raises:
        TrainingError: if it has no such blocks.
    """
    model.train()
    if not frozen:
        return
    if not isinstance(model, UNetEfficientNet) or frozen > len(model.encoder.blocks):
        blocks = len(model.encoder.blocks) if isinstance(model, UNetEfficientNet) else 0
        raise TrainingError(f"model.frozen is {frozen}, the encoder has {blocks} blocks.", "Set frozen = 0.")
    for part in (model.encoder.stem, *model.encoder.blocks[:frozen]):
        part.eval().requires_grad_(False)  # norms keep their statistics


def start_weights(
    model: nn.Module, source: str | Path, scheme: ClassScheme, say: Callable[[str], None] = print
) -> None:
    """Fill a network with what fits of trained weights; the rest stays as it was initialised, and is told.

    The output layer is left out where the classes are others.

    Args:
        model: The network.
        source: Checkpoint of another run, whose averaged weights are taken, or a ``.safetensors`` model file.
        scheme: Classes of the new run.
        say: Receives what did not fit.

    Raises:
        TrainingError: listing what differs, if less than half of the network would be filled.
        BundleError: if the model file cannot be read.
    """
    weights, theirs = _trained_weights(Path(source))
    wanted = model.state_dict()
    same = [entry.name for entry in theirs.classes] == [entry.name for entry in scheme.classes]
    if not same:
        weights = {name: value for name, value in weights.items() if not name.startswith("head.")}
    fits = {name: weights[name] for name in wanted if name in weights and weights[name].shape == wanted[name].shape}
    share = sum(value.numel() for value in fits.values()) / max(sum(value.numel() for value in wanted.values()), 1)
    differences = " ".join(compare_weights(wanted, weights))
    if share < _LEAST_SHARE:
        raise TrainingError(
            f"{source} belongs to another network: only {share:.0%} of the weights fit. {differences}",
            "Start from a model with the same [model] section.",
        )
    model.load_state_dict(fits, strict=False)
    if differences:
        reason = "" if same else " The classes differ, so the output layer is new."
        say(f"Started from {source}, which fills {share:.1%} of the network.{reason} {differences}")


def _trained_weights(source: Path) -> tuple[Mapping[str, torch.Tensor], ClassScheme]:
    if source.suffix == BUNDLE_SUFFIX:
        bundle = load_bundle(str(source))
        return bundle.model.state_dict(), bundle.metadata.scheme
    checkpoint = load_checkpoint(source)
    return checkpoint.average, checkpoint.scheme
