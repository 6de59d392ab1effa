"""Loads the weights of a model file into the network described by its metadata."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.errors import BundleError, ModelError
from dubai_landcover_plugin.protocol.model_file import GRAPH_PREFIX, SCALE_PREFIX
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import joined, tr

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
        raise BundleError(
            tr("{source} describes a network that cannot be built: {error}", source=source, error=error), tr(_REMEDY)
        ) from error


def check_geometry(source: str, metadata: BundleMetadata, model: SegmentationModel) -> None:
    """Check stride and receptive radius; the window layout depends on them.

    Raises:
        BundleError: if they differ from those of the network.
    """
    stated, actual = (metadata.stride, metadata.receptive_radius), (model.stride, model.receptive_radius)
    if stated != actual:
        raise BundleError(
            tr(
                "{source} states a stride of {stated_stride} px and a receptive radius of {stated_radius} px; "
                "its network has a stride of {stride} px and a radius of {radius} px.",
                source=source,
                stated_stride=stated[0],
                stated_radius=stated[1],
                stride=actual[0],
                radius=actual[1],
            ),
            tr(_REMEDY),
        )


def check_shapes(source: str, shapes: dict[str, tuple[int, ...]], model: SegmentationModel) -> None:
    """Check that there is a weight of the right shape for each weight of the network.

    Raises:
        BundleError: if weights are missing, unknown or of another shape.
    """
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing, unknown = sorted(set(expected) - set(shapes)), sorted(set(shapes) - set(expected))
    wrong_shape = [
        tr("{key}: {shapes} instead of {expected}", key=key, shapes=shapes[key], expected=expected[key])
        for key in sorted(expected)
        if shapes.get(key, expected[key]) != expected[key]
    ]
    for problem, names in (
        (tr("{source} lacks weights", source=source), missing),
        (tr("{source} has unknown weights", source=source), unknown),
        (tr("{source} has weights of the wrong shape", source=source), wrong_shape),
    ):
        if names:
            more = tr(" and {count} more", count=len(names) - 3) if len(names) > 3 else ""
            listed = joined(names[:3], mark="; ")
            raise BundleError(f"{problem}: {listed}{more}.", tr(_REMEDY))


def _loaded(key: str, value: torch.Tensor, dtype: torch.dtype, path: Path, scale: torch.Tensor | None) -> torch.Tensor:
    """Return a stored weight in the dtype of the network, multiplied by the scale of each output channel, if any.

    Raises:
        BundleError: if it is not of the same kind, or not finite, or its scale does not fit.
    """
    if scale is not None:
        if value.dtype != torch.int8 or scale.shape != value.shape[:1] or not scale.is_floating_point():
            raise BundleError(
                tr(
                    "{path}: the weight {key}, {shape} of type {dtype}, has a scale of shape {scale_shape} and type "
                    "{other_dtype}.",
                    path=path,
                    key=key,
                    shape=tuple(value.shape),
                    dtype=value.dtype,
                    scale_shape=tuple(scale.shape),
                    other_dtype=scale.dtype,
                ),
                tr(_REMEDY),
            )
        value = value.float() * scale.float().view(-1, *[1] * (value.ndim - 1))
    if value.is_floating_point() != dtype.is_floating_point:
        raise BundleError(
            tr(
                "{path}: the weight {key} is of type {dtype}, not {other_dtype}.",
                path=path,
                key=key,
                dtype=value.dtype,
                other_dtype=dtype,
            ),
            tr(_REMEDY),
        )
    value = value.to(dtype)
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(tr("{path}: the weight {key} is not finite.", path=path, key=key), tr(_REMEDY))
    return value
