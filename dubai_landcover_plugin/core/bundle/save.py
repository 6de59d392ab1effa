"""Writes model files and reads their weights: one ``.safetensors`` holds both weights and description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dubai_landcover_plugin.core.bundle.bundle import file_digest, load_bundle
from dubai_landcover_plugin.core.bundle.weights import compare_geometry, compare_shapes, empty_model
from dubai_landcover_plugin.core.io.files import atomic_path, make_folder
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, GRAPH, HEADER_KEY, BundleMetadata


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
    compare_shapes(
        str(path), {key: tuple(value.shape) for key, value in tensors.items()}, empty_model(metadata, str(path))
    )
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
    model = empty_model(metadata, str(path))
    compare_shapes(str(path), shapes, model)
    compare_geometry(str(path), metadata, model)
    return _write(path, tensors, metadata)


def _inside(metadata: BundleMetadata) -> tuple[object, ...]:
    return metadata.temperature, metadata.mean, metadata.std


def _write(path: Path, tensors: dict[str, torch.Tensor], metadata: BundleMetadata) -> str:
    header = {HEADER_KEY: json.dumps(metadata.to_stac_item(), ensure_ascii=False)}
    try:
        make_folder(path.parent)
        with atomic_path(path) as partial:
            partial.write_bytes(save(tensors, header))  # not save_file: it makes files that only their owner can read
            digest = file_digest(partial)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The model {path} cannot be written: {error}.", "Check the folder and its space.") from error
    return digest


def _stored(key: str, value: torch.Tensor, half: bool) -> torch.Tensor:
    value = value.detach().cpu()
    if half and value.is_floating_point() and value.ndim > 1:
        value = value.half()
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(
            f"The weight {key} is not finite.", "Train with a lower learning rate or export with half=False."
        )
    return value.contiguous()
