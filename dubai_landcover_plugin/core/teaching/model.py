"""Reads the last layers of a model file, and writes a taught one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.core.teaching.features import Floats
from dubai_landcover_plugin.core.teaching.head import Head
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, TEACHABLE, BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.networks import SegmentationModel

_LAST = "decoder.{}.convolve.0.weight"  # its first axis has the channels of a level
_LEVELS = 4
_OF_OLD_WEIGHTS = ("int8", "parity")  # entries of the provenance that a taught model does not inherit


def is_teachable(bundle: ModelBundle) -> bool:
    """Return whether a session can use the features of a model."""
    return bundle.metadata.spec.architecture in TEACHABLE and bundle.path is not None


def check_teachable(bundle: ModelBundle) -> None:
    """Refuse a model whose features a session cannot use.

    Raises:
        BundleError: naming the architecture.
    """
    metadata = bundle.metadata
    if not is_teachable(bundle):
        kind = (
            tr("an ONNX file")
            if bundle.is_onnx
            else tr("a network of the type {architecture}", architecture=metadata.spec.architecture)
        )
        raise BundleError(
            tr("The model '{model}' cannot be taught: it is {kind}.", model=metadata.name, kind=kind),
            tr("Choose a .safetensors model of the type {names}, such as dubai.", names=tr(" or ").join(TEACHABLE)),
        )


def read_head(bundle: ModelBundle) -> Head:
    """Return the last layers of a model that can be taught.

    Raises:
        BundleError: if the file is damaged.
    """
    path = bundle.path
    if path is None:
        raise BundleError(tr("The model '{model}' is not in a file.", model=bundle.metadata.name), tr("Save it first."))
    with reading_weights(path), safe_open(path, framework="numpy") as stored:
        names = set(stored.keys())
        last = _matrix(stored.get_tensor("head.weight"))
        weights = []
        for level in range(_LEVELS - 1):
            channels = stored.get_slice(_LAST.format(level)).get_shape()[0]
            name = f"adapter.{level}.weight"
            taught = name in names
            weights.append(_matrix(stored.get_tensor(name)) if taught else np.zeros((len(last), channels), np.float32))
        bias = np.asarray(stored.get_tensor("head.bias"), np.float32)
    bundle.check_unchanged()
    return Head((*weights, last), bias, bundle.metadata.temperature)


def _matrix(weight: Any) -> Floats:
    return np.asarray(weight, np.float32)[:, :, 0, 0]


def check_new_file(path: str | Path, bundle: ModelBundle, overwrite: bool) -> None:
    """Refuse a path at which a taught model cannot be written.

    Raises:
        BundleError: if it has another suffix, exists, or is the source model.
    """
    path = Path(path)
    if path.suffix != BUNDLE_SUFFIX:
        raise BundleError(tr("Model files end in {suffix}, got '{name}'.", suffix=BUNDLE_SUFFIX, name=path.name))
    if path.exists() and not overwrite:
        raise BundleError(tr("{path} exists.", path=path), tr("Choose another path, or allow overwriting."))
    if bundle.path is not None and path.exists() and path.samefile(bundle.path):
        raise BundleError(tr("{path} is the model that is being taught.", path=path), tr("Choose another path."))


def save_taught(
    path: str | Path,
    bundle: ModelBundle,
    head: Head,
    scheme: ClassScheme,
    teaching: Mapping[str, Any],
    title: str = "",
    overwrite: bool = False,
) -> str:
    """Write a model file with other last layers and return its SHA-256.

    The weights below the last layers are those of the source. Graphs such as int8 are left out: they contain the old
    weights. So are figures that were measured with them; they stay in the provenance as those of the source.

    Args:
        path: Target, ending in ``.safetensors``.
        bundle: The source model.
        head: The last layers.
        scheme: Classes in the order of the output channels.
        teaching: Facts about the samples for the provenance.
        title: Description in one sentence; empty takes that of the source with a note.
        overwrite: Whether an existing file may be replaced.

    Raises:
        BundleError: if the file exists, is the source, or cannot be written.
    """
    path = Path(path)
    check_new_file(path, bundle, overwrite)
    import torch  # takes seconds; only saving needs it

    from dubai_landcover_plugin.core.bundle.save import save_bundle, storage_of
    from dubai_landcover_plugin.core.networks import build_model

    source = bundle.metadata
    metadata = taught_metadata(source, bundle.digest, path.stem, scheme, teaching, title)
    weights: dict[str, torch.Tensor] = dict(bundle.model.state_dict())
    for level, weight in enumerate(head.weights[:-1]):
        weights[f"adapter.{level}.weight"] = torch.from_numpy(weight)[:, :, None, None]
    weights["head.weight"] = torch.from_numpy(head.weights[-1])[:, :, None, None]
    weights["head.bias"] = torch.from_numpy(head.bias)
    model: SegmentationModel = build_model(metadata.spec)
    model.load_state_dict(weights)
    if bundle.path is None:
        raise BundleError(tr("The model '{name}' is not in a file.", name=source.name), tr("Save it first."))
    return save_bundle(path, metadata, model.eval(), storage_of(bundle.path))


def taught_metadata(
    source: BundleMetadata, digest: str, name: str, scheme: ClassScheme, teaching: Mapping[str, Any], title: str = ""
) -> BundleMetadata:
    """Return the metadata of a taught model: those of the source, with other classes, name and provenance.

    Args:
        source: Metadata of the source model.
        digest: SHA-256 of the source model.
        name: Name of the taught model.
        scheme: Its classes.
        teaching: Facts about the samples.
        title: Description in one sentence; empty takes that of the source with a note.
    """
    count = len(scheme.classes)
    training = {key: value for key, value in source.training.items() if key not in _OF_OLD_WEIGHTS}
    earlier = training.pop("teaching", None)
    facts = {"source": source.name, "source_hash": digest, "source_metrics": source.metrics, **teaching}
    if earlier is not None:
        facts["earlier"] = earlier
    spec = replace(source.spec, classes=count, arguments={**source.spec.arguments, "adapter": True})
    bias = source.class_bias + (0.0,) * (count - len(source.class_bias)) if source.class_bias else ()
    return replace(
        source,
        name=name,
        title=title or f"{source.title.rstrip('.')}; taught with samples of a user.",
        spec=spec,
        scheme=scheme,
        class_bias=bias,
        error_ratios=(),
        metrics={},
        training={**training, "teaching": facts},
    )
