"""Reads the weights of a model file into the network that it describes."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.errors import BundleError, ModelError
from dubai_landcover_plugin.protocol.model_metadata import GRAPH, BundleMetadata

_REMEDY = "Export the model again with the training module, or update this software."


def load_network(path: Path, metadata: BundleMetadata) -> SegmentationModel:
    """Return the network of a bundle in evaluation mode, float32, on the CPU, without gradients.

    The names and shapes of all weights are compared with the description before memory is taken for one.

    Raises:
        BundleError: if the file is damaged or contradicts itself.
    """
    model = empty_model(metadata, str(path))
    compare_geometry(str(path), metadata, model)
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            names = [key for key in stored.keys() if not key.startswith(GRAPH)]  # noqa: SIM118
            shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in names}
            compare_shapes(str(path), shapes, model)
            types = {key: value.dtype for key, value in model.state_dict().items()}
            weights = {key: _loaded(key, stored.get_tensor(key), types[key], path) for key in shapes}
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The weights in {path} cannot be read: {error}.", _REMEDY) from error
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def empty_model(metadata: BundleMetadata, source: str) -> SegmentationModel:
    """Build the described network without memory for its weights."""
    try:
        with torch.device("meta"):
            return build_model(metadata.spec)
    except ModelError as error:
        raise BundleError(f"{source} describes a network that cannot be built: {error}", _REMEDY) from error


def compare_geometry(source: str, metadata: BundleMetadata, model: SegmentationModel) -> None:
    """Refuse a wrong stride or radius: windows are laid out by them."""
    said, true = (metadata.stride, metadata.receptive_radius), (model.stride, model.receptive_radius)
    if said != true:
        raise BundleError(
            f"{source} says that its network has a stride of {said[0]} px and a receptive radius of {said[1]} px; "
            f"it has a stride of {true[0]} px and a radius of {true[1]} px.",
            _REMEDY,
        )


def compare_shapes(source: str, shapes: dict[str, tuple[int, ...]], model: SegmentationModel) -> None:
    """Refuse weights that are missing, surplus or of another shape than the network's."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing, surplus = sorted(set(wanted) - set(shapes)), sorted(set(shapes) - set(wanted))
    unequal = [
        f"{key}: {shapes[key]} instead of {wanted[key]}"
        for key in sorted(wanted)
        if shapes.get(key, wanted[key]) != wanted[key]
    ]
    for what, names in (("lacks", missing), ("has unknown", surplus), ("has misshapen", unequal)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise BundleError(f"{source} {what} weights: {'; '.join(names[:3])}{more}.", _REMEDY)


def _loaded(key: str, value: torch.Tensor, wanted: torch.dtype, path: Path) -> torch.Tensor:
    """Return a weight in the type that the network computes in."""
    if value.is_floating_point() != wanted.is_floating_point:
        raise BundleError(f"{path}: the weight {key} is of type {value.dtype}, not {wanted}.", _REMEDY)
    value = value.to(wanted)
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(f"{path}: the weight {key} is not finite.", _REMEDY)
    return value
