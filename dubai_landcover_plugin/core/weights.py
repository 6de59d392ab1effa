"""Writes model files and reads their weights: one ``.safetensors`` holds both weights and description."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from dubai_landcover_plugin.core.bundle import GRAPH, file_digest, load_bundle
from dubai_landcover_plugin.core.errors import BundleError, ModelError
from dubai_landcover_plugin.core.model_spec import BUNDLE_SUFFIX, HEADER_KEY, BundleMetadata
from dubai_landcover_plugin.core.models import SegmentationModel, build_model

_REMEDY = "Export the model again with the training module, or update this software."


def save_bundle(
    path: str | Path,
    metadata: BundleMetadata,
    model: SegmentationModel,
    half: bool = True,
    graphs: Mapping[str, bytes] | None = None,
) -> str:
    """Write a bundle whole or not at all and return its SHA-256.

    Number of parameters, stride and receptive radius are taken from ``model``.

    Args:
        path: Target, ending in ``.safetensors``; replaced if it exists.
        metadata: What the model is and how to feed it.
        model: The trained network that ``metadata.spec`` describes.
        half: Store weights as float16. Vectors (biases and normalization) stay float32: they are small and
            their range is wide.
        graphs: Other forms of the network, such as ``int8``; see :meth:`ModelBundle.graph`.

    Raises:
        BundleError: if weights and description do not fit, a weight is not finite, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != BUNDLE_SUFFIX:
        raise BundleError(f"Model files end in {BUNDLE_SUFFIX}, got '{path.name}'.")
    tensors = {key: _stored(key, value, half) for key, value in model.state_dict().items()}
    _compare(str(path), {key: tuple(value.shape) for key, value in tensors.items()}, _empty_model(metadata, str(path)))
    described = replace(
        metadata,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        stride=model.stride,
        receptive_radius=model.receptive_radius,
    )
    return _write(path, tensors | _as_tensors(graphs or {}), described)


def add_graphs(path: str | Path, metadata: BundleMetadata, graphs: Mapping[str, bytes]) -> str:
    """Give a bundle other forms of its network and a description that tells of them; return its new SHA-256.

    Raises:
        BundleError: as :func:`describe_anew`.
    """
    path = Path(path)
    describe_anew(path, metadata)
    return _write(path, load_file(path) | _as_tensors(graphs), metadata)


def _as_tensors(graphs: Mapping[str, bytes]) -> dict[str, torch.Tensor]:
    return {GRAPH + name: torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in graphs.items()}


def describe_anew(path: str | Path, metadata: BundleMetadata) -> str:
    """Give a bundle another description, with the weights as they are; return its new SHA-256.

    Other forms of the network, which hold scaling and temperature inside, go if these change.

    Args:
        path: The bundle; replaced whole or not at all.
        metadata: The new description.

    Raises:
        BundleError: if the file is no bundle, the description is of another network, or it cannot be written.
    """
    path = Path(path)
    before = load_bundle(path).metadata
    tensors = load_file(path)
    if _inside(before) != _inside(metadata):
        tensors = {key: value for key, value in tensors.items() if not key.startswith(GRAPH)}
    shapes = {key: tuple(value.shape) for key, value in tensors.items() if not key.startswith(GRAPH)}
    model = _empty_model(metadata, str(path))
    _compare(str(path), shapes, model)
    _compare_geometry(str(path), metadata, model)
    return _write(path, tensors, metadata)


def _inside(metadata: BundleMetadata) -> tuple[object, ...]:
    return metadata.temperature, metadata.mean, metadata.std


def _write(path: Path, tensors: dict[str, torch.Tensor], metadata: BundleMetadata) -> str:
    header = {HEADER_KEY: json.dumps(metadata.to_stac_item(), ensure_ascii=False)}
    partial = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:  # not save_file: it makes files that only their owner can read
            stream.write(save(tensors, header))
            stream.flush()
            os.fsync(stream.fileno())
        digest = file_digest(partial)
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):  # a folder that is a file
            partial.unlink(missing_ok=True)
        raise BundleError(f"The model {path} cannot be written: {error}.", "Check the folder and its space.") from error
    return digest


def load_network(path: Path, metadata: BundleMetadata) -> SegmentationModel:
    """Return the network of a bundle in evaluation mode, float32, on the CPU, without gradients.

    The names and shapes of all weights are compared with the description before memory is taken for one.

    Raises:
        BundleError: if the file is damaged or contradicts itself.
    """
    model = _empty_model(metadata, str(path))
    _compare_geometry(str(path), metadata, model)
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            names = [key for key in stored.keys() if not key.startswith(GRAPH)]  # noqa: SIM118
            shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in names}
            _compare(str(path), shapes, model)
            types = {key: value.dtype for key, value in model.state_dict().items()}
            weights = {key: _loaded(key, stored.get_tensor(key), types[key], path) for key in shapes}
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The weights in {path} cannot be read: {error}.", _REMEDY) from error
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _empty_model(metadata: BundleMetadata, source: str) -> SegmentationModel:
    """Build the described network without memory for its weights."""
    try:
        with torch.device("meta"):
            return build_model(metadata.spec)
    except ModelError as error:
        raise BundleError(f"{source} describes a network that cannot be built: {error}", _REMEDY) from error


def _compare_geometry(source: str, metadata: BundleMetadata, model: SegmentationModel) -> None:
    """Refuse a wrong stride or radius: windows are laid out by them."""
    said, true = (metadata.stride, metadata.receptive_radius), (model.stride, model.receptive_radius)
    if said != true:
        raise BundleError(
            f"{source} says that its network has a stride of {said[0]} px and a receptive radius of {said[1]} px; "
            f"it has a stride of {true[0]} px and a radius of {true[1]} px.",
            _REMEDY,
        )


def _compare(source: str, shapes: dict[str, tuple[int, ...]], model: SegmentationModel) -> None:
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


def _stored(key: str, value: torch.Tensor, half: bool) -> torch.Tensor:
    value = value.detach().cpu()
    if half and value.is_floating_point() and value.ndim > 1:
        value = value.half()
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(
            f"The weight {key} is not finite.", "Train with a lower learning rate or export with half=False."
        )
    return value.contiguous()


def _loaded(key: str, value: torch.Tensor, wanted: torch.dtype, path: Path) -> torch.Tensor:
    """Return a weight in the type that the network computes in."""
    if value.is_floating_point() != wanted.is_floating_point:
        raise BundleError(f"{path}: the weight {key} is of type {value.dtype}, not {wanted}.", _REMEDY)
    value = value.to(wanted)
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(f"{path}: the weight {key} is not finite.", _REMEDY)
    return value
