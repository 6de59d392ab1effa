"""Initial state of a run: devices, network and weights."""

from __future__ import annotations

from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import RGB, InputBands
from ..config import RunConfig, TrainingConfig
from ..errors import TrainingError
from ..memory_format import memory_format
from .pretrained import load_imagenet_weights


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
            tr("The devices for the training are not available: {error}", error=error),
            hint="Set run.accelerator, run.devices, run.strategy and run.precision.",
        ) from error
    fabric.launch()
    if config.threads:
        torch.set_num_threads(config.threads)
    return fabric


def make_model(config: TrainingConfig, classes: int, pretrained: bool, bands: InputBands = RGB) -> SegmentationModel:
    """Return the network of a configuration, in its memory format.

    Args:
        config: Network and window.
        classes: Number of output channels.
        pretrained: Load ImageNet weights into the encoder.
        bands: Bands in the order of its inputs.

    Raises:
        TrainingError: if the window is not a multiple of the stride, or there are no ImageNet weights for the network.
    """
    if not config.model.gsd:
        raise TrainingError(
            tr("The ground sampling distance of the model is unknown."),
            tr("Give the pixel size."),
            "Set model.gsd, m/px.",
        )
    model = build_model(config.model.spec(classes, len(bands.names)))
    if config.model.window % model.stride:  # checked here, because the export would fail after hours of training
        above = -(-config.model.window // model.stride) * model.stride
        raise TrainingError(
            f"model.window is {config.model.window} px; this network needs a multiple of {model.stride} px.",
            f"Set model.window = {above}.",
        )
    if pretrained:
        encoder = _convolutions(model)
        if encoder is None:
            raise TrainingError(
                f"{config.model.architecture} has no ImageNet weights.", "Set model.pretrained = false."
            )
        load_imagenet_weights(encoder, bands)
    return model.to(memory_format=memory_format(model))  # type: ignore[call-overload, no-any-return]


def _convolutions(model: SegmentationModel) -> EfficientNetLite | None:
    """Return the part of a network that has ImageNet weights; None if it has none."""
    return cast(EfficientNetLite, model.get_submodule(model.convolutions)) if model.convolutions else None


def set_training_mode(model: SegmentationModel, frozen: int, freeze_norms: bool = False) -> None:
    """Set a network to training mode and freeze the stem and the first ``frozen`` blocks of its encoder.

    Args:
        model: The network.
        frozen: Number of blocks; 0 for none.
        freeze_norms: Keep the statistics of all batch norms; their scales and shifts are trained.

    Raises:
        TrainingError: if the encoder has fewer blocks.
    """
    model.train()
    if freeze_norms:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
    if not frozen:
        return
    encoder = _convolutions(model)
    if encoder is None or frozen > len(encoder.blocks):
        blocks = len(encoder.blocks) if encoder else 0
        raise TrainingError(f"model.frozen is {frozen}, the encoder has {blocks} blocks.", "Set frozen = 0.")
    for part in (encoder.stem, *encoder.blocks[:frozen]):
        part.eval().requires_grad_(False)  # eval() keeps the statistics of the norms
