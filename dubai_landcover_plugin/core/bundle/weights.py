"""Loads the weights of a model file into the network described by its metadata."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.errors import BundleError, ModelError
from dubai_landcover_plugin.protocol.model_metadata import GRAPH_PREFIX, SCALE_PREFIX, BundleMetadata

_REMEDY = "Export the model again with the training module, or update this software."


def load_network(path: Path, metadata: BundleMetadata) -> SegmentationModel:
    """Return the network of a model file in evaluation mode, float32, on the CPU, without gradients.

    Names and shapes of all weights are checked before memory is allocated.

    Raises:
        BundleError: if the file is damaged or its weights do not match its metadata.
    """
    model = empty_model(metadata, str(path))
    check_geometry(str(path), metadata, model)
    with reading_weights(path), safe_open(path, framework="pt", device="cpu") as stored:
        names = set(stored.keys())
        shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in names if is_weight(key)}
        check_shapes(str(path), shapes, model)
        types = {key: value.dtype for key, value in model.state_dict().items()}
        scaled = {key for key in shapes if SCALE_PREFIX + key in names}
        weights = {
            key: _loaded(
                key,
                stored.get_tensor(key),
                types[key],
                path,
                stored.get_tensor(SCALE_PREFIX + key) if key in scaled else None,
            )
            for key in shapes
        }
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def is_weight(key: str) -> bool:
    """Return whether a tensor of a model file is a weight, not a graph or the scale of a weight."""
    return not key.startswith((GRAPH_PREFIX, SCALE_PREFIX))


def empty_model(metadata: BundleMetadata, source: str) -> SegmentationModel:
    """Return the described network on the meta device, without memory for its weights.

    Raises:
        BundleError: if the network cannot be built.
    """
    try:
        with torch.device("meta"):
            return build_model(metadata.spec)
    except ModelError as error:
        raise BundleError(f"{source} describes a network that cannot be built: {error}", _REMEDY) from error


def check_geometry(source: str, metadata: BundleMetadata, model: SegmentationModel) -> None:
    """Check stride and receptive radius; the window layout depends on them.

    Raises:
        BundleError: if they differ from those of the network.
    """
    stated, actual = (metadata.stride, metadata.receptive_radius), (model.stride, model.receptive_radius)
    if stated != actual:
        raise BundleError(
            f"{source} states a stride of {stated[0]} px and a receptive radius of {stated[1]} px; its network has a "
            f"stride of {actual[0]} px and a radius of {actual[1]} px.",
            _REMEDY,
        )


def check_shapes(source: str, shapes: dict[str, tuple[int, ...]], model: SegmentationModel) -> None:
    """Check that there is a weight of the right shape for each weight of the network.

    Raises:
        BundleError: if weights are missing, unknown or of another shape.
    """
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing, unknown = sorted(set(expected) - set(shapes)), sorted(set(shapes) - set(expected))
    wrong_shape = [
        f"{key}: {shapes[key]} instead of {expected[key]}"
        for key in sorted(expected)
        if shapes.get(key, expected[key]) != expected[key]
    ]
    for problem, names in (
        ("lacks weights", missing),
        ("has unknown weights", unknown),
        ("has weights of the wrong shape", wrong_shape),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise BundleError(f"{source} {problem}: {'; '.join(names[:3])}{more}.", _REMEDY)


def _loaded(key: str, value: torch.Tensor, dtype: torch.dtype, path: Path, scale: torch.Tensor | None) -> torch.Tensor:
    """Return a stored weight in the dtype of the network, multiplied by the scale of each output channel, if any.

    Raises:
        BundleError: if it is not of the same kind, or not finite, or its scale does not fit.
    """
    if scale is not None:
        if value.dtype != torch.int8 or scale.shape != value.shape[:1] or not scale.is_floating_point():
            raise BundleError(
                f"{path}: the weight {key}, {tuple(value.shape)} of type {value.dtype}, has a scale of shape "
                f"{tuple(scale.shape)} and type {scale.dtype}.",
                _REMEDY,
            )
        value = value.float() * scale.float().view(-1, *[1] * (value.ndim - 1))
    if value.is_floating_point() != dtype.is_floating_point:
        raise BundleError(f"{path}: the weight {key} is of type {value.dtype}, not {dtype}.", _REMEDY)
    value = value.to(dtype)
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(f"{path}: the weight {key} is not finite.", _REMEDY)
    return value
