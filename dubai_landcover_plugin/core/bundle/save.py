"""Writes model files: weights and metadata in one ``.safetensors`` file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from dubai_landcover_plugin.core.bundle.bundle import file_digest, load_bundle
from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.core.bundle.weights import check_geometry, check_shapes, empty_model, is_weight
from dubai_landcover_plugin.core.io.files import atomic_path, make_folder
from dubai_landcover_plugin.core.networks import LAST_BIAS, SegmentationModel
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import GRAPH_PREFIX, HEADER_KEY, SCALE_PREFIX
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.stac_item import to_stac_item
from dubai_landcover_plugin.protocol.translation import tr

Storage = Literal["float32", "float16", "int8"]
_LAST_LAYERS = ("head.", "adapter.")  # which teaching reads and corrects in float16
_LARGE = 20_000  # smaller layers, such as depthwise convolutions, would lose accuracy and save little


def save_bundle(
    path: str | Path,
    metadata: BundleMetadata,
    model: SegmentationModel,
    storage: Storage = "float16",
    graphs: Mapping[str, bytes] | None = None,
) -> str:
    """Write a model file atomically and return its SHA-256.

    Number of parameters, stride and receptive radius in the metadata are set from ``model``.

    Args:
        path: Target, ending in ``.safetensors``; replaced if it exists.
        metadata: Metadata of the model.
        model: The trained network described by ``metadata.spec``.
        storage: How weights are stored: ``float32``, ``float16``, or ``int8``, large ones with a scale for each output
            channel, at about half the size of float16. One-dimensional weights (biases, normalization) are always
            float32: they are small and their range is wide.
        graphs: Further graphs of the network, such as ``int8``; see :meth:`ModelBundle.graph`.

    Raises:
        BundleError: if weights and metadata do not match, a weight is not finite, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != BUNDLE_SUFFIX:
        raise BundleError(tr("Model files end in {suffix}, got '{name}'.", suffix=BUNDLE_SUFFIX, name=path.name))
    tensors: dict[str, torch.Tensor] = {}
    for key, value in model.state_dict().items():
        tensors |= _stored(key, value, storage)
    shapes = {key: tuple(value.shape) for key, value in tensors.items() if is_weight(key)}
    check_shapes(str(path), shapes, empty_model(metadata, str(path)))
    described = replace(
        metadata,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        stride=model.stride,
        receptive_radius=model.receptive_radius,
    )
    return _write(path, tensors | _as_tensors(graphs or {}), described)


def storage_of(path: str | Path) -> Storage:
    """Return how a model file stores its weights.

    Raises:
        BundleError: if the file is damaged.
    """
    path = Path(path)
    with reading_weights(path), safe_open(path, framework="pt") as stored:
        names = list(stored.keys())
        if any(key.startswith(SCALE_PREFIX) for key in names):
            return "int8"
        kinds = {stored.get_slice(key).get_dtype() for key in names if is_weight(key)}
    return "float16" if "F16" in kinds else "float32"


def add_graphs(path: str | Path, metadata: BundleMetadata, graphs: Mapping[str, bytes]) -> str:
    """Add graphs of the network to a model file, replace its metadata and return its new SHA-256.

    Raises:
        BundleError: see :func:`replace_metadata`.
    """
    path = Path(path)
    replace_metadata(path, metadata)
    return _write(path, load_file(path) | _as_tensors(graphs), metadata)


def _as_tensors(graphs: Mapping[str, bytes]) -> dict[str, torch.Tensor]:
    return {
        GRAPH_PREFIX + name: torch.frombuffer(bytearray(content), dtype=torch.uint8) for name, content in graphs.items()
    }


def replace_metadata(path: str | Path, metadata: BundleMetadata) -> str:
    """Replace the metadata of a model file and return its new SHA-256.

    The weights are kept, except the bias of the last layer, which contains the class bias of the metadata. Further
    graphs of the network contain standardization, temperature and class bias; they are removed if these change.

    Args:
        path: The model file; replaced atomically.
        metadata: The new metadata.

    Raises:
        BundleError: if the file is not a model file, the metadata are of another network, or it cannot be written.
    """
    path = Path(path)
    before = load_bundle(path).metadata
    tensors = load_file(path)
    if _baked_in(before) != _baked_in(metadata):
        tensors = {key: value for key, value in tensors.items() if not key.startswith(GRAPH_PREFIX)}
    _add_class_bias(str(path), tensors, before, metadata)
    shapes = {key: tuple(value.shape) for key, value in tensors.items() if is_weight(key)}
    model = empty_model(metadata, str(path))
    check_shapes(str(path), shapes, model)
    check_geometry(str(path), metadata, model)
    return _write(path, tensors, metadata)


def _baked_in(metadata: BundleMetadata) -> tuple[object, ...]:
    """Return the metadata that graphs contain as constants."""
    return metadata.temperature, metadata.class_bias, metadata.mean, metadata.std


def _add_class_bias(
    source: str, tensors: dict[str, torch.Tensor], before: BundleMetadata, after: BundleMetadata
) -> None:
    """Add the change of the class bias to the last layer, in place.

    Upsampling and softmax follow; the weights of the upsampling add up to 1, so that each logit changes by its bias.

    Raises:
        BundleError: if the last layer has no bias.
    """
    if before.class_bias == after.class_bias or len(before.scheme.classes) != len(after.scheme.classes):
        return  # metadata of another network are refused by their shapes
    if LAST_BIAS not in tensors:
        raise BundleError(
            tr(
                "The network in {source} has no weight {weight}, so a class bias cannot be stored.",
                source=source,
                weight=LAST_BIAS,
            ),
            tr("Fit the temperature alone."),
        )
    none = (0.0,) * len(before.scheme.classes)
    old, new = (torch.tensor(found.class_bias or none, dtype=torch.float64) for found in (before, after))
    weight = tensors[LAST_BIAS]
    tensors[LAST_BIAS] = (weight.double() - old + new).to(weight.dtype)


def _write(path: Path, tensors: dict[str, torch.Tensor], metadata: BundleMetadata) -> str:
    header = {HEADER_KEY: json.dumps(to_stac_item(metadata), ensure_ascii=False)}
    try:
        make_folder(path.parent)
        with atomic_path(path) as partial:
            partial.write_bytes(save(tensors, header))  # not save_file, whose files only the owner can read
            digest = file_digest(partial)
    except (OSError, SafetensorError) as error:
        raise BundleError(
            tr("The model {path} cannot be written: {error}.", path=path, error=error),
            tr("Check the folder and the free space."),
        ) from error
    return digest


def _stored(key: str, value: torch.Tensor, storage: Storage) -> dict[str, torch.Tensor]:
    """Return the tensors that store a weight, by name."""
    value, scale = value.detach().cpu().contiguous(), None
    if value.is_floating_point() and value.ndim > 1:
        if storage == "int8" and value.numel() >= _LARGE and not key.startswith(_LAST_LAYERS):
            # Symmetric, with the largest absolute value of an output channel at 127.
            scale = (value.abs().flatten(1).amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        elif storage != "float32":
            value = value.half()
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise BundleError(
            tr("The weight {key} is not finite.", key=key), tr("Train with a lower learning rate, or store float32.")
        )
    if scale is None:
        return {key: value}
    whole = (value / scale.view(-1, *[1] * (value.ndim - 1))).round().to(torch.int8)
    return {key: whole, SCALE_PREFIX + key: scale}
